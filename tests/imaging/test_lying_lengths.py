"""A damaged length in a header asks for gigabytes; no more memory is taken than the file has bytes."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from datamint_like.exceptions import DecodeError
from datamint_like.imaging import Group, probe
from datamint_like.imaging._bounded_file import BoundedFile


def test_a_read_beyond_the_end_gives_what_is_left(tmp_path: Path):
    (tmp_path / "a").write_bytes(bytes(3_000_000))
    with BoundedFile(tmp_path / "a") as file:
        file.seek(1_000_000)
        tracemalloc.start()
        assert len(file.read(4_000_000_000)) == 2_000_000
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert file.read(4_000_000_000) == b""
    assert peak < 8_000_000


def test_an_element_that_claims_four_gigabytes_is_a_decode_error_and_takes_no_memory(regular_ct: Group, tmp_path: Path):
    data = bytearray(regular_ct.paths[0].read_bytes())
    at = data.index(b"\x08\x00\x60\x00CS")  # Modality, as an element of a VR whose length has four bytes
    data[at + 4 : at + 12] = b"UN\0\0\xf0\xff\xff\xff"
    (tmp_path / "lies.dcm").write_bytes(data)
    tracemalloc.start()
    with pytest.raises(DecodeError, match=r"^lies\.dcm: "):
        probe([tmp_path / "lies.dcm"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000_000
