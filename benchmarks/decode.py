"""Decoding and probing against the bare libraries in one process, one thread, printed as JSON ratios.

Each pair does the same work: from files to an array of real values (ours with facts and checks). A ratio
below 1 is faster than the bare library.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pydicom
import pydicom.pixels
from pydicom.pixels import apply_color_lut, apply_rescale

from datamint_like.imaging import ReadOptions, assemble, decode_stored, probe, read

HERE = Path(__file__).resolve().parent.parent
IMAGES = HERE / "datamint_like" / "demo" / "images"

Pair = tuple[Callable[[], object], Callable[[], object]]


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio(pair: Pair, runs: int) -> float:
    """Median of ours / theirs over interleaved runs, so that a slow moment hits both alike."""
    ours, theirs = pair
    ours(), theirs()
    return round(statistics.median(seconds(ours) / seconds(theirs) for _ in range(runs)), 3)


def ours(paths: list[Path]) -> Callable[[], object]:
    facts = probe(paths)
    return lambda: decode_stored(paths, facts).array


def pydicom_values(paths: list[Path]) -> object:
    datasets = [pydicom.dcmread(path) for path in paths]
    return np.stack([apply_rescale(dataset.pixel_array, dataset).astype(np.int16) for dataset in datasets])


def headers(paths: list[Path]) -> object:
    return [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]


def dicom_pairs(real: Path) -> dict[str, Pair]:
    series = sorted((IMAGES / "ct_philips").iterdir())
    pairs: dict[str, Pair] = {
        "decode dicom series (128 x 128)": (ours(series), lambda: pydicom_values(series)),
        "probe dicom slice": (
            lambda: probe(series[:1]),
            lambda: pydicom.dcmread(series[0], stop_before_pixels=True),
        ),
        "assemble dicom series": (lambda: assemble(series), lambda: headers(series)),
    }
    large = sorted((real / "ct" / "philips_axial_phantom").glob("*"))
    if large:
        pairs["decode dicom series (512 x 512)"] = (ours(large), lambda: pydicom_values(large))
        pairs["probe dicom slice (512 x 512)"] = (
            lambda: probe(large[:1]),
            lambda: pydicom.dcmread(large[0], stop_before_pixels=True),
        )
    return pairs


def pydicom_pixels(path: Path, plugin: str) -> object:
    """Pixels by the plugin that we use, rescaled frame by frame where the header says so."""
    dataset = pydicom.dcmread(path)
    pixels = pydicom.pixels.pixel_array(dataset, decoding_plugin=plugin)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        pixels = (apply_color_lut(pixels, dataset) >> 8).astype(np.uint8)
    groups = dataset.get("PerFrameFunctionalGroupsSequence")
    if not groups or "PixelValueTransformationSequence" not in groups[0]:
        if pixels.shape[-1] == 3:
            return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
        return apply_rescale(pixels, dataset).astype(np.float32) if "RescaleSlope" in dataset else pixels.copy()
    rescales = [group.PixelValueTransformationSequence[0] for group in groups]
    scaled = [
        plane * float(r.RescaleSlope) + float(r.RescaleIntercept) for plane, r in zip(pixels, rescales, strict=True)
    ]
    return np.stack(scaled).astype(np.float32)


def header_and_places(path: Path) -> object:
    """The header, and where the frames of an enhanced file lie, without which nobody knows its shape."""
    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    groups = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    return [group.PlanePositionSequence[0].ImagePositionPatient for group in groups if "PlanePositionSequence" in group]


def coded_pairs(real: Path) -> dict[str, Pair]:
    """Each compressed syntax and kind of multi-frame file, against pydicom with the same plugin."""
    files = {
        "RLE": (real / "compressed/emri_small_RLE.dcm", "pylibjpeg"),
        "JPEG-LS": (real / "compressed/emri_small_jpeg_ls_lossless.dcm", "pyjpegls"),
        "JPEG 2000": (real / "compressed/MR2_J2KI.dcm", "pylibjpeg"),
        "HTJ2K": (real / "compressed/HTJ2KLossless_08_RGB.dcm", "pylibjpeg"),
        "JPEG lossless": (real / "compressed/JPGLosslessP14SV1_1s_1f_8b.dcm", "gdcm"),
        "JPEG baseline, colour clip": (IMAGES / "ultrasound/examples_ybr_color.dcm", "gdcm"),
        "enhanced, 32 frames": (real / "mr_enhanced/philips_fmri_4d/IM-0001-9600-0001.dcm", ""),
        "palette, RLE": (real / "ultrasound/OBXXXX1A_rle_2frame.dcm", "pylibjpeg"),
    }
    pairs: dict[str, Pair] = {}
    for name, (path, plugin) in files.items():
        if not path.is_file():
            continue
        pairs[f"decode dicom, {name}"] = (ours([path]), lambda path=path, plugin=plugin: pydicom_pixels(path, plugin))  # type: ignore[misc]
        pairs[f"probe dicom, {name}"] = (
            lambda path=path: probe([path]),  # type: ignore[misc]
            lambda path=path: header_and_places(path),  # type: ignore[misc]
        )
    return pairs


def intensity_pairs(paths: list[Path]) -> dict[str, Pair]:
    """What windows and conversions cost beside decoding."""
    facts = probe(paths)
    options = {
        "window": ReadOptions(intensity=("window", 40, 400)),
        "clip": ReadOptions(intensity=("clip", -200, 200)),
        "float32": ReadOptions(dtype="float32"),
    }
    return {
        f"read as {name} against native": (
            lambda each=each: read(paths, facts, each),  # type: ignore[misc]
            lambda: read(paths, facts),
        )
        for name, each in options.items()
    }


def nifti_pairs(folder: Path) -> dict[str, Pair]:
    """A volume of real size: 512 x 512 x 48, int16, smooth with noise."""
    generator = np.random.default_rng(0)
    ramp = np.add.outer(np.arange(512), np.arange(512))[..., None]
    values = (ramp + generator.integers(0, 60, (512, 512, 48))).astype(np.int16)
    pairs: dict[str, Pair] = {}
    for name in ("volume.nii", "volume.nii.gz"):
        path = folder / name
        nib.save(nib.Nifti1Image(values, np.diag([0.7, 0.7, 2.5, 1.0])), path)
        pairs[f"decode {name}"] = (ours([path]), lambda path=path: np.asanyarray(nib.load(path).dataobj).copy())  # type: ignore[misc]
        pairs[f"probe against decode {name}"] = (lambda path=path: probe([path]), ours([path]))  # type: ignore[misc]
    return pairs


def raster_pairs() -> dict[str, Pair]:
    pairs: dict[str, Pair] = {}
    for path in (IMAGES / "xray" / "cr_16bit.png", *sorted((IMAGES / "xray").glob("*000.*"))[:2]):
        data = (ours([path]), lambda path=path: cv2.imread(str(path), cv2.IMREAD_UNCHANGED))  # type: ignore[misc]
        pairs[f"decode {path.name}"] = data
    return pairs


def main() -> int:
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--data", type=Path, default=HERE.parent / "shared" / "data", help="folder of larger real data")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        ct = sorted((IMAGES / "ct_philips").iterdir())
        pairs = {
            **dicom_pairs(options.data),
            **coded_pairs(options.data),
            **intensity_pairs(ct),
            **nifti_pairs(Path(folder)),
            **raster_pairs(),
        }
        print(json.dumps({name: ratio(pair, options.runs) for name, pair in pairs.items()}, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
