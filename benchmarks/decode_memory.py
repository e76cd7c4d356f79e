"""Peak memory of decoding a volume or a large picture, as a multiple of the decoded array. Prints JSON.

Each is decoded in a process of its own, which has decoded a tiny one before, so that imports and fixed buffers do not
count. The peak is the kernel's (`VmHWM`). The target is for volumes: of a colour JPEG OpenCV itself holds two images
beside the encoded bytes, which are many for the noise here.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pydicom
import tifffile
from pydicom.uid import generate_uid

from datamint_like.imaging import decode_stored, derive_single_file, probe

IMAGES = Path(__file__).resolve().parent.parent / "datamint_like" / "demo" / "images"
SHAPE = (512, 512, 48)
TARGET = 2.2


def peak() -> int:
    """The most bytes that this process had in memory so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise SystemExit("This system does not tell the peak memory of a process (no VmHWM in /proc/self/status).")


def measure(tiny: list[Path], paths: list[Path]) -> float:
    """The growth of the peak while `paths` are decoded, over the size of their array."""
    decode_stored(tiny, probe(tiny))
    facts = probe(paths)
    before = peak()
    array = decode_stored(paths, facts).array
    return (peak() - before) / array.nbytes


def in_a_process(tiny: list[Path], paths: list[Path]) -> float:
    given = json.dumps([[str(path) for path in files] for files in (tiny, paths)])
    done = subprocess.run([sys.executable, __file__, given], capture_output=True, text=True, check=True)
    return round(float(done.stdout), 3)


def values(shape: tuple[int, ...]) -> np.ndarray:
    """A ramp with noise, as smooth as a CT."""
    ramp = np.add.outer(np.arange(shape[0]), np.arange(shape[1]))[..., None]
    return (ramp + np.random.default_rng(0).integers(0, 60, shape)).astype(np.int16)


def nifti(folder: Path, shape: tuple[int, ...], dtype: str, slope: float, ending: str) -> list[Path]:
    image = nib.Nifti1Image(values(shape).astype(dtype), np.diag([0.7, 0.7, 2.5, 1.0]))
    data = bytearray(image.to_bytes())
    data[112:116] = np.float32(slope).tobytes()
    path = folder / f"volume{ending}"
    path.write_bytes(gzip.compress(data, 1) if ending.endswith(".gz") else data)
    return [path]


def dicom(folder: Path, shape: tuple[int, ...], slope: str) -> list[Path]:
    dataset = pydicom.dcmread(sorted((IMAGES / "ct_philips").iterdir())[0])
    voxels, paths = values(shape), []
    for index in range(shape[2]):
        dataset.Rows, dataset.Columns = shape[:2]
        dataset.Modality, dataset.RescaleSlope = ("CT", slope) if slope == "1" else ("MR", slope)
        dataset.ImagePositionPatient = [0, 0, 2.5 * index]
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(index)])
        dataset.PixelData = np.ascontiguousarray(voxels[..., index]).tobytes()
        paths.append(folder / f"{index:03}.dcm")
        dataset.save_as(paths[-1])
    return paths


def multiframe(folder: Path, shape: tuple[int, ...]) -> list[Path]:
    parts = dicom(folder, shape, "1")
    path = folder / "multiframe"
    with open(path, "wb") as file:
        derive_single_file(parts, probe(parts), file)
    return [path]


def compressed(folder: Path, shape: tuple[int, ...]) -> list[Path]:
    """The series as RLE, one file a plane."""
    paths = dicom(folder, shape, "1")
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
        dataset.save_as(path)
    return paths


def tiff(folder: Path, shape: tuple[int, ...], compression: str | None) -> list[Path]:
    """The volume as a stack of pages, compressed ones with differences of neighbours."""
    pages = np.moveaxis(values(shape), -1, 0).astype(np.uint16)
    path = folder / "stack.tif"
    tifffile.imwrite(path, pages, photometric="minisblack", compression=compression, predictor=compression is not None)
    return [path]


def picture(folder: Path, shape: tuple[int, ...], ending: str) -> list[Path]:
    """All planes of the volume side by side as one picture, gray of 16 bits or colour."""
    plane = np.concatenate(np.moveaxis(values(shape), -1, 0)[: max(1, shape[2] // 2)], axis=0).astype(np.uint16)
    image = plane if ending != ".jpg" else np.stack([plane.astype(np.uint8)] * 3, axis=-1)
    path = folder / f"picture{ending}"
    cv2.imwrite(str(path), image)
    return [path]


CASES: dict[str, Callable[[Path, tuple[int, ...]], list[Path]]] = {
    ".nii int16": lambda folder, shape: nifti(folder, shape, "i2", 1, ".nii"),
    ".nii.gz int16": lambda folder, shape: nifti(folder, shape, "i2", 1, ".nii.gz"),
    ".nii.gz int16 big-endian": lambda folder, shape: nifti(folder, shape, ">i2", 1, ".nii.gz"),
    ".nii.gz int16 scaled to float32": lambda folder, shape: nifti(folder, shape, "i2", 0.5, ".nii.gz"),
    ".nii float64 as float32": lambda folder, shape: nifti(folder, shape, "f8", 1, ".nii"),
    "DICOM series int16": lambda folder, shape: dicom(folder, shape, "1"),
    "DICOM series scaled to float32": lambda folder, shape: dicom(folder, shape, "0.5"),
    "multi-frame DICOM int16": multiframe,
    "DICOM series int16, RLE": compressed,
    "TIFF stack": lambda folder, shape: tiff(folder, shape, None),
    "TIFF stack, Deflate with differences": lambda folder, shape: tiff(folder, shape, "zlib"),
    "one TIFF page, LZW with differences": lambda folder, shape: picture(folder, shape, ".tif"),
    "PNG of 16 bits": lambda folder, shape: picture(folder, shape, ".png"),
    "JPEG in colour": lambda folder, shape: picture(folder, shape, ".jpg"),
}


def main() -> int:
    if len(sys.argv) > 1:
        tiny, paths = ([Path(path) for path in files] for files in json.loads(sys.argv[1]))
        print(measure(tiny, paths))
        return 0
    found = {}
    for name, make in CASES.items():
        with tempfile.TemporaryDirectory() as small, tempfile.TemporaryDirectory() as large:
            found[name] = in_a_process(make(Path(small), (8, 8, 3)), make(Path(large), SHAPE))
    print(json.dumps({"peak over array": found, "target": TARGET, "shape": SHAPE}, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
