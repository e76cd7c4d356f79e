"""Sizes as people write them."""

from __future__ import annotations

import pytest

from datamint_like._sizes import parse_size, size_text
from datamint_like.exceptions import ValidationError


@pytest.mark.parametrize(
    ("size", "count"),
    [(0, 0), (12, 12), ("12", 12), ("256MB", 256_000_000), ("1.5 GiB", 3 * 2**29), ("2kb", 2000), ("1TB", 10**12)],
)
def test_sizes_are_read_as_people_write_them(size: int | str, count: int) -> None:
    assert parse_size(size) == count


@pytest.mark.parametrize("size", ["", "much", "-1MB", -1, "3 QB", "MB", "1e400", "nan", True, None])
def test_what_is_no_size_is_refused(size: object) -> None:
    with pytest.raises(ValidationError, match="256MB"):
        parse_size(size)  # type: ignore[arg-type]


def test_sizes_are_told_with_the_unit_that_keeps_them_short() -> None:
    told = [size_text(size) for size in (0, 999, 1000, 1_234_567, 200 * 10**9, 5 * 10**15)]
    assert told == ["0 B", "999 B", "1.0 KB", "1.2 MB", "200.0 GB", "5000.0 TB"]
