"""Decoding and probing against the bare libraries in one process, one thread, printed as JSON ratios.

Each pair does the same work: from files to an array of real values (ours with facts and checks). A ratio
below 1 is faster than the bare library. JPEG frames of DICOM files are decoded by a helper process, whose work is
in the time, as are the two changes of process for each frame: these take longer on a machine that is busy otherwise.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pydicom
import pydicom.pixels
import tifffile
from pydicom.pixels import apply_color_lut, apply_rescale

from datamint_like.imaging import ReadOptions, assemble, decode_stored, probe, read

HERE = Path(__file__).resolve().parent.parent
IMAGES = HERE / "datamint_like" / "demo" / "images"

Pair = tuple[Callable[[], object], Callable[[], object]]


#: Short work is repeated until it has taken this long (s), so that its caches are as warm as in a loop over files.
_BLOCK_S = 0.03


def seconds(work: Callable[[], object]) -> float:
    """The mean time of one call, over a block of calls."""
    start, count = time.perf_counter(), 0
    while True:
        work()
        count += 1
        if (passed := time.perf_counter() - start) >= _BLOCK_S:
            return passed / count


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


def nibabel_values(path: Path) -> object:
    """The array in memory (not mapped, so that its bytes are read)."""
    return np.asanyarray(nib.load(path, mmap=False).dataobj)


def nifti_pairs(folder: Path) -> dict[str, Pair]:
    """A volume of real size: 512 x 512 x 48, int16, smooth with noise; as it is, and scaled to float32."""
    generator = np.random.default_rng(0)
    ramp = np.add.outer(np.arange(512), np.arange(512))[..., None]
    values = (ramp + generator.integers(0, 60, (512, 512, 48))).astype(np.int16)
    image = nib.Nifti1Image(values, np.diag([0.7, 0.7, 2.5, 1.0]))
    pairs: dict[str, Pair] = {}
    for name in ("volume.nii", "volume.nii.gz", "volume.hdr.gz", "scaled.nii"):
        path = folder / name
        nib.save(image, path)
        if name == "scaled.nii":
            with open(path, "r+b") as file:
                file.seek(112)  # scl_slope
                file.write(np.float32(0.5).tobytes())
        parts = [path] if ".nii" in name else [path, folder / "volume.img.gz"]
        pairs[f"decode {name}"] = (ours(parts), lambda path=path: nibabel_values(path))  # type: ignore[misc]
        pairs[f"probe against decode {name}"] = (lambda parts=parts: probe(parts), ours(parts))  # type: ignore[misc]
    return pairs


def raster_pairs() -> dict[str, Pair]:
    """Small real pictures. The bare side gives the array that ours gives: 16 bits as int32, colour as RGB."""
    pairs: dict[str, Pair] = {}
    for path in (IMAGES / "xray" / "cr_16bit.png", *sorted((IMAGES / "xray").glob("*000.*"))[:2]):
        pairs[f"decode {path.name}"] = (ours([path]), lambda path=path: channels_first(path))  # type: ignore[misc]
    return pairs


def cine(path: Path, count: int = 200, size: tuple[int, int] = (480, 640)) -> Path:
    """An ultrasound-like clip: a bright sector with speckle that moves, 25 frames a second."""
    generator = np.random.default_rng(0)
    speckle = cv2.GaussianBlur(generator.random(size).astype(np.float32), (0, 0), 2)
    rows, columns = np.mgrid[: size[0], : size[1]]
    sector = np.abs(columns - size[1] / 2) < rows * 0.6
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (size[1], size[0]))
    for frame in range(count):
        gray = (np.roll(speckle, frame, axis=0) * 400 * sector).clip(0, 255).astype(np.uint8)
        writer.write(cv2.applyColorMap(gray, cv2.COLORMAP_BONE))
    writer.release()
    return path


def opencv_frames(path: Path, count: int) -> object:
    """One bare sequential decode into an array (N, H, W, 3), with as many threads as ours."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    height, width = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)), int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    frames = np.empty((count, height, width, 3), np.uint8)
    for index in range(count):
        cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB, dst=frames[index])
    return frames


def video_pairs(folder: Path) -> dict[str, Pair]:
    """All frames of a clip of 200 frames of 640 x 480, and what counting them at import costs beside that."""
    path = cine(folder / "cine.mp4")
    return {
        "decode video": (ours([path]), lambda: opencv_frames(path, 200)),
        "probe against decode video": (lambda: probe([path]), ours([path])),
    }


def peak_of_video(folder: Path) -> float:
    """Peak memory of one decode in a process of its own, above what it holds before, in sizes of the array (Linux)."""
    script = (
        "import re, sys; from pathlib import Path; from datamint_like.imaging import decode_stored, probe\n"
        "paths = [Path(sys.argv[1])]; facts = probe(paths)\n"
        "peak = lambda: 1024 * int(re.search('VmHWM:\\\\s+(\\\\d+)', Path('/proc/self/status').read_text())[1])\n"
        "before = peak(); size = decode_stored(paths, facts).array.nbytes; print((peak() - before) / size)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder / "cine.mp4")], capture_output=True, text=True, check=True
    )
    return round(float(done.stdout), 3)


def picture_pairs(folder: Path) -> dict[str, Pair]:
    """A picture of real size, 1024 x 1024, smooth with noise, and a stack of 40 planes, in formats of few checks."""
    generator = np.random.default_rng(0)
    gray = (np.add.outer(np.arange(1024), np.arange(1024)) + generator.integers(0, 60, (1024, 1024))).astype(np.uint16)
    colour = np.stack([gray, gray.T, gray[::-1]], -1).astype(np.uint8)
    lzw, deflate, none = 5, 8, 1
    files = {
        "gray16 lzw.tif": (gray, [cv2.IMWRITE_TIFF_COMPRESSION, lzw]),
        "gray16 deflate.tif": (gray, [cv2.IMWRITE_TIFF_COMPRESSION, deflate]),
        "gray16 plain.tif": (gray, [cv2.IMWRITE_TIFF_COMPRESSION, none]),
        "colour lzw.tif": (colour, [cv2.IMWRITE_TIFF_COMPRESSION, lzw]),
        "colour.bmp": (colour, []),
        "colour.webp": (colour, [cv2.IMWRITE_WEBP_QUALITY, 90]),
    }
    pairs: dict[str, Pair] = {}
    for name, (image, options) in files.items():
        path = folder / name
        cv2.imwrite(str(path), image, options)
        pairs[f"decode {name}"] = (ours([path]), lambda path=path: channels_first(path))  # type: ignore[misc]
    stack = folder / "stack.tif"
    tifffile.imwrite(stack, np.stack([gray[:512, :512]] * 40), photometric="minisblack", compression="zlib")
    pairs["decode stack.tif against tifffile"] = (ours([stack]), lambda: tifffile.imread(stack).astype(np.int32))
    pairs["probe stack.tif against tifffile"] = (lambda: probe([stack]), lambda: tifffile_header(stack))
    return pairs


def channels_first(path: Path) -> object:
    """What OpenCV reads, in the order, type and layout of our arrays: colour of a TIFF in planes, else by pixel."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image.ndim == 2:
        return image[None].astype(np.int32) if image.dtype == np.uint16 else image[None]
    pixels = cv2.cvtColor(image, cv2.COLOR_BGR2RGB).transpose(2, 0, 1)
    return np.ascontiguousarray(pixels) if path.suffix == ".tif" else pixels


def tifffile_header(path: Path) -> object:
    with tifffile.TiffFile(path) as file:
        return [(page.shape, page.dtype, page.dataoffsets) for page in file.pages]


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
            **picture_pairs(Path(folder)),
            **video_pairs(Path(folder)),
        }
        results = {name: ratio(pair, options.runs) for name, pair in pairs.items()}
        results["peak memory of decode video"] = peak_of_video(Path(folder))
        print(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
