"""What commands print: one JSON object, or lines and aligned tables."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import Any, TextIO

#: Controls (new line, tab, escape), separators of lines, and what turns the direction of the text that follows.
_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def shown(text: str) -> str:
    r"""Text of others, such as a file's name, on one line that does nothing to a terminal.

    Example:
        >>> print(shown("a\nb\x1b[2J.png"))
        a\nb\x1b[2J.png
    """
    return _UNSHOWABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def say(text: str, stream: TextIO | None = None) -> None:
    """Print lines for people; characters that the terminal cannot show, or would obey, are escaped."""
    stream = stream or sys.stdout
    encoding = stream.encoding or "utf-8"
    lines = "\n".join(shown(line) for line in text.split("\n"))
    print(lines.encode(encoding, "backslashreplace").decode(encoding), file=stream)


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on stdout, on one line."""
    print(json.dumps(value))


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows in aligned columns under their header; columns of numbers are right-aligned."""
    cells = [[shown(str(cell)) for cell in row] for row in rows]
    widths = [max(len(row[n]) for row in [list(header), *cells]) for n in range(len(header))]
    right = [bool(rows) and all(isinstance(row[n], int) for row in rows) for n in range(len(header))]
    lines = [
        "  ".join(
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, right, strict=True)
        )
        for row in [list(header), *cells]
    ]
    return "\n".join(line.rstrip() for line in lines)


def shape_text(shape: Sequence[int] | None) -> str:
    """`28 x 128 x 128`, or nothing where the shape is not known."""
    return " x ".join(map(str, shape or ()))
