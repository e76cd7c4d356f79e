from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging import HeaderFacts, decode_stored, probe

RNG = np.random.default_rng(7)
RGBA = RNG.integers(0, 256, (11, 17, 4), dtype=np.uint8)
PHOTO = np.asarray(Image.fromarray(RGBA[:4, :4, :3].copy()).resize((64, 48), Image.Resampling.BICUBIC))


def decoded(image: Image.Image, path: Path, **options) -> tuple[HeaderFacts, np.ndarray]:
    image.save(path, **options)
    facts = probe([path])
    array = decode_stored([path], facts).array
    assert array.shape == (facts.channels, *facts.shape)
    assert str(array.dtype) == facts.dtype
    return facts, array[:, 0]


def channels_first(image: Image.Image) -> np.ndarray:
    array = np.asarray(image)
    return array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)


@pytest.mark.parametrize(
    ("image", "mode"),
    [
        (Image.fromarray(RGBA[..., 0].copy()), "L"),
        (Image.fromarray(RGBA).convert("LA"), "LA"),
        (Image.fromarray(RGBA[..., :3].copy()), "RGB"),
        (Image.fromarray(RGBA), "RGBA"),
        (Image.fromarray(RGBA[..., :3].copy()).quantize(9), "RGB"),
        (Image.fromarray(RGBA[..., 0] > 99), "L"),
    ],
    ids=["gray", "gray with alpha", "rgb", "rgba", "palette", "one bit"],
)
def test_a_png_has_the_values_that_pillow_reads(image: Image.Image, mode: str, tmp_path: Path):
    facts, array = decoded(image, tmp_path / "a.png")
    assert facts.kind == "image"
    assert facts.mimetype == "image/png"
    assert np.array_equal(array, channels_first(image.convert(mode)))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp"])
def test_colours_lie_pixel_by_pixel_as_transforms_take_them(suffix: str, tmp_path: Path):
    _, array = decoded(Image.fromarray(PHOTO), tmp_path / f"a.{suffix}")
    assert np.moveaxis(array, 0, -1).flags.c_contiguous
    assert array.flags.writeable


def test_a_jpeg_of_printing_colours_has_the_values_that_opencv_reads(tmp_path: Path):
    _, array = decoded(Image.fromarray(PHOTO).convert("CMYK"), tmp_path / "a.jpg")
    expected = cv2.imread(str(tmp_path / "a.jpg"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(array, np.moveaxis(expected[..., ::-1], -1, 0))


def test_a_palette_with_transparency_gives_rgba(tmp_path: Path):
    image = Image.fromarray(RGBA[..., :3].copy()).quantize(9)
    _, array = decoded(image, tmp_path / "a.png", transparency=bytes([0, 128]))
    assert np.array_equal(array, channels_first(Image.open(tmp_path / "a.png").convert("RGBA")))


def test_a_16_bit_png_is_int32_with_its_own_values(demo_images: Path):
    path = demo_images / "xray" / "cr_16bit.png"
    facts = probe([path])
    assert facts.dtype == "int32"
    assert np.array_equal(decode_stored([path], facts).array[0, 0], np.asarray(Image.open(path)))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_has_the_values_that_pillow_reads(mode: str, tmp_path: Path):
    image = Image.fromarray(PHOTO).convert(mode)
    facts, array = decoded(image, tmp_path / "a.jpg", quality=95)
    expected = channels_first(Image.open(tmp_path / "a.jpg")).astype(int)
    assert facts.mimetype == "image/jpeg"
    assert np.abs(array.astype(int) - expected).max() <= 2


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(orientation: int, suffix: str, tmp_path: Path):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    _, array = decoded(Image.fromarray(PHOTO), tmp_path / f"a.{suffix}", exif=exif)
    upright = channels_first(ImageOps.exif_transpose(Image.open(tmp_path / f"a.{suffix}")))
    assert array.shape == upright.shape
    assert np.abs(array.astype(int) - upright.astype(int)).max() <= 2


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.7, 0.99])
def test_a_truncated_image_is_a_decode_error_that_names_it(image_format: str, share: float, tmp_path: Path):
    buffer = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (60, 80, 3), dtype=np.uint8)).save(buffer, format=image_format)
    path = tmp_path / "cut.img"
    path.write_bytes(buffer.getvalue()[: int(len(buffer.getvalue()) * share)])
    with pytest.raises(DecodeError, match=r"cut\.img: "):
        decode_stored([path], probe([path]))


def test_a_png_with_a_flipped_byte_is_a_decode_error(tmp_path: Path):
    buffer = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (60, 80), dtype=np.uint8)).save(buffer, format="PNG")
    data = bytearray(buffer.getvalue())
    data[len(data) // 2] ^= 0x10
    (tmp_path / "flip.png").write_bytes(data)
    with pytest.raises(DecodeError, match=r"flip\.png: its chunk"):
        decode_stored([tmp_path / "flip.png"], probe([tmp_path / "flip.png"]))


def test_an_image_above_the_limit_is_refused_before_decoding(tmp_path: Path):
    Image.fromarray(RGBA).save(tmp_path / "a.png")
    facts = probe([tmp_path / "a.png"])
    with pytest.raises(DecodeError, match="claims 748 voxels, more than the limit of 700"):
        decode_stored([tmp_path / "a.png"], facts, max_voxels=700)


def test_two_files_are_no_image(tmp_path: Path):
    Image.fromarray(RGBA).save(tmp_path / "a.png")
    with pytest.raises(GeometryError, match="one file, got 2"):
        probe([tmp_path / "a.png"] * 2)


@pytest.mark.parametrize("kind", [b"IHDR", b"eXIf"])
def test_a_png_chunk_that_claims_gigabytes_takes_none(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "lie.png"
    image = Image.fromarray(RGBA)
    image.getexif()[0x0112] = 6
    image.save(path, exif=image.getexif())
    data = path.read_bytes()
    at = data.index(kind)
    path.write_bytes(data[: at - 4] + (0xF0000000).to_bytes(4, "big") + data[at:])
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match=r"^lie\.png: it is cut short"):
            probe([path])
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
