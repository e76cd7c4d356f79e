"""The files that are damaged: the shipped real images, and the same pixels in every format that can be written here."""

from __future__ import annotations

from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pydicom
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from datamint_like.imaging import assemble
from tests.imaging.mask_files import write_rtstruct, write_seg

_DEMO = Path(__file__).resolve().parents[2] / "datamint_like" / "demo" / "images"
#: The series that the masks are drawn on.
CT = _DEMO / "ct_philips"
#: The patient of every DICOM file that is written here: they come out of no damaged one, but as its own ID.
PATIENT_NAME, PATIENT_ID = "zqxsurname^wvk", "qxzpatient"
_LARGEST = 300_000
_NO_IMAGES = {".md", ".sqlite", ".npz", ".xml", ".nrrd"}


def write_corpus(folder: Path, real_data: Path | None = None) -> list[Path]:
    """Files of every format, in `folder`, sorted; with `real_data` also its files that are not large."""
    folder.mkdir(parents=True, exist_ok=True)
    ct = pydicom.dcmread(_DEMO / "ct_philips" / "IM0005.dcm")
    _write_dicoms(folder, ct)
    _write_niftis(folder, ct.pixel_array.astype(np.int16))
    _write_pictures(folder, (ct.pixel_array >> 4).astype(np.uint8), ct.pixel_array.astype(np.uint16))
    _write_masks(folder)
    _write_videos(folder, (ct.pixel_array >> 4).astype(np.uint8))
    for source in (*_DEMO.glob("ultrasound/*.dcm"), *_DEMO.glob("xray/*_mask.png"), *_DEMO.glob("xray/*001_000.jpg")):
        (folder / source.name).write_bytes(source.read_bytes())
    for path in folder.glob("*.dcm"):
        _give_patient(path)
    for number, source in enumerate(_small_files(real_data)):
        (folder / f"real{number:03}_{source.name}").write_bytes(source.read_bytes())
    return sorted(folder.iterdir())


def _give_patient(path: Path) -> None:
    dataset = pydicom.dcmread(path)
    dataset.PatientName, dataset.PatientID = PATIENT_NAME, PATIENT_ID
    dataset.save_as(path)


def _small_files(root: Path | None) -> list[Path]:
    if root is None:
        return []
    files = (path for path in root.rglob("*") if path.is_file() and path.suffix not in _NO_IMAGES)
    return sorted(path for path in files if 0 < path.stat().st_size <= _LARGEST)


def _write_dicoms(folder: Path, ct: pydicom.Dataset) -> None:
    ct.save_as(folder / "ct.dcm")
    for name, syntax in {"rle": RLELossless, "jpegls": JPEGLSLossless, "j2k": JPEG2000Lossless}.items():
        other = pydicom.dcmread(_DEMO / "ct_philips" / "IM0005.dcm")
        other.compress(syntax, generate_instance_uid=False)
        other.save_as(folder / f"ct_{name}.dcm")


def _write_niftis(folder: Path, plane: np.ndarray) -> None:
    volume = np.stack([plane, plane // 2, plane // 3], axis=-1)[::4, ::4]
    affine = np.diag([2.0, 2.0, 5.0, 1.0])
    nib.save(nib.Nifti1Image(volume, affine), folder / "volume.nii")
    nib.save(nib.Nifti2Image(volume, affine), folder / "volume2.nii.gz")
    scaled = nib.Nifti1Image(volume.astype(np.float32), affine)
    scaled.header.set_data_dtype(np.uint8)
    nib.save(scaled, folder / "scaled.nii.gz")
    nib.save(nib.Nifti1Image((volume > 100).astype(np.uint8), affine), folder / "labels.nii.gz")


def _write_videos(folder: Path, gray: np.ndarray) -> None:
    for name, codec in {"clip.mp4": "mp4v", "clip.avi": "MJPG", "clip.mkv": "mp4v"}.items():
        writer = cv2.VideoWriter(str(folder / name), cv2.VideoWriter.fourcc(*codec), 10, (64, 48))
        for shift in range(5):
            writer.write(cv2.cvtColor(np.roll(gray, shift)[:48, :64], cv2.COLOR_GRAY2BGR))
        writer.release()


def _write_masks(folder: Path) -> None:
    """Segmentations and a structure set of the series, small ones."""
    images = sorted(CT.iterdir())
    masks = np.zeros((len(images), 128, 128, 2), np.uint8)
    masks[3:6, 20:40, 30:60, 0] = masks[5:7, 30:50, 50:70, 1] = 1
    write_seg(folder / "seg.dcm", images, masks)
    write_seg(folder / "fractions.dcm", images, masks[..., :1] * 0.7, ("Liver",), kind="FRACTIONAL")
    write_seg(folder / "labels.dcm", images, masks[..., 0], ("Liver",), kind="LABELMAP")
    group = assemble(images).groups[0]
    assert group.facts.affine is not None
    box = np.array([[4, 20, 30], [4, 20, 60], [4, 50, 60], [4, 50, 30]], dtype=float)
    points = group.facts.affine.points(box) * (-1, -1, 1)
    write_rtstruct(folder / "structures.dcm", {"Liver": [("CLOSED_PLANAR", points)]}, group)


def _write_pictures(folder: Path, gray: np.ndarray, deep: np.ndarray) -> None:
    colour = np.stack([gray, gray[::-1], gray.T], axis=-1)
    for name, pixels in {"gray": gray, "deep": deep, "colour": colour}.items():
        cv2.imwrite(str(folder / f"{name}.png"), pixels)
    for name in ("colour.jpg", "colour.bmp", "colour.webp", "colour.tiff"):
        cv2.imwrite(str(folder / name), colour)
    cv2.imwritemulti(str(folder / "pages.tiff"), [deep, deep[::-1], deep.T])
