"""Pictures without metadata: texts, EXIF, XMP, thumbnails and what stands behind the picture go, pixels stay."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from datamint_like.imaging import decode_stored, probe
from datamint_like.imaging.deidentify import Deidentified, DeidentifyOptions, deidentify_files

NAME, PLACE = "Quixote Alonso", "Toboso"
RAMP = (np.arange(40 * 60 * 3).reshape(40, 60, 3) % 251).astype(np.uint8)
FORMATS = ("png", "jpg", "webp", "tif")


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[0x0112], block[0x010E], block[0x013B] = orientation, NAME, PLACE
    return block


def written(path: Path, orientation: int = 1) -> Path:
    """A picture whose format's own places for texts hold the name."""
    image = Image.fromarray(RAMP)
    if path.suffix == ".png":
        info = PngInfo()
        info.add_text("Patient", NAME)
        info.add_itxt("Place", PLACE, zip=False)
        image.save(path, pnginfo=info, exif=exif(orientation))
    elif path.suffix == ".jpg":
        image.save(path, exif=exif(orientation), comment=NAME, xmp=f"<x>{PLACE}</x>".encode(), quality=90)
    elif path.suffix == ".webp":
        image.save(path, exif=exif(orientation), xmp=f"<x>{PLACE} {NAME}</x>".encode(), lossless=True)
    else:
        tifffile.imwrite(
            path,
            RAMP,
            description=NAME,
            software=PLACE,
            metadata=None,
            photometric="rgb",
            extratags=[(274, 3, 1, orientation, True), (65000, 2, 0, f"private {NAME}", True)],
        )
    return path


def clean(path: Path) -> Deidentified:
    (path.parent / "made").mkdir()
    return deidentify_files([path], path.parent / "made", DeidentifyOptions(b"a secret for tests only"))


def cleaned(path: Path) -> Path:
    done = clean(path)
    assert not done.skipped
    return done.files[path]


def pixels(path: Path) -> np.ndarray:
    return decode_stored([path], probe([path])).array


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", FORMATS)
def test_no_text_is_left_and_pixels_stay_upright(suffix: str, orientation: int, tmp_path: Path) -> None:
    before = written(tmp_path / f"Quixote.{suffix}", orientation)
    after = cleaned(before)
    data = after.read_bytes()
    assert NAME.encode() in before.read_bytes()
    assert PLACE.encode() in before.read_bytes()
    assert NAME.encode() not in data
    assert PLACE.encode() not in data
    assert after.suffix == before.suffix
    assert np.array_equal(pixels(after), pixels(before))


@pytest.mark.parametrize("suffix", FORMATS)
def test_another_reader_sees_the_same_picture_and_no_text(suffix: str, tmp_path: Path) -> None:
    before = written(tmp_path / f"a.{suffix}")
    with Image.open(before) as old, Image.open(cleaned(before)) as new:
        assert np.array_equal(np.asarray(old), np.asarray(new))
        assert NAME not in repr(new.info) + repr(dict(new.getexif()))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_pngs_of_every_colour_type_keep_their_values(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(RAMP)
    image = Image.fromarray(RAMP[..., 0].astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
    info = PngInfo()
    info.add_text("Patient", NAME)
    image.save(tmp_path / "a.png", pnginfo=info)
    assert np.array_equal(pixels(cleaned(tmp_path / "a.png")), pixels(tmp_path / "a.png"))


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 2}, {"restart_marker_blocks": 3}])
def test_jpegs_keep_their_coded_pixels(options: dict[str, int], tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(RAMP).save(path, comment=NAME, **options)
    made = cleaned(path).read_bytes()
    start = path.read_bytes().index(b"\xff\xda")
    assert made.endswith(path.read_bytes()[start:])


def test_a_cmyk_free_jpeg_with_adobe_marker_keeps_its_colours(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(RAMP).save(path, keep_rgb=True, quality=95)
    assert np.array_equal(pixels(cleaned(path)), pixels(path))


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp"])
def test_what_stands_behind_the_picture_goes(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(RAMP).save(path)
    path.write_bytes(path.read_bytes() + NAME.encode())
    after = cleaned(path)
    assert NAME.encode() not in after.read_bytes()
    assert np.array_equal(pixels(after), pixels(path))


@pytest.mark.parametrize("mode", ["1", "P", "RGB", "RGBA"])
def test_what_stands_between_header_and_pixels_of_a_bmp_goes(mode: str, tmp_path: Path) -> None:
    path, target = tmp_path / "a.bmp", BytesIO()
    Image.fromarray(RAMP).convert(mode).save(target, "BMP")
    data = target.getvalue()
    at = int.from_bytes(data[10:14], "little")
    moved = data[:10] + struct.pack("<I", at + 16) + data[14:at] + NAME.encode().ljust(16) + data[at:]
    path.write_bytes(moved)
    after = cleaned(path)
    assert NAME.encode() not in after.read_bytes()
    assert np.array_equal(pixels(after), pixels(path))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_every_page_of_a_tiff_stays(order: str, big: bool, compression: str | None, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    planes = (np.arange(5 * 20 * 30).reshape(5, 20, 30) % 4099).astype(np.uint16)
    with tifffile.TiffWriter(path, bigtiff=big, byteorder=order) as target:
        for plane in planes:
            target.write(plane, description=NAME, metadata=None, contiguous=False, compression=compression)
    after = cleaned(path)
    assert NAME.encode() not in after.read_bytes()
    assert np.array_equal(tifffile.imread(after), planes)
    assert np.array_equal(pixels(after), pixels(path))


def test_a_thumbnail_in_a_tiff_goes(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as target:
        target.write(np.full((8, 8), 77, np.uint8), subfiletype=1, metadata=None)
        target.write(RAMP, photometric="rgb", metadata=None)
    after = cleaned(path)
    assert bytes([77] * 64) not in after.read_bytes()
    assert np.array_equal(tifffile.imread(after), RAMP)


def test_a_tiff_whose_planes_only_its_description_announces_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    stack = np.arange(3 * 8 * 9, dtype=np.uint16).reshape(3, 8, 9)
    tifffile.imwrite(path, stack, truncate=True, metadata={}, photometric="minisblack")
    assert probe([path]).shape[0] == 3
    assert "its kind, shape would change" in clean(path).skipped[0].reason


def test_the_report_names_what_went(tmp_path: Path) -> None:
    assert clean(written(tmp_path / "a.png")).report.rules["removed"] == {"PNG eXIf": 1, "PNG iTXt": 1, "PNG tEXt": 1}
