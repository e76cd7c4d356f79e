"""The tag Orientation of EXIF and TIFF (TIFF 6.0, tag 274): which way up a stored picture is shown."""

from __future__ import annotations

from datamint_like.imaging.types import Array

#: How an upright array is made from a stored one: transposed, then flipped rows, flipped columns.
_TURNS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def upright_size(orientation: int, rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns of the upright picture."""
    return (columns, rows) if _TURNS[orientation][0] else (rows, columns)


def upright(planes: Array, orientation: int) -> Array:
    """Stored planes (..., rows, columns) the right way up, as a view."""
    transpose, flip_rows, flip_columns = _TURNS[orientation]
    turned = planes.swapaxes(-1, -2) if transpose else planes
    return turned[..., :: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
