"""One file holds all slices of a volume: gzip and numpy alone read it, and damage never gives other pixels."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamint_like.exceptions import CacheError
from datamint_like.slices.pack import Pack, write_pack
from datamint_like.slices.raw_pack import RawPack, write_raw_pack

FACTS = {"authors": [["ana@lab.example", ["bone"]]], "n": 3}


def volume(count: int = 5, shape: tuple[int, ...] = (2, 7, 9), dtype: str = "int16") -> np.ndarray:
    values = np.random.default_rng(1).integers(0, 200, (count, *shape))
    return values.astype(dtype)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_pack(tmp_path / "axial.npy.gz", list(volume()), FACTS)
    return tmp_path / "axial.npy.gz"


def test_gzip_and_numpy_alone_read_every_slice_in_order(path: Path):
    with gzip.open(path) as file:
        content = io.BytesIO(file.read())
    found = []
    while content.tell() < len(content.getbuffer()):
        found.append(np.load(content, allow_pickle=False))
    np.testing.assert_array_equal(np.stack(found), volume())


def test_any_slice_comes_out_alone_in_any_order(path: Path):
    pack = Pack(path)
    assert len(pack) == 5
    assert pack.facts == FACTS
    for index in (4, 0, 3, 3, 1, 2):
        found = pack.read(index)
        assert found.dtype == np.int16
        np.testing.assert_array_equal(found, volume()[index])
        assert not found.flags.writeable


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 6),
    shape=st.lists(st.integers(1, 9), min_size=2, max_size=3).map(tuple),
    dtype=st.sampled_from(["uint8", "int16", "int32", "float32", "float64"]),
)
def test_every_shape_and_type_comes_back_as_it_went_in(
    count: int, shape: tuple[int, ...], dtype: str, tmp_path_factory: Any
):
    folder = tmp_path_factory.mktemp("packs")
    array = volume(count, shape, dtype)
    write_pack(folder / "a.npy.gz", list(array), {})
    write_raw_pack(folder / "a.npy", list(array), count, {})
    for pack in (Pack(folder / "a.npy.gz"), RawPack(folder / "a.npy")):
        assert len(pack) == count
        for index in range(count):
            found = pack.read(index)
            assert found.dtype == array.dtype
            np.testing.assert_array_equal(found, array[index])


@pytest.mark.parametrize("width", [1, 1000, 2 * 65_535 - 128, 2 * 65_535 - 127, 200_000])
def test_noise_is_packed_as_it_is_and_read_by_gzip_and_numpy_alone(tmp_path: Path, width: int):
    noise = np.random.default_rng(2).integers(0, 256, (2, 1, 1, width), dtype=np.uint8)
    write_pack(tmp_path / "noise.npy.gz", list(noise), {})
    content = io.BytesIO(gzip.decompress((tmp_path / "noise.npy.gz").read_bytes()))
    pack = Pack(tmp_path / "noise.npy.gz")
    for index in range(2):
        np.testing.assert_array_equal(np.load(content, allow_pickle=False), noise[index])
        np.testing.assert_array_equal(pack.read(index), noise[index])
    assert (noise[1].tobytes() in (tmp_path / "noise.npy.gz").read_bytes()) == (1 < width < 65_000)


def test_a_changed_bit_of_noise_is_an_error(tmp_path: Path):
    noise = np.random.default_rng(2).integers(0, 256, (1, 1, 60, 60), dtype=np.uint8)
    write_pack(tmp_path / "noise.npy.gz", list(noise), {})
    data = bytearray((tmp_path / "noise.npy.gz").read_bytes())
    data[len(data) // 2] ^= 4
    (tmp_path / "noise.npy.gz").write_bytes(data)
    with pytest.raises(CacheError, match="damaged"):
        Pack(tmp_path / "noise.npy.gz").read(0)


def test_equal_slices_give_equal_bytes(path: Path, tmp_path: Path):
    write_pack(tmp_path / "again.npy.gz", list(volume()), FACTS)
    assert (tmp_path / "again.npy.gz").read_bytes() == path.read_bytes()


def test_more_slices_than_one_extra_field_indexes_are_all_found(tmp_path: Path):
    array = np.arange(40_000, dtype=np.int32).reshape(-1, 1, 1)
    write_pack(tmp_path / "many.npy.gz", list(array), {"text": "x" * 100_000})
    pack = Pack(tmp_path / "many.npy.gz")
    assert len(pack) == 40_000
    assert [int(pack.read(n)[0, 0]) for n in (0, 16_249, 16_250, 39_999)] == [0, 16_249, 16_250, 39_999]
    assert len(pack.facts["text"]) == 100_000


def test_views_and_other_byte_orders_are_packed_as_what_they_show(tmp_path: Path):
    array = volume()[..., ::-1].astype(">i2").swapaxes(2, 3)
    write_pack(tmp_path / "a.npy.gz", list(array), {})
    np.testing.assert_array_equal(Pack(tmp_path / "a.npy.gz").read(2), array[2])


def test_a_pack_cut_anywhere_is_an_error(path: Path, tmp_path: Path):
    data = path.read_bytes()
    for size in range(0, len(data), 7):
        (tmp_path / "cut.npy.gz").write_bytes(data[:size])
        with pytest.raises(CacheError, match=r"cut\.npy\.gz is damaged"):
            Pack(tmp_path / "cut.npy.gz")


def test_a_changed_bit_is_an_error_or_changes_nothing(path: Path, tmp_path: Path):
    data, rng, refused = path.read_bytes(), random.Random(5), 0
    for _ in range(400):
        damaged = bytearray(data)
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        (tmp_path / "bit.npy.gz").write_bytes(damaged)
        try:
            pack = Pack(tmp_path / "bit.npy.gz")
            found = np.stack([pack.read(n) for n in range(5)])
        except CacheError:
            refused += 1
        else:
            np.testing.assert_array_equal(found, volume())
            assert pack.facts == FACTS
    assert refused > 300


def test_an_open_pack_serves_although_its_file_is_removed_or_replaced(path: Path):
    pack = Pack(path)
    write_pack(path, list(volume() + 1), FACTS)
    path.unlink()
    np.testing.assert_array_equal(pack.read(3), volume()[3])


def test_a_pack_pickles_as_its_path_and_closes_with_its_last_name(path: Path):
    pack = Pack(path)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(pack)).read(1), volume()[1])
    handle = pack._handle
    os.fstat(handle)
    del pack
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(handle)


def test_a_failed_write_leaves_nothing(tmp_path: Path):
    def slices() -> Any:
        yield volume()[0]
        raise RuntimeError("no more")

    for write in (
        lambda: write_pack(tmp_path / "a.npy.gz", slices(), {}),
        lambda: write_raw_pack(tmp_path / "a.npy", slices(), 2, {}),
    ):
        with pytest.raises(RuntimeError):
            write()
    assert list(tmp_path.iterdir()) == []


def test_a_raw_pack_is_an_npy_that_numpy_maps(tmp_path: Path):
    write_raw_pack(tmp_path / "axial.npy", list(volume()), 5, FACTS)
    np.testing.assert_array_equal(np.load(tmp_path / "axial.npy", mmap_mode="r"), volume())
    pack = pickle.loads(pickle.dumps(RawPack(tmp_path / "axial.npy")))
    assert pack.facts == FACTS
    assert not pack.read(2).flags.writeable
    data = (tmp_path / "axial.npy").read_bytes()
    for size in (0, 40, 700, len(data) - 1):
        (tmp_path / "cut.npy").write_bytes(data[:size])
        with pytest.raises(CacheError, match=r"cut\.npy is damaged"):
            RawPack(tmp_path / "cut.npy")
