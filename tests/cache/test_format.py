"""The page on the cache's format and the code say the same; what the page says is enough to read a pack."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamint_like._cache import CacheFolder, Lease, collecting, folder, leases, use
from datamint_like._cache.entries import kind_of
from datamint_like.dataset import VolumeDataset
from datamint_like.slices import pack, raw_pack
from tests.cache.conftest import HOUR_S

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cache_format.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def reader() -> dict[str, Any]:
    """What the Python of the page defines; it imports nothing of ours."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    assert "datamint_like" not in code
    space: dict[str, Any] = {}
    exec(compile(code, "cache_format.md", "exec"), space)
    return space


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 7),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 30), st.integers(1, 30)),
    dtype=st.sampled_from(["uint8", "int16", "int32", "float32", "float64"]),
    spread=st.sampled_from([1, 3, 200]),
)
def test_the_pages_python_reads_every_pack(
    reader: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
    count: int,
    shape: tuple[int, ...],
    dtype: str,
    spread: int,
) -> None:
    array = np.random.default_rng(1).integers(0, spread, (count, *shape)).astype(dtype)
    path = tmp_path_factory.mktemp("packs") / "axial.npy.gz"
    pack.write_pack(path, list(array), {"authors": [["ana", ["bone"]]]})
    for n in range(count):
        found, facts = reader["read_slice"](path, n)
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array[n])
        assert facts == {"authors": [["ana", ["bone"]]]}


def test_the_pages_python_reads_a_pack_with_a_long_index(reader: dict[str, Any], tmp_path: Path) -> None:
    array = np.arange(40_000, dtype=np.int32).reshape(-1, 1, 1, 1)
    pack.write_pack(tmp_path / "a.npy.gz", list(array), {"text": "x" * 100_000})
    found, facts = reader["read_slice"](tmp_path / "a.npy.gz", 39_999)
    assert (int(found[0, 0, 0]), len(facts["text"])) == (39_999, 100_000)


def test_a_raw_pack_ends_as_the_page_says(tmp_path: Path) -> None:
    import json
    import struct
    import zlib

    array = np.arange(60, dtype=np.int16).reshape(5, 1, 3, 4)
    raw_pack.write_raw_pack(tmp_path / "a.npy", list(array), 5, {"n": 3})
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy", mmap_mode="r"), array)
    data = (tmp_path / "a.npy").read_bytes()
    magic, version, text, before, crc = struct.unpack("<4sHIQI", data[-22:])
    assert (magic, version, before + text + 22, zlib.crc32(data[before:-22])) == (b"DLRP", 1, len(data), crc)
    assert json.loads(data[before:-22]) == {"n": 3}


def test_the_versions_and_times_of_the_page_are_those_of_the_code() -> None:
    assert f"Layout 1, slice packs {pack.VERSION}, raw packs {raw_pack.VERSION}, leases 1." in PAGE
    assert f"```text\n{folder._MARK}```" in PAGE
    assert f"The line `{leases._FIRST_LINE.strip()}`" in PAGE
    assert (collecting.GRACE_S, use.EVERY_S, leases.LASTS_S, leases._RENEWED_S) == (86400, 6 * HOUR_S, 3600, 600)
    assert collecting._PART == 32
    for words in ("within 24 hours", "once in six hours", "less than an hour ago", "every ten minutes", "a 32nd of"):
        assert words in PAGE


PATTERNS = [
    re.escape(row)
    .replace(r"<ab>", "[0-9a-f]{2}")
    .replace(r"<sha256>", "[0-9a-f]{64}")
    .replace(r"<56\ hex\ digits>", "[0-9a-f]{56}")
    .replace(r"<40\ hex\ digits>", "[0-9a-f]{40}")
    .replace(r"<32\ hex\ digits>", "[0-9a-f]{32}")
    .replace(r"<16\ hex\ digits>", "[0-9a-f]{16}")
    .replace(r"<project\ id>", "[^/]+")
    .replace(r"<format>", "[0-9]+")
    .replace(r"<axis>", "[a-z0-9]+")
    .replace(r"<process>", r"[0-9a-f]{8}\.[0-9]+-[0-9]*\.[0-9a-f]{16}")
    for row in re.findall(r"^\| `((?:blobs|catalog|packs|leases)/[^`]+[^/`])` \|", PAGE, flags=re.MULTILINE)
]


def test_everything_in_a_used_cache_lies_where_the_page_says(demo_images: Path, tmp_path: Path) -> None:
    from datamint_like import Api

    with Api() as api:
        api.resources.upload_resources([demo_images / "ct_philips"], publish_to=api.projects.create("head"))
    for compression in ("gzip", None):
        volumes = VolumeDataset(project="head", cache_dir=tmp_path, compression=compression)  # type: ignore[arg-type]
        _ = volumes.slice("axial")[0], volumes.slice("coronal")[0]
    holding = Lease(CacheFolder(tmp_path), [tmp_path / "blobs" / "x"])
    names = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    names = [name for name in names if not name.endswith("/CACHEDIR.TAG")]
    assert {kind_of(name) for name in names} >= {"pack", "snapshot", "lease"}
    assert [name for name in names if not any(re.fullmatch(pattern, name) for pattern in PATTERNS)] == []
    holding.end()
