"""WebP images against Pillow."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from datamint_like.exceptions import DecodeError
from datamint_like.imaging import decode_stored, probe
from datamint_like.imaging.sniff import describe

RNG = np.random.default_rng(2)
RGBA = np.asarray(Image.fromarray(RNG.integers(0, 256, (8, 9, 4), dtype=np.uint8)).resize((71, 53)))
FORMS = {"lossy": {"quality": 70}, "lossless": {"lossless": True}, "exact": {"lossless": True, "exact": True}}


def saved(path: Path, mode: str = "RGB", **options) -> Path:
    Image.fromarray(RGBA).convert(mode).save(path, "WEBP", **options)
    return path


def channels_first(image: Image.Image) -> np.ndarray:
    return np.moveaxis(np.asarray(image), -1, 0)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("form", FORMS)
def test_values_are_those_that_pillow_reads(form: str, mode: str, tmp_path: Path):
    path = saved(tmp_path / "a.webp", mode, **FORMS[form])
    facts = probe([path])
    assert (facts.format, facts.kind, facts.mimetype, facts.dtype) == ("raster", "image", "image/webp", "uint8")
    assert facts.channels == len(mode) if mode != "L" else facts.channels == 3
    array = decode_stored([path], facts).array
    assert np.array_equal(array[:, 0], channels_first(Image.open(path)))


def test_a_lossless_colour_image_comes_back_as_it_was(tmp_path: Path):
    path = saved(tmp_path / "a.webp", "RGBA", **FORMS["exact"])
    assert np.array_equal(decode_stored([path], probe([path])).array[:, 0], np.moveaxis(RGBA, -1, 0))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(orientation: int, tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "a.webp", lossless=True, exif=exif)
    facts = probe([path])
    upright = channels_first(ImageOps.exif_transpose(Image.open(path)))
    assert facts.shape[1:] == upright.shape[1:]
    assert np.array_equal(decode_stored([path], facts).array[:, 0], upright)


def test_an_animation_is_refused_and_never_its_first_frame(tmp_path: Path):
    frames = [Image.fromarray(RGBA).convert("RGB"), Image.fromarray(255 - RGBA).convert("RGB")]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:])
    with pytest.raises(DecodeError, match=r"^a\.webp: it is an animated WebP.*multi-page TIFF"):
        probe([tmp_path / "a.webp"])


@pytest.mark.parametrize("form", FORMS)
def test_a_cut_file_is_refused_when_it_is_looked_at(form: str, tmp_path: Path):
    whole = saved(tmp_path / "a.webp", "RGBA", **FORMS[form]).read_bytes()
    for length in [*range(12, len(whole), 50), len(whole) - 1]:
        (tmp_path / "cut.webp").write_bytes(whole[:length])
        with pytest.raises(DecodeError, match=r"^cut\.webp: .*cut short"):
            probe([tmp_path / "cut.webp"])


@pytest.mark.parametrize("form", FORMS)
def test_flipped_bits_are_refused_or_give_an_array_of_the_header(form: str, tmp_path: Path, capfd):
    whole = saved(tmp_path / "a.webp", "RGBA", **FORMS[form]).read_bytes()
    reasons: list[str] = []
    for _ in range(300):
        data = bytearray(whole)
        data[int(RNG.integers(0, len(data)))] ^= 1 << int(RNG.integers(0, 8))
        (tmp_path / "a.webp").write_bytes(data)
        try:
            facts = probe([tmp_path / "a.webp"])
            array = decode_stored([tmp_path / "a.webp"], facts, max_voxels=1_000_000).array
        except DecodeError as error:
            reasons.append(str(error))
        else:
            assert array.shape == (facts.channels, *facts.shape)
    assert all(reason.startswith("a.webp: ") for reason in reasons)
    assert capfd.readouterr() == ("", "")


def test_other_riff_files_are_no_webp():
    assert describe(b"RIFF\x00\x00\x00\x00WAVEfmt ") == "a RIFF file that is neither WebP nor AVI"


def test_an_animated_png_is_refused_and_one_frame_of_it_is_not(tmp_path: Path):
    frames = [Image.fromarray(RGBA), Image.fromarray(255 - RGBA)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    with pytest.raises(DecodeError, match=r"^a\.png: it is an animated PNG of 2 frames"):
        probe([tmp_path / "a.png"])
    buffer = io.BytesIO()
    frames[0].save(buffer, "PNG", save_all=True)
    (tmp_path / "b.png").write_bytes(buffer.getvalue())
    assert probe([tmp_path / "b.png"]).channels == 4
