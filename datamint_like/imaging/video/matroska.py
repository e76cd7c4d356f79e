"""Matroska and WebM (RFC 9559 on EBML, RFC 8794): whether all elements are there, and a video track."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.video.structure import NO_VIDEO, refuse_cut

_EBML, _SEGMENT, _CLUSTER, _TRACKS = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0x1654AE6B
_TRACK_ENTRY, _TRACK_TYPE, _VIDEO = 0xAE, 0x83, b"\x01"
_LONGEST_TRACKS = 64 << 20


@dataclass(frozen=True)
class Element:
    """One element: its id, where its content starts, and where it ends (None: unknown, as in live recordings)."""

    id: int
    start: int
    end: int | None


def check_matroska(file: BinaryIO, size: int) -> None:
    """Refuse a Matroska or WebM file that is cut short or has no video track.

    Where the lengths of segment and clusters are unknown, the blocks' own lengths are walked.

    Raises:
        DecodeError: An element ends behind the file, there is no segment, or no video track.
    """
    has_video = None
    for element in flat_elements(file, size):
        if element.end is not None:
            refuse_cut(element.end, size, f"element {element.id:X}")
        if element.id == _TRACKS and element.end is not None and element.end - element.start <= _LONGEST_TRACKS:
            file.seek(element.start)
            has_video = has_video or _has_video(file.read(element.end - element.start))
    if has_video is None:
        raise DecodeError("it has no list of tracks: it is damaged or cut short. Copy the file again.")
    if not has_video:
        raise DecodeError(NO_VIDEO)


def flat_elements(file: BinaryIO, size: int) -> Iterator[Element]:
    """The elements of the first two levels in order, and the children of clusters whose length is unknown."""
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(12)
        element = _element(head, at)
        if element is None:
            if not head.strip(b"\0"):  # padding
                return
            refuse_cut(at + 12, size, "last element")
            raise DecodeError(f"it is damaged: no element starts at byte {at:,}. Copy the file again.")
        yield element
        enters = element.id == _SEGMENT or element.end is None
        at = element.start if enters else (element.end or size)


def _element(head: bytes, at: int) -> Element | None:
    """The element whose header these bytes start with, or None where they are none."""
    id_length = _vint_length(head[0], 4) if head else None
    if id_length is None or len(head) <= id_length:
        return None
    length = _vint_length(head[id_length], 8)
    if length is None or len(head) < id_length + length:
        return None
    value = int.from_bytes(head[id_length : id_length + length], "big") & ((1 << 7 * length) - 1)
    start = at + id_length + length
    unknown = value == (1 << 7 * length) - 1
    return Element(int.from_bytes(head[:id_length], "big"), start, None if unknown else start + value)


def _vint_length(first: int, most: int) -> int | None:
    """How many bytes a variable-size integer has by its first one."""
    length = 9 - first.bit_length()
    return length if length <= most else None


def _has_video(tracks: bytes) -> bool:
    return any(
        child.id == _TRACK_TYPE and tracks[child.start : child.end].lstrip(b"\0") == _VIDEO
        for entry in child_elements(tracks, 0, len(tracks))
        if entry.id == _TRACK_ENTRY
        for child in child_elements(tracks, entry.start, entry.end or len(tracks))
    )


def child_elements(data: bytes, start: int, end: int) -> Iterator[Element]:
    """The elements between two places in memory, none of unknown length."""
    while start < end:
        element = _element(data[start : start + 12], start)
        if element is None or element.end is None or element.end > end:
            return
        yield element
        start = element.end
