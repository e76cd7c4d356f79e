"""DICOM files written for a test: small, with just the elements that the test is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SERIES, STUDY = generate_uid(), generate_uid()


def write_slice(path: Path, pixels: np.ndarray, **elements: Any) -> Path:
    """A single-frame file of these stored pixels (J, I); keyword elements override, None removes."""
    dataset = FileDataset(str(path), {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    bits = pixels.dtype.itemsize * 8
    values: dict[str, Any] = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": SERIES,
        "Modality": "CT",
        "PatientID": "one",
        "PatientName": "Doe^Jane",
        "ImagePositionPatient": [0, 0, 0],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [1, 1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": pixels.shape[-2],
        "Columns": pixels.shape[-1],
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": elements.get("BitsStored", bits) - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "RescaleSlope": 1,
        "RescaleIntercept": 0,
        **elements,
    }
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_stack(folder: Path, places: list[tuple[float, float, float]], **elements: Any) -> list[Path]:
    """One 4 x 5 slice for each position, all pixels of slice n having the value n."""
    folder.mkdir(exist_ok=True)
    return [
        write_slice(
            folder / f"s{n:03}.dcm",
            np.full((4, 5), n, np.int16),
            **{
                "ImagePositionPatient": list(place),
                "InstanceNumber": n + 1,
                **{k: v[n] if isinstance(v, list) else v for k, v in elements.items()},
            },
        )
        for n, place in enumerate(places)
    ]
