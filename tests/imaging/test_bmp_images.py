"""BMP images against Pillow and OpenCV, and forms that neither writes by their bytes."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from datamint_like.exceptions import DecodeError
from datamint_like.imaging import decode_stored, probe

RNG = np.random.default_rng(4)
COLOUR = RNG.integers(0, 256, (13, 19, 3), dtype=np.uint8)
PALETTE = RNG.integers(0, 256, (256, 3), dtype=np.uint8)
INDICES = RNG.integers(0, 256, (13, 19), dtype=np.uint8)


def decoded(path: Path) -> np.ndarray:
    facts = probe([path])
    assert (facts.format, facts.kind, facts.mimetype, facts.dtype) == ("raster", "image", "image/bmp", "uint8")
    array = decode_stored([path], facts).array
    assert array.shape == (facts.channels, *facts.shape)
    return array[:, 0]


def by_pillow(path: Path) -> np.ndarray:
    image = Image.open(path)
    array = np.asarray(image.convert("RGB") if image.mode == "P" else image)
    array = array.astype(np.uint8) * 255 if array.dtype == bool else array
    return array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)


def bmp(
    width: int,
    height: int,
    bits: int,
    pixels: bytes,
    *,
    compression: int = 0,
    palette: np.ndarray | None = None,
    core: bool = False,
    masks: tuple[int, ...] = (),
) -> bytes:
    """A BMP by its header fields; colours of the palette are R, G, B."""
    entries = (
        b"" if palette is None else b"".join(bytes([b, g, r]) + b"\0" * (not core) for r, g, b in palette.tolist())
    )
    size = 12 if core else 56 if len(masks) == 4 else 40
    at = 14 + size + (4 * len(masks) if size == 40 else 0) + len(entries)
    head = b"BM" + struct.pack("<IHHI", at + len(pixels), 0, 0, at)
    if core:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        count = 0 if palette is None else len(palette)
        info = struct.pack("<IiiHHIIiiII", size, width, height, 1, bits, compression, len(pixels), 0, 0, count, 0)
    return head + info + struct.pack(f"<{len(masks)}I", *masks) + entries + pixels


def rows_of(array: np.ndarray) -> bytes:
    """Rows from the bottom up, each padded to 4 bytes."""
    flat = array.reshape(len(array), -1)[::-1]
    return np.pad(flat, ((0, 0), (0, -flat.shape[1] % 4))).tobytes()


def packed(indices: np.ndarray, bits: int) -> np.ndarray:
    digits = np.unpackbits(indices[..., None], axis=-1)[..., -bits:]
    return np.packbits(digits.reshape(len(indices), -1), axis=1)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_what_pillow_writes_has_the_values_that_it_reads(mode: str, tmp_path: Path):
    image = Image.fromarray(COLOUR)
    (image.quantize(20) if mode == "P" else image.convert(mode)).save(tmp_path / "a.bmp")
    array = decoded(tmp_path / "a.bmp")
    assert len(array) == (3 if mode in ("P", "RGB") else 1)
    assert np.array_equal(array, by_pillow(tmp_path / "a.bmp"))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_what_opencv_writes_has_the_values_that_it_reads(channels: int, tmp_path: Path):
    image = RNG.integers(0, 256, (13, 19, channels), dtype=np.uint8)
    assert cv2.imwrite(str(tmp_path / "a.bmp"), image)
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
    assert np.array_equal(decoded(tmp_path / "a.bmp"), np.moveaxis(image[..., order], -1, 0))


@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize("core", [False, True], ids=["Windows", "OS/2"])
def test_palettes_of_every_width_become_rgb(bits: int, core: bool, tmp_path: Path):
    indices, palette = INDICES >> (8 - bits), PALETTE[: 1 << bits]
    path = tmp_path / "a.bmp"
    path.write_bytes(bmp(19, 13, bits, rows_of(packed(indices, bits)), palette=palette, core=core))
    assert np.array_equal(decoded(path), np.moveaxis(palette[indices], -1, 0))
    assert np.array_equal(decoded(path), by_pillow(path))


def test_a_gray_palette_gives_one_channel_of_its_grays(tmp_path: Path):
    grays = np.repeat(np.arange(255, -1, -1, dtype=np.uint8)[:, None], 3, axis=1)  # not in the usual order
    (tmp_path / "a.bmp").write_bytes(bmp(19, 13, 8, rows_of(INDICES), palette=grays))
    assert np.array_equal(decoded(tmp_path / "a.bmp"), 255 - INDICES[None])


@pytest.mark.parametrize("bits", [24, 32])
def test_rows_from_the_top_down_are_not_upside_down(bits: int, tmp_path: Path):
    stored = np.dstack([COLOUR[..., ::-1], np.full((13, 19), 77, np.uint8)])[..., : bits // 8]
    for height, pixels in ((13, rows_of(stored)), (-13, rows_of(stored[::-1]))):
        (tmp_path / "a.bmp").write_bytes(bmp(19, height, bits, pixels))
        array = decoded(tmp_path / "a.bmp")
        assert np.array_equal(array, np.moveaxis(COLOUR, -1, 0))  # the fourth byte is unused without a mask
        assert np.array_equal(array, by_pillow(tmp_path / "a.bmp"))


@pytest.mark.parametrize(
    ("masks", "places"),
    [
        ((0xFF0000, 0xFF00, 0xFF), (2, 1, 0)),
        ((0xFF000000, 0xFF0000, 0xFF00), (3, 2, 1)),
        ((0xFF, 0xFF00, 0xFF0000, 0xFF000000), (0, 1, 2, 3)),
        ((0xFF0000, 0xFF00, 0xFF, 0), (2, 1, 0)),
    ],
)
def test_colour_masks_say_which_byte_is_which(masks, places, tmp_path: Path):
    stored = RNG.integers(0, 256, (13, 19, 4), dtype=np.uint8)
    (tmp_path / "a.bmp").write_bytes(bmp(19, 13, 32, rows_of(stored), compression=3, masks=masks))
    assert np.array_equal(decoded(tmp_path / "a.bmp"), np.moveaxis(stored[..., list(places)], -1, 0))


def run_length(indices: np.ndarray, bits: int) -> bytes:
    """Rows of one absolute run, one encoded run, and a jump."""
    out = b""
    for row in indices[::-1]:
        absolute = packed(row[None, :10], bits).tobytes()
        out += b"\0\x0a" + absolute + b"\0" * (len(absolute) % 2)
        for start in range(10, len(row), 2):
            pair = row[start : start + 2]
            if bits == 4:
                out += bytes([len(pair), pair[0] << 4 | pair[-1]])
            else:
                out += b"".join(bytes([1, value]) for value in pair)
        out += b"\0\0"
    return out + b"\0\1"


@pytest.mark.parametrize("bits", [4, 8])
def test_run_length_encoded_pixels_have_the_values_that_pillow_reads(bits: int, tmp_path: Path):
    indices, palette = INDICES >> (8 - bits), PALETTE[: 1 << bits]
    compression = {8: 1, 4: 2}[bits]
    data = bmp(19, 13, bits, run_length(indices, bits), compression=compression, palette=palette)
    (tmp_path / "a.bmp").write_bytes(data)
    assert np.array_equal(decoded(tmp_path / "a.bmp"), np.moveaxis(palette[indices], -1, 0))
    assert np.array_equal(decoded(tmp_path / "a.bmp"), by_pillow(tmp_path / "a.bmp"))


def test_run_length_codes_may_skip_pixels_and_end_early(tmp_path: Path):
    codes = b"\x02\x07" + b"\0\2\x01\x01" + b"\x01\x09" + b"\0\1"  # two of 7, one right and up, one of 9, the end
    (tmp_path / "a.bmp").write_bytes(bmp(5, 3, 8, codes, compression=1, palette=PALETTE))
    indices = np.zeros((3, 5), np.uint8)
    indices[2, :2], indices[1, 3] = 7, 9
    assert np.array_equal(decoded(tmp_path / "a.bmp"), np.moveaxis(PALETTE[indices], -1, 0))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (bmp(4, 4, 16, bytes(32)), "a BMP of 16 bits with the compression number 0"),
        (bmp(4, 4, 24, bytes(48), compression=4), "a BMP with the compression JPEG"),
        (bmp(4, 4, 32, bytes(64), compression=3, masks=(0x3FF00000, 0xFFC00, 0x3FF)), "colours do not fill bytes"),
        (bmp(0, 4, 24, b""), "it claims 4 x 0 pixels"),
        (bmp(4, 3, 8, b"\x05\1\0\1", compression=1, palette=PALETTE), "a run of its pixels is longer than a row"),
        (bmp(40_000, 40_000, 24, bytes(12)), "cut short: expected 4,800,000,054 bytes"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_says_why(data: bytes, says: str, tmp_path: Path):
    (tmp_path / "a.bmp").write_bytes(data)
    with pytest.raises(DecodeError, match=rf"^a\.bmp: .*{says}"):
        decode_stored([tmp_path / "a.bmp"], probe([tmp_path / "a.bmp"]))


def test_two_letters_make_no_bmp(tmp_path: Path):
    (tmp_path / "a.bmp").write_bytes(b"BM is how this text starts, and it goes on for a while.")
    with pytest.raises(DecodeError, match=r"^a\.bmp: it is no image format that is known"):
        probe([tmp_path / "a.bmp"])


@pytest.mark.parametrize("kind", ["palette", "run length", "colour"])
def test_cut_and_flipped_files_are_refused_or_give_an_array_of_the_header(kind: str, tmp_path: Path):
    whole = {
        "palette": bmp(19, 13, 8, rows_of(INDICES), palette=PALETTE),
        "run length": bmp(19, 13, 8, run_length(INDICES, 8), compression=1, palette=PALETTE),
        "colour": bmp(19, 13, 24, rows_of(COLOUR)),
    }[kind]
    path = tmp_path / "a.bmp"
    for length in range(0, len(whole), 50):
        path.write_bytes(whole[:length])
        with pytest.raises(DecodeError, match=r"^a\.bmp: "):
            probe([path])
    reasons: list[str] = []
    for _ in range(300):
        data = bytearray(whole)
        data[int(RNG.integers(0, len(data)))] ^= 1 << int(RNG.integers(0, 8))
        path.write_bytes(data)
        try:
            facts = probe([path])
            array = decode_stored([path], facts, max_voxels=1_000_000).array
        except DecodeError as error:
            reasons.append(str(error))
        else:
            assert array.shape == (facts.channels, *facts.shape)
    assert all(reason.startswith("a.bmp: ") for reason in reasons)


def test_a_short_run_length_file_is_refused(tmp_path: Path):
    codes = run_length(INDICES, 8)[:60]
    (tmp_path / "a.bmp").write_bytes(bmp(19, 13, 8, codes, compression=1, palette=PALETTE))
    with pytest.raises(DecodeError, match=r"^a\.bmp: it is cut short"):
        decode_stored([tmp_path / "a.bmp"], probe([tmp_path / "a.bmp"]))
