"""Peak memory of decoding a volume, as a multiple of the decoded array. Prints JSON.

Each volume is decoded in a process of its own, which has decoded a tiny one before, so that imports and fixed
buffers do not count. The peak is the kernel's (`VmHWM`).
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
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


CASES: dict[str, Callable[[Path, tuple[int, ...]], list[Path]]] = {
    ".nii int16": lambda folder, shape: nifti(folder, shape, "i2", 1, ".nii"),
    ".nii.gz int16": lambda folder, shape: nifti(folder, shape, "i2", 1, ".nii.gz"),
    ".nii.gz int16 big-endian": lambda folder, shape: nifti(folder, shape, ">i2", 1, ".nii.gz"),
    ".nii.gz int16 scaled to float32": lambda folder, shape: nifti(folder, shape, "i2", 0.5, ".nii.gz"),
    ".nii float64 as float32": lambda folder, shape: nifti(folder, shape, "f8", 1, ".nii"),
    "DICOM series int16": lambda folder, shape: dicom(folder, shape, "1"),
    "DICOM series scaled to float32": lambda folder, shape: dicom(folder, shape, "0.5"),
    "multi-frame DICOM int16": multiframe,
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
