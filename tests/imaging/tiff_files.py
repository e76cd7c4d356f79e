"""TIFF files by their tags, for kinds that other writers do not make."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

SHORT, LONG, LONG8 = 3, 4, 16
_FORMS = {SHORT: "H", LONG: "I", LONG8: "Q"}

Tags = Mapping[int, int | Sequence[int]]


def gray(rows: int, columns: int, bits: int = 8, **more: int) -> dict[int, int | Sequence[int]]:
    """The tags of a gray page in one strip; `more` by the names below."""
    names = {"compression": 259, "photometric": 262, "fill_order": 266, "samples": 277, "predictor": 317, "form": 339}
    tags = {256: columns, 257: rows, 258: bits, 259: 1, 262: 1, 277: 1, 278: rows}
    return {**tags, **{names[name]: value for name, value in more.items()}}


def page_bytes(at: int, tags: Tags, segments: Sequence[bytes], order: str, big: bool, following: int) -> bytes:
    """One directory at the offset `at`, its arrays and its segments behind it."""
    offset, entry = ("Q", LONG8) if big else ("I", LONG)
    values = {tag: [value] if isinstance(value, int) else list(value) for tag, value in tags.items()}
    where, lengths = (324, 325) if 322 in tags else (273, 279)
    if segments:
        values.update({where: [0] * len(segments), lengths: [len(each) for each in segments]})
    inline = 8 if big else 4
    end = at + (8 if big else 2) + (20 if big else 12) * len(values) + inline
    size = struct.calcsize(f"<{offset}")
    arrays = {tag: size * len(v) for tag, v in values.items() if size * len(v) > inline}
    data_at = end + sum(arrays.values())
    if segments:
        values[where] = [data_at + sum(map(len, segments[:k])) for k in range(len(segments))]
    directory, behind = [struct.pack(f"{order}{'Q' if big else 'H'}", len(values))], []
    for tag, numbers in sorted(values.items()):
        packed = struct.pack(f"{order}{len(numbers)}{offset}", *numbers)
        if tag in arrays:
            behind.append(packed)
            packed, end = struct.pack(f"{order}{offset}", end), end + len(packed)
        directory.append(struct.pack(f"{order}HH{offset}", tag, entry, len(numbers)) + packed)
    directory.append(struct.pack(f"{order}{offset}", following))
    return b"".join([*directory, *behind, *segments])


def tiff_bytes(*pages: tuple[Tags, Sequence[bytes]], order: str = "<", big: bool = False) -> bytes:
    """A whole file of pages, each given by its tags and segments."""
    mark = b"II" if order == "<" else b"MM"
    at = 16 if big else 8
    head = struct.pack(f"{order}HHHQ", 43, 8, 0, at) if big else struct.pack(f"{order}HI", 42, at)
    out = mark + head
    for number, (tags, segments) in enumerate(pages):
        length = len(page_bytes(at, tags, segments, order, big, 0))
        last = number == len(pages) - 1
        out += page_bytes(at, tags, segments, order, big, 0 if last else at + length)
        at += length
    return out


def write_tiff(path: Path, tags: Tags, segments: Sequence[bytes], **options) -> Path:
    """A file of one page."""
    path.write_bytes(tiff_bytes((tags, segments), **options))
    return path
