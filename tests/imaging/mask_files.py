"""DICOM SEG (by highdicom) and RTSTRUCT (by pydicom) files, written for a test over real or made series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from datamint_like.exceptions import DatamintException
from datamint_like.imaging import Group, HeaderFacts, decode_segments

CREATOR = "Silva^Ana"


def write_seg(
    path: Path,
    sources: Sequence[Path],
    masks: np.ndarray,
    names: Sequence[str] = ("Liver", "Lesion"),
    *,
    kind: str = "BINARY",
    creator: str | None = CREATOR,
    **more: Any,
) -> Path:
    """A segmentation of these images: masks (images, J, I, segments), or labels (images, J, I) for a LABELMAP."""
    described = [
        hd.seg.SegmentDescription(
            number,
            name,
            codes.SCT.Organ,
            codes.SCT.Liver,
            hd.seg.SegmentAlgorithmTypeValues.MANUAL,
            display_color=hd.color.CIELabColor(60.0, 40.0, -20.0),
        )
        for number, name in enumerate(names, 1)
    ]
    if kind == "FRACTIONAL":
        more = {"fractional_type": "PROBABILITY", **more}
    seg = hd.seg.Segmentation(
        source_images=[_named(pydicom.dcmread(source)) for source in sources],
        pixel_array=masks,
        segmentation_type=kind,
        segment_descriptions=described,
        series_instance_uid=generate_uid(),
        series_number=9,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="test",
        manufacturer_model_name="test",
        software_versions="1",
        device_serial_number="1",
        content_creator_name=creator,
        **more,
    )
    seg.save_as(path)
    return path


def _named(dataset: Dataset) -> Dataset:
    """The image with the patient elements that highdicom asks for."""
    dataset.PatientName = "Doe^Jane"
    for keyword in ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber", "StudyID"):
        dataset.setdefault(keyword, "")
    return dataset


#: Name of an ROI, to its contours: type, and points (n, 3) in LPS mm.
Rois = Mapping[str, Sequence[tuple[str, np.ndarray]]]


def write_rtstruct(path: Path, rois: Rois, group: Group | None = None, **elements: Any) -> Path:
    """A structure set, which references the series of `group`; keyword elements override, None removes."""
    dataset = FileDataset(str(path), {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    values: dict[str, Any] = {
        "SOPClassUID": RTStructureSetStorage,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": (group and group.facts.study_uid) or generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "Modality": "RTSTRUCT",
        "PatientName": "Doe^Jane",
        "OperatorsName": CREATOR,
        "StructureSetLabel": "test",
        "ReferencedFrameOfReferenceSequence": [_reference(group)] if group else None,
        "StructureSetROISequence": [
            _item(ROINumber=n, ROIName=name, ROIGenerationAlgorithm="MANUAL") for n, name in enumerate(rois, 1)
        ],
        "ROIContourSequence": [
            _item(
                ReferencedROINumber=n,
                ROIDisplayColor=[255, 0, n],
                ContourSequence=[
                    _item(
                        ContourGeometricType=kind,
                        NumberOfContourPoints=len(points),
                        ContourData=[f"{value:.9g}" for value in np.ravel(points)],
                    )
                    for kind, points in contours
                ],
            )
            for n, contours in enumerate(rois.values(), 1)
        ],
        "RTROIObservationsSequence": [
            _item(ObservationNumber=n, ReferencedROINumber=n, RTROIInterpretedType="", ROIInterpreter="")
            for n, _ in enumerate(rois, 1)
        ],
        **elements,
    }
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    return path


def _reference(group: Group) -> Dataset:
    first = pydicom.dcmread(group.paths[0], stop_before_pixels=True)
    images = [pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in group.paths]
    series = _item(
        SeriesInstanceUID=first.SeriesInstanceUID,
        ContourImageSequence=[_item(ReferencedSOPInstanceUID=uid) for uid in images],
    )
    return _item(
        FrameOfReferenceUID=first.FrameOfReferenceUID,
        RTReferencedStudySequence=[_item(RTReferencedSeriesSequence=[series])],
    )


def _item(**values: Any) -> Dataset:
    result = Dataset()
    for keyword, value in values.items():
        setattr(result, keyword, value)
    return result


def error_of(payload: bytes, facts: HeaderFacts, **options: Any) -> str | None:
    """The error of our tree that decoding the payload as `d` ends in, or None; any other error is raised."""
    try:
        decode_segments(payload, facts, name="d", **options)
    except DatamintException as error:
        return str(error)
    return None
