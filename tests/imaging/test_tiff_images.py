"""TIFF images against Pillow and tifffile, which share no code with our reader."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from datamint_like.exceptions import DecodeError
from datamint_like.imaging import HeaderFacts, ReadOptions, decode_stored, probe, read

from .tiff_files import gray, tiff_bytes, write_tiff

RNG = np.random.default_rng(11)
SMOOTH = np.add.outer(np.arange(53), np.arange(71))
NOISY = SMOOTH + RNG.integers(0, 40, SMOOTH.shape)
COLOUR = np.stack([NOISY, NOISY[::-1], NOISY[:, ::-1]], -1).astype(np.uint8)
DECIDED = {
    "u1": "uint8",
    "i1": "int16",
    "u2": "int32",
    "i2": "int16",
    "u4": "int32",
    "i4": "int32",
    "u8": "int32",
    "i8": "int32",
    "f2": "float32",
    "f4": "float32",
    "f8": "float32",
}


def decoded(path: Path) -> tuple[HeaderFacts, np.ndarray]:
    facts = probe([path])
    array = decode_stored([path], facts).array
    assert array.shape == (facts.channels, *facts.shape)
    assert str(array.dtype) == facts.dtype
    return facts, array


def channels_first(image: Image.Image) -> np.ndarray:
    array = np.asarray(image)
    array = array.astype(np.uint8) * 255 if array.dtype == bool else array
    return array[None, None] if array.ndim == 2 else np.moveaxis(array, -1, 0)[:, None]


@pytest.mark.parametrize("stored", DECIDED)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True], ids=["classic", "big"])
def test_gray_of_every_type_has_the_values_that_tifffile_wrote(stored: str, order: str, bigtiff: bool, tmp_path: Path):
    values = (NOISY - (60 if stored[0] != "u" else 0) + (0.25 if stored[0] == "f" else 0)).astype(stored)
    tifffile.imwrite(tmp_path / "a.tif", values, byteorder=order, bigtiff=bigtiff, photometric="minisblack")
    facts, array = decoded(tmp_path / "a.tif")
    assert (facts.format, facts.kind, facts.mimetype) == ("tiff", "image", "image/tiff")
    assert facts.dtype == DECIDED[stored]
    assert np.array_equal(array[0, 0], values.astype(DECIDED[stored]))


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "packbits", "tiff_adobe_deflate", "tiff_deflate"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I", "F", "I;16"])
def test_every_kind_and_compression_has_the_values_that_pillow_reads(mode: str, compression: str, tmp_path: Path):
    image = Image.fromarray(COLOUR)
    image = Image.fromarray(NOISY.astype(np.uint16)) if mode == "I;16" else image
    image = image.quantize(30) if mode == "P" else image if mode == "I;16" else image.convert(mode)
    image.save(tmp_path / "a.tif", compression=compression)
    found = Image.open(tmp_path / "a.tif")
    _, array = decoded(tmp_path / "a.tif")
    assert np.array_equal(array, channels_first(found.convert("RGB") if mode == "P" else found))


@pytest.mark.parametrize("compression", ["tiff_ccitt", "group3", "group4", "raw", "tiff_lzw", "packbits"])
@pytest.mark.parametrize("photometric", [0, 1], ids=["white is zero", "black is zero"])
def test_bilevel_is_0_and_255_whatever_its_code_and_polarity(photometric: int, compression: str, tmp_path: Path):
    shape = np.asarray(Image.fromarray(NOISY.astype(np.uint8)).resize((77, 61))) > 70
    Image.fromarray(shape).save(tmp_path / "a.tif", compression=compression, tiffinfo={262: photometric})
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages[0].photometric == photometric
    _, array = decoded(tmp_path / "a.tif")
    assert np.array_equal(array[0, 0], shape.astype(np.uint8) * 255)


@pytest.mark.parametrize("stored", ["u1", "u2", "u4", "i1", "i2", "i4"])
def test_white_is_zero_is_turned_so_that_larger_is_brighter(stored: str, tmp_path: Path):
    limits = np.iinfo(stored)
    values = np.array([[limits.min, limits.max, 5]], stored)
    if stored == "u4":
        values[0, 0] = limits.max - 9  # what it becomes fits int32
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="miniswhite")
    _, array = decoded(tmp_path / "a.tif") if stored != "u4" else (None, None)
    if stored == "u4":
        with pytest.raises(DecodeError, match=r'^a\.tif: values from 0 to 4294967290 do not fit int32.*dtype="int64"'):
            decoded(tmp_path / "a.tif")
        facts = probe([tmp_path / "a.tif"])
        array = read([tmp_path / "a.tif"], facts, ReadOptions(dtype="int64")).array
    assert array.ravel().tolist() == [limits.min + limits.max - int(value) for value in values.ravel()]


def test_white_is_zero_keeps_floating_point_values(tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", NOISY.astype(np.float32), photometric="miniswhite")
    assert np.array_equal(decoded(tmp_path / "a.tif")[1][0, 0], NOISY.astype(np.float32))


def test_unsigned_values_above_int32_are_an_error_that_names_the_type_which_reads_them(tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", np.array([[1, 3_000_000_000]], np.uint32))
    facts = probe([tmp_path / "a.tif"])
    with pytest.raises(DecodeError, match=r'^a\.tif: values from 1 to 3000000000 do not fit int32.*dtype="int64"'):
        decode_stored([tmp_path / "a.tif"], facts)
    array = read([tmp_path / "a.tif"], facts, ReadOptions(dtype="int64")).array
    assert array.ravel().tolist() == [1, 3_000_000_000]


def test_double_precision_is_kept_where_it_is_asked_for(tmp_path: Path):
    values = NOISY / 3.0
    tifffile.imwrite(tmp_path / "a.tif", values)
    facts = probe([tmp_path / "a.tif"])
    assert np.array_equal(decode_stored([tmp_path / "a.tif"], facts).array[0, 0], values.astype(np.float32))
    assert np.array_equal(read([tmp_path / "a.tif"], facts, ReadOptions(dtype="float64")).array[0, 0], values)


@pytest.mark.parametrize("bits", [2, 4])
def test_gray_of_few_bits_is_stretched_as_in_png(bits: int, tmp_path: Path):
    values = RNG.integers(0, 1 << bits, (9, 13)).astype(np.uint8)
    digits = np.unpackbits(values[..., None], axis=-1)[..., -bits:].reshape(9, -1)
    path = write_tiff(tmp_path / "a.tif", gray(9, 13, bits), [np.packbits(digits, axis=1).tobytes()])
    _, array = decoded(path)
    assert np.array_equal(array, channels_first(Image.open(path).convert("L")))
    assert np.array_equal(array[0, 0], values * np.uint8(255 // ((1 << bits) - 1)))


@pytest.mark.parametrize("bits", [9, 10, 12, 14, 15])
def test_packed_samples_above_8_bits_keep_their_values(bits: int, tmp_path: Path):
    values = RNG.integers(0, 1 << bits, (7, 11)).astype(">u2")
    digits = np.unpackbits(values.view(np.uint8).reshape(7, 11, 2), axis=-1)[..., -bits:].reshape(7, -1)
    for compression, pack in ((1, bytes), (8, zlib.compress)):
        data = pack(np.packbits(digits, axis=1).tobytes())
        path = write_tiff(tmp_path / "a.tif", gray(7, 11, bits, compression=compression), [data])
        facts, array = decoded(path)
        assert facts.dtype == "int16"
        assert np.array_equal(array[0, 0], values)


def test_bits_filled_from_the_low_end_are_read(tmp_path: Path):
    values = RNG.integers(0, 2, (9, 13)).astype(np.uint8)
    data = np.packbits(values, axis=1, bitorder="little").tobytes()
    path = write_tiff(tmp_path / "a.tif", gray(9, 13, 1, fill_order=2), [data])
    assert np.array_equal(decoded(path)[1][0, 0], values * 255)
    assert np.array_equal(np.asarray(Image.open(path)), values != 0)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("tile", [None, (16, 32)], ids=["strips", "tiles"])
@pytest.mark.parametrize(("samples", "extra"), [(3, None), (4, ["unassalpha"]), (4, ["assocalpha"])])
@pytest.mark.parametrize("stored", ["u1", "u2", "f4"])
def test_colours_in_every_planar_configuration(stored, samples, extra, tile, planar, tmp_path: Path):
    values = RNG.integers(0, 250, (53, 71, samples)).astype(stored)
    given = values if planar == "contig" else np.moveaxis(values, -1, 0)
    tifffile.imwrite(
        tmp_path / "a.tif", given, photometric="rgb", planarconfig=planar, tile=tile, extrasamples=extra, rowsperstrip=9
    )
    facts, array = decoded(tmp_path / "a.tif")
    assert facts.channels == samples
    assert np.array_equal(array[:, 0], np.moveaxis(values, -1, 0))


def test_gray_with_further_channels_keeps_them_all(tmp_path: Path):
    values = RNG.integers(0, 4000, (5, 20, 30)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack", planarconfig="separate")
    facts, array = decoded(tmp_path / "a.tif")
    assert (facts.channels, facts.shape) == (5, (1, 20, 30))
    assert np.array_equal(array[:, 0], values)


@pytest.mark.parametrize("scale", [257, 1], ids=["16-bit map", "8-bit map"])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_becomes_rgb(bits: int, scale: int, tmp_path: Path):
    palette = RNG.integers(0, 250, (3, 1 << bits)).astype(np.uint16)
    indices = RNG.integers(0, 1 << bits, (11, 13)).astype(np.uint16 if bits == 16 else np.uint8)
    tags = {**gray(11, 13, bits, photometric=3), 320: (palette * scale).ravel().tolist()}
    path = write_tiff(tmp_path / "a.tif", tags, [indices.tobytes()])
    facts, array = decoded(path)
    assert (facts.channels, facts.dtype) == (3, "uint8")
    assert np.array_equal(array[:, 0], palette[:, indices])


@pytest.mark.parametrize("mode", ["L", "RGB", "YCbCr"])
@pytest.mark.parametrize("quality", [60, 95])
def test_jpeg_strips_have_the_values_that_pillow_reads(mode: str, quality: int, tmp_path: Path):
    image = Image.fromarray(COLOUR).resize((200, 150), Image.Resampling.BICUBIC).convert(mode)
    image.save(tmp_path / "a.tif", compression="jpeg", quality=quality, tiffinfo={278: 16})
    found = Image.open(tmp_path / "a.tif")
    _, array = decoded(tmp_path / "a.tif")
    expected = channels_first(found if mode == "L" else found.convert("RGB"))
    assert np.abs(array.astype(int) - expected.astype(int)).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_tag_orientation_is_honoured(orientation: int, tmp_path: Path):
    Image.fromarray(COLOUR).save(tmp_path / "a.tif", tiffinfo={274: orientation})
    facts, array = decoded(tmp_path / "a.tif")
    upright = channels_first(ImageOps.exif_transpose(Image.open(tmp_path / "a.tif")))
    assert facts.shape[1:] == upright.shape[2:]
    assert np.array_equal(array, upright)


@pytest.mark.parametrize("stored", ["<u1", "<u2", ">u2", "<i2", "<u4"])
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("size", [(40, 2100), (2100, 40)], ids=["wide", "tall"])
def test_differences_of_neighbours_are_summed_modulo_their_bits(size, samples: int, stored: str, tmp_path: Path):
    width, form = int(stored[2]), 2 if stored[1] == "i" else 1
    low, high = (-(1 << 8 * width - 1), 1 << 8 * width - 1) if form == 2 else (0, min(1 << 8 * width, 1 << 31))
    values = RNG.integers(low, high, (*size, samples))
    steps = np.diff(values, axis=1, prepend=0).astype(f"u{width}").astype(f"{stored[0]}u{width}")
    colour = 2 if samples > 1 else 1
    tags = gray(*size, 8 * width, compression=8, predictor=2, form=form, samples=samples, photometric=colour)
    path = write_tiff(tmp_path / "a.tif", tags, [zlib.compress(steps.tobytes())], order=stored[0])
    assert np.array_equal(decoded(path)[1][:, 0], np.moveaxis(values, -1, 0))


@pytest.mark.parametrize("stored", ["f2", "f4", "f8"])
@pytest.mark.parametrize("samples", [1, 3])
def test_the_floating_point_predictor_is_undone(stored: str, samples: int, tmp_path: Path):
    values = (RNG.random((6, 10, samples)) * 100).astype(stored)
    width = values.itemsize
    big = values.astype(f">{stored}").view(np.uint8).reshape(6, 10 * samples, width)
    planes = big.swapaxes(1, 2).reshape(6, -1, samples)  # most significant bytes of a row first
    stepped = np.diff(planes, axis=1, prepend=np.zeros((6, 1, samples), np.uint8))
    tags = gray(
        6, 10, 8 * width, compression=8, predictor=3, form=3, samples=samples, photometric=2 if samples > 1 else 1
    )
    path = write_tiff(tmp_path / "a.tif", tags, [zlib.compress(stepped.astype(np.uint8).tobytes())])
    assert np.array_equal(decoded(path)[1][:, 0], np.moveaxis(values, -1, 0).astype(np.float32))


def test_pillow_agrees_on_the_floating_point_predictor(tmp_path: Path):
    values = (NOISY / 7.0).astype(np.float32)
    Image.fromarray(values).save(tmp_path / "a.tif", compression="tiff_lzw", tiffinfo={317: 3})
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages[0].predictor == 3
    assert np.array_equal(decoded(tmp_path / "a.tif")[1][0, 0], values)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_layout_gives_the_values_that_were_written(data: st.DataObject, tmp_path: Path):
    stored = data.draw(st.sampled_from(sorted(DECIDED)))
    rows, columns = data.draw(st.integers(1, 70)), data.draw(st.integers(1, 70))
    samples = data.draw(st.sampled_from([1, 2, 3, 4]))
    compression = data.draw(st.sampled_from([None, "zlib", "lzma"]))
    values = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 127, (rows, columns, samples))
    values = values.astype(stored)
    tile = data.draw(st.sampled_from([None, (16, 16), (32, 16), (16, 64)]))
    separate = samples > 1 and data.draw(st.booleans())
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.moveaxis(values, -1, 0) if separate else values if samples > 1 else values[..., 0],
        byteorder=data.draw(st.sampled_from("<>")),
        bigtiff=data.draw(st.booleans()),
        photometric="rgb" if samples >= 3 else "minisblack",
        planarconfig=("separate" if separate else "contig") if samples > 1 else None,
        compression=compression,
        predictor=compression is not None and stored[0] != "f" and stored[1] != "8" and data.draw(st.booleans()),
        tile=tile,
        rowsperstrip=None if tile else data.draw(st.integers(1, 80)),
    )
    _, array = decoded(tmp_path / "a.tif")
    assert np.array_equal(array[:, 0], np.moveaxis(values, -1, 0).astype(DECIDED[stored]))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_strips_of_libtiff_give_the_values_that_were_written(data: st.DataObject, tmp_path: Path):
    rows, columns = data.draw(st.integers(1, 70)), data.draw(st.integers(1, 70))
    generator = np.random.default_rng(data.draw(st.integers(0, 99)))
    depth = data.draw(st.sampled_from([(), (2,), (3,), (4,)]))
    values = generator.integers(0, data.draw(st.sampled_from([2, 256])), (rows, columns, *depth)).astype(np.uint8)
    if not depth and data.draw(st.booleans()):
        values = values.astype(np.uint16) * 200
    info = {278: data.draw(st.integers(1, 80)), 317: data.draw(st.sampled_from([1, 2]))}
    compression = data.draw(st.sampled_from(["tiff_lzw", "packbits", "tiff_adobe_deflate"]))
    Image.fromarray(values).save(tmp_path / "a.tif", compression=compression, tiffinfo=info)
    _, array = decoded(tmp_path / "a.tif")
    assert np.array_equal(array[:, 0], np.moveaxis(values, -1, 0) if depth else values[None])


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ({259: 50000}, "the compression Zstandard"),
        ({259: 6}, "the compression old-style JPEG"),
        ({259: 34712}, "the compression JPEG 2000"),
        ({259: 4711}, r"the compression 4711 \(number 4711\)"),
        ({262: 5, 277: 4}, "in CMYK colours"),
        ({262: 8, 277: 3}, "in CIE L"),
        ({262: 6, 277: 3}, "in YCbCr colours"),
        ({262: 32803}, "colour filter array"),
        ({339: 6}, "the format complex"),
        ({258: 24}, "unsigned samples of 24 bits"),
        ({258: 8, 339: 3}, "floating point samples of 8 bits"),
        ({258: (8, 16, 8), 262: 2, 277: 3}, r"differ in bits \[8, 16\]"),
        ({259: 5, 317: 3}, "the predictor 3"),
        ({32997: 4}, "ImageDepth"),
    ],
)
def test_what_cannot_be_read_exactly_is_an_error_that_names_it(tags: dict, says: str, tmp_path: Path):
    path = write_tiff(tmp_path / "a.tif", {**gray(4, 4), **tags}, [bytes(64)])
    with pytest.raises(DecodeError, match=rf"^a\.tif: .*{says}"):
        probe([path])


def test_real_oct_scans_have_the_values_that_pillow_and_tifffile_read(real_data: Path):
    paths = sorted((real_data / "oct" / "eyepy").rglob("*.tif"))
    assert len(paths) >= 12
    for path in paths:
        _, array = decoded(path)
        assert np.array_equal(array, channels_first(Image.open(path))), path.name
        values = tifffile.imread(path)
        assert np.array_equal(np.moveaxis(array[:, 0], 0, -1).reshape(values.shape), values), path.name


def test_a_tiff_in_memory_and_on_disk_are_the_same(tmp_path: Path):
    from datamint_like.imaging.tiff.decoder import decode_bytes

    data = tiff_bytes((gray(3, 4), [bytes(range(12))]), big=True)
    (tmp_path / "a.tif").write_bytes(data)
    assert np.array_equal(decode_bytes(data, max_voxels=12).array, decoded(tmp_path / "a.tif")[1])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), np.arange(12).reshape(3, 4))
