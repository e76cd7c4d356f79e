"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """`1 file`, `2 files`.

    Example:
        >>> counted(1, "item"), counted(0, "item")
        ('1 item', '0 items')
    """
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
