"""Cut, flipped and hostile TIFF files: an error that names the file, in little time and memory, never other pixels."""

from __future__ import annotations

import io
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging import assemble, decode_stored, probe
from tests.memory import memory_peak

from .tiff_files import gray, tiff_bytes, write_tiff

RNG = np.random.default_rng(5)
VALUES = (np.add.outer(np.arange(24), np.arange(30)) + RNG.integers(0, 9, (24, 30))).astype(np.uint16)
REFUSED = (DecodeError, GeometryError)

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def pillow(compression: str, values: np.ndarray = VALUES) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "TIFF", compression=compression, tiffinfo={278: 8})
    return buffer.getvalue()


def written(**options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.stack([VALUES, VALUES + 1]), photometric="minisblack", **options)
    return buffer.getvalue()


FILES = {
    "lzw": lambda: pillow("tiff_lzw"),
    "packbits": lambda: pillow("packbits"),
    "deflate": lambda: pillow("tiff_adobe_deflate"),
    "lzma": lambda: written(compression="lzma", rowsperstrip=8),
    "jpeg": lambda: pillow("jpeg", VALUES.astype(np.uint8)),
    "group 4": lambda: pillow("group4", VALUES > 30),
    "tiles": lambda: written(tile=(16, 16), compression="zlib"),
    "big": lambda: written(bigtiff=True, byteorder=">", rowsperstrip=5),
    "plain": lambda: written(),
}


def outcome(data: bytes, path: Path) -> np.ndarray | None:
    """The array, or None where the file was refused by name; anything else fails the test."""
    path.write_bytes(data)
    reason = ""
    try:
        facts = probe([path])
        array = decode_stored([path], facts, max_voxels=1_000_000).array
    except REFUSED as error:
        reason = str(error)
    if reason:
        assert reason.startswith(f"{path.name}: ")
        return None
    assert array.shape == (facts.channels, *facts.shape)
    return array


@pytest.mark.parametrize("kind", FILES)
def test_a_cut_file_is_refused_when_it_is_looked_at_or_decodes_the_same(kind: str, tmp_path: Path):
    whole = FILES[kind]()
    expected = outcome(whole, tmp_path / "whole.tif")
    for length in [*range(0, len(whole), 50), len(whole) - 1]:
        path = tmp_path / "cut.tif"
        path.write_bytes(whole[:length])
        (*_, skipped), groups = (assemble([path]).skipped or [None]), assemble([path]).groups
        if skipped is None:
            assert np.array_equal(decode_stored([path], groups[0].facts).array, expected)
        else:
            assert skipped.reason.startswith("cut.tif: ")


@pytest.mark.parametrize("kind", FILES)
def test_flipped_bits_are_refused_or_give_an_array_of_the_header(kind: str, tmp_path: Path):
    whole = FILES[kind]()
    for _ in range(250):
        data = bytearray(whole)
        for at in RNG.integers(0, len(data), RNG.integers(1, 4)):
            data[at] ^= 1 << int(RNG.integers(0, 8))
        outcome(bytes(data), tmp_path / "flip.tif")


@pytest.mark.parametrize("kind", ["lzw", "deflate", "packbits", "lzma"])
def test_segments_that_end_early_are_refused(kind: str, tmp_path: Path):
    """A strip that says less than its rows hold; the file's own length is right."""
    data = bytearray(FILES[kind]())
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tag = file.pages[0].tags[279]
        lengths, at, form = tag.value, tag.valueoffset, {3: "<H", 4: "<I"}[int(tag.dtype)]
    struct.pack_into(form, data, at, lengths[0] // 2)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(DecodeError, match=r"^a\.tif: its \w+ data are damaged"):
        decode_stored([tmp_path / "a.tif"], probe([tmp_path / "a.tif"]))


def test_nothing_is_printed_about_damaged_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    for kind in FILES.keys() - {"jpeg"}:  # libjpeg warns on stderr by itself
        data = bytearray(FILES[kind]())
        data[8:60] = bytes(52)
        outcome(bytes(data), tmp_path / "a.tif")
        data = bytearray(FILES[kind]())
        data[len(data) // 2 :: 3] = bytes(len(data[len(data) // 2 :: 3]))
        outcome(bytes(data), tmp_path / "a.tif")
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_directories_in_a_loop_are_refused(tmp_path: Path):
    data = bytearray(tiff_bytes((gray(3, 4), [bytes(12)])))
    count = struct.unpack_from("<H", data, 8)[0]
    struct.pack_into("<I", data, 10 + 12 * count, 8)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(DecodeError, match=r"^a\.tif: it is damaged: its TIFF directories form a loop"):
        probe([tmp_path / "a.tif"])


def test_a_directory_of_a_billion_tags_is_refused(tmp_path: Path):
    data = bytearray(tiff_bytes((gray(3, 4), [bytes(12)]), big=True))
    struct.pack_into("<Q", data, 16, 10**9)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(DecodeError, match=r"^a\.tif: it is damaged: a TIFF directory claims 1,000,000,000 tags"):
        probe([tmp_path / "a.tif"])


@pytest.mark.parametrize("compression", [1, 5, 8, 34925, 32773, 7])
@pytest.mark.parametrize("tiled", [False, True])
def test_a_trillion_claimed_pixels_are_refused_in_no_memory(compression: int, tiled: bool, tmp_path: Path):
    tags = {**gray(1_000_000, 1_000_000, compression=compression), 278: 1_000_000}
    if tiled:
        del tags[278]
        tags = {**tags, 322: 1_000_000, 323: 1_000_000}
    path = write_tiff(tmp_path / "a.tif", tags, [bytes(100)])

    def work():
        with pytest.raises(DecodeError, match=r"^a\.tif: "):
            decode_stored([path], probe([path]))

    assert memory_peak(work) < 50 << 20


def test_a_small_picture_in_one_huge_tile_is_refused(tmp_path: Path):
    tags = {k: v for k, v in gray(4, 4, compression=8).items() if k != 278}
    path = write_tiff(tmp_path / "a.tif", {**tags, 322: 1 << 20, 323: 1 << 20}, [bytes(100)])
    with pytest.raises(DecodeError, match=r"^a\.tif: its header claims 1,099,511,627,776 voxels"):
        decode_stored([path], probe([path]))


def test_a_billion_claimed_strips_are_refused(tmp_path: Path):
    path = write_tiff(tmp_path / "a.tif", {**gray(1 << 30, 1), 278: 1}, [b"a", b"b"])
    with pytest.raises(DecodeError, match=r"^a\.tif: it is damaged: it claims 1,073,741,824 strips, and says where 2"):
        probe([path])


def test_a_directory_for_every_few_bytes_costs_little_time(tmp_path: Path):
    """A chain of directories that all show the same strip."""
    (tmp_path / "a.tif").write_bytes(tiff_bytes(*[(gray(1, 1), [b"a"])] * 3000))
    start = time.perf_counter()
    assert probe([tmp_path / "a.tif"]).shape == (3000, 1, 1)
    assert time.perf_counter() - start < 5


def test_deflate_that_inflates_to_gigabytes_is_read_no_further_than_the_page(tmp_path: Path):
    packer, piece = zlib.compressobj(9), bytes(1 << 20)
    bomb = packer.compress(bytes(12)) + b"".join(packer.compress(piece) for _ in range(400)) + packer.flush()
    path = write_tiff(tmp_path / "a.tif", gray(3, 4, compression=8), [bomb])

    def work():
        assert not decode_stored([path], probe([path])).array.any()

    assert memory_peak(work) < 50 << 20


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({256: 0}, "it claims 3 x 0 pixels"),
        ({277: 0}, "of 0 samples"),
        ({277: 100_000}, "of 100000 samples"),
        ({262: 2}, "RGB has 3 samples, found 1"),
        ({262: 3}, "a palette of 8 bits has 768 values, found 0"),
        ({278: 0}, "its strips have 0 x 4 pixels"),
        ({322: 16, 323: 0}, "its tiles have 0 x 16 pixels"),
        ({256: 1 << 30, 258: 64, 339: 3}, "cut short: expected 25,769,803,776 bytes"),
        ({257: 4, 278: 4}, "shorter than the pixels they hold"),
    ],
)
def test_headers_that_contradict_themselves_are_refused(change: dict, says: str, tmp_path: Path):
    path = write_tiff(tmp_path / "a.tif", {**gray(3, 4), **change}, [bytes(12)])
    with pytest.raises(DecodeError, match=rf"^a\.tif: .*{says}"):
        probe([path])
