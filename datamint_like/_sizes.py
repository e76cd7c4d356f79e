"""Numbers of bytes, read and told."""

from __future__ import annotations

from datamint_like.exceptions import ValidationError

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_BINARY = {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_STEP = 1000


def parse_size(size: int | str) -> int:
    """The number of bytes that `256_000_000`, `"256MB"` or `"1.5 GiB"` means.

    Raises:
        ValidationError: It is not a size.

    Example:
        >>> parse_size("1.5 GiB"), parse_size("200GB")
        (1610612736, 200000000000)
    """
    if isinstance(size, int) and not isinstance(size, bool) and size >= 0:
        return size
    text = str(size).strip().upper()
    number = text.rstrip("KMGTIB ")
    unit = text[len(number) :].strip()
    try:
        value = int(float(number) * (_UNITS | _BINARY)[unit])
    except (ValueError, OverflowError, KeyError):
        value = -1
    if value < 0:
        raise ValidationError(f"A size is bytes or text such as '256MB' or '2GiB', not {size!r:.80}.")
    return value


def size_text(size: int) -> str:
    """`1.5 GB`: a number of bytes as people say it.

    Example:
        >>> size_text(999), size_text(1_500_000)
        ('999 B', '1.5 MB')
    """
    value, units = float(size), ("B", "KB", "MB", "GB")
    for unit in units:
        if value < _STEP:
            return f"{size} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= _STEP
    return f"{value:.1f} TB"
