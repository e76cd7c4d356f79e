"""Video files without metadata: what is no picture is overwritten where it stands, so that no offset moves."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from datamint_like.exceptions import ValidationError
from datamint_like.imaging.deidentify.report import Tally
from datamint_like.imaging.types import SourceFile
from datamint_like.imaging.video.container import parse_container
from datamint_like.imaging.video.matroska import child_elements, flat_elements
from datamint_like.imaging.video.mp4 import Box, inner_boxes, outer_boxes

#: Boxes that hold boxes, and those that stay; all others of the movie go.
_BOXES = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"mvex", b"moof", b"traf"})
_OUTER_KEPT = frozenset({b"ftyp", b"mdat", b"moov", b"moof", b"mfra", b"sidx", b"styp"})
_DROPPED_BOXES = frozenset({b"udta", b"meta", b"uuid", b"free", b"skip", b"wide", b"ludt", b"iods", b"clip", b"load"})
_TIMED = {b"mvhd", b"tkhd", b"mdhd"}
_LONG_TIMED = 1

_INFO, _TRACKS, _TAGS, _ATTACHMENTS, _CHAPTERS = 0x1549A966, 0x1654AE6B, 0x1254C367, 0x1941A469, 0x1043A770
_TRACK_ENTRY, _TRACK_TYPE, _CRC, _VOID, _SEEK_HEAD = 0xAE, 0x83, 0xBF, 0xEC, 0x114D9B74
#: Of Info: title, writers, date, names of this file and its neighbours; of a track: its names.
_TEXT_ELEMENTS = {
    0x7BA9: "Title",
    0x4D80: "MuxingApp",
    0x5741: "WritingApp",
    0x4461: "DateUTC",
    0x7384: "SegmentFilename",
    0x3C83AB: "PrevFilename",
    0x3E83BB: "NextFilename",
    0x73A4: "SegmentUUID",
    0x536E: "Name",
    0x258688: "CodecName",
}
_AVI_KEPT = frozenset({b"avih", b"strh", b"strf", b"indx", b"vprp", b"dmlh", b"idx1"})
_AVI_LISTS = frozenset({b"hdrl", b"strl", b"odml"})
_SOUND = (
    "it has a track of sound, text or data, in which people may be named. Write the pictures alone "
    '("ffmpeg -i in.mp4 -map 0:v:0 -c copy -map_metadata -1 out.mp4").'
)


def clean_video(source: SourceFile, mimetype: str, target: Path, tally: Tally) -> None:
    """Write the video without metadata; pictures stay byte for byte.

    Raises:
        DecodeError: It is damaged or cut short.
        ValidationError: It has other tracks than pictures, or is of a kind in which metadata cannot be overwritten.
    """
    cleaners: dict[str, Callable[[BinaryIO, int, Tally], None]] = {
        "video/x-msvideo": _avi,
        "video/x-matroska": _matroska,
        "video/webm": _matroska,
    }
    if mimetype == "video/mp2t":
        raise ValidationError(
            "it is an MPEG transport stream, whose metadata cannot be taken out in place. Write it as MP4 "
            '("ffmpeg -i in.ts -map 0:v:0 -c copy -map_metadata -1 out.mp4").'
        )
    with open(source.path, "rb") as file:
        parse_container(file, mimetype)
    shutil.copyfile(source.path, target)
    with open(target, "r+b") as file:
        cleaners.get(mimetype, _mp4)(file, os.fstat(file.fileno()).st_size, tally)


def _zero(file: BinaryIO, start: int, end: int) -> None:
    file.seek(start)
    while start < end:
        start += file.write(b"\0" * min(1 << 20, end - start))


def _mp4(file: BinaryIO, size: int, tally: Tally) -> None:
    at = 0
    for box in list(outer_boxes(file, size)):
        if box.kind in (b"moov", b"moof"):
            file.seek(box.start)
            data = bytearray(file.read(box.end - box.start))
            _movie(data, 0, len(data), tally)
            file.seek(box.start)
            file.write(data)
        elif box.kind not in _OUTER_KEPT:
            if box.kind not in (b"free", b"skip", b"wide"):
                file.seek(at + 4)
                file.write(b"free")
                tally.add("removed", f"MP4 {box.kind.decode('latin-1')}")
            _zero(file, box.start, min(box.end, size))
        at = box.end
    _zero(file, min(at, size), size)


def _movie(data: bytearray, start: int, end: int, tally: Tally) -> None:
    """Overwrite metadata between two places of a movie box."""
    at = start
    for box in list(inner_boxes(bytes(data), start, end)):
        if box.kind == b"cmov":
            raise ValidationError('its movie box is compressed. Write it anew ("ffmpeg -i in.mov -c copy out.mp4").')
        if box.kind in _DROPPED_BOXES:
            data[at + 4 : at + 8] = b"free"
            data[box.start : box.end] = bytes(box.end - box.start)
            if box.kind not in (b"free", b"skip", b"wide"):
                tally.add("removed", f"MP4 {box.kind.decode('latin-1')}")
        elif box.kind in _TIMED:
            _timeless(data, box, tally)
        elif box.kind == b"hdlr":
            _nameless(data, box)
        elif box.kind in _BOXES:
            _movie(data, box.start, box.end, tally)
        at = box.end


def _timeless(data: bytearray, box: Box, tally: Tally) -> None:
    """No time of creation and change."""
    length = 16 if data[box.start] == _LONG_TIMED else 8
    if any(data[box.start + 4 : box.start + 4 + length]):
        tally.add("emptied", f"MP4 {box.kind.decode('latin-1')} times")
    data[box.start + 4 : box.start + 4 + length] = bytes(length)


def _nameless(data: bytearray, box: Box) -> None:
    """A handler without its name; one of something else than pictures refuses the file."""
    component, handler = bytes(data[box.start + 4 : box.start + 8]), bytes(data[box.start + 8 : box.start + 12])
    if component != b"dhlr" and handler not in (b"vide", b"url ", b"alis"):
        raise ValidationError(_SOUND)
    data[box.start + 24 : box.end] = bytes(max(0, box.end - box.start - 24))


def _matroska(file: BinaryIO, size: int, tally: Tally) -> None:
    at = 0
    for element in list(flat_elements(file, size)):
        if element.id in (_TAGS, _ATTACHMENTS, _CHAPTERS, _SEEK_HEAD, _VOID):
            if element.end is None or element.end - at < 2:
                raise ValidationError('its metadata has no length. Write it anew ("ffmpeg -i in.mkv -c copy out.mkv").')
            file.seek(at)
            file.write(_void(element.end - at))
            if element.id not in (_SEEK_HEAD, _VOID):
                tally.add("removed", f"Matroska {'tags' if element.id == _TAGS else 'attachments or chapters'}")
        elif element.id in (_INFO, _TRACKS) and element.end is not None:
            file.seek(element.start)
            data = bytearray(file.read(element.end - element.start))
            _overwrite(data, 0, len(data), tally)
            file.seek(element.start)
            file.write(data)
        at = element.end if element.end is not None and element.id != 0x18538067 else element.start


def _void(length: int) -> bytes:
    """An element of this whole length that holds nothing."""
    if length < 9:
        return bytes([_VOID, 0x80 | length - 2]).ljust(length, b"\0")
    return (bytes([_VOID, 0x01]) + (length - 9).to_bytes(7, "big")).ljust(length, b"\0")


def _overwrite(data: bytearray, start: int, end: int, tally: Tally) -> None:
    """Zeros for names and dates between two places of an element; no checksums of what was there."""
    at = start
    for child in list(child_elements(bytes(data), start, end)):
        stop = child.end or end
        if child.id == _TRACK_ENTRY:
            _overwrite(data, child.start, stop, tally)
        elif child.id == _TRACK_TYPE and bytes(data[child.start : stop]).lstrip(b"\0") != b"\1":
            raise ValidationError(_SOUND)
        elif child.id in (_CRC, _VOID, 0x4461):
            data[at:stop] = _void(stop - at)
        elif child.id in _TEXT_ELEMENTS:
            if any(data[child.start : stop]):
                tally.add("emptied", f"Matroska {_TEXT_ELEMENTS[child.id]}")
            data[child.start : stop] = bytes(stop - child.start)
        at = stop


def _avi(file: BinaryIO, size: int, tally: Tally) -> None:
    start = 0
    while start + 12 <= size:
        file.seek(start)
        kind, length, _ = struct.unpack("<4sI4s", file.read(12))
        if kind != b"RIFF":
            break
        end = min(start + 8 + length, size)
        _avi_chunks(file, start + 12, end, tally)
        start += 8 + length + length % 2
    _zero(file, min(start, size), size)


def _avi_chunks(file: BinaryIO, start: int, end: int, tally: Tally) -> None:
    while start + 8 <= end:
        file.seek(start)
        kind, length = struct.unpack("<4sI", file.read(8))
        form = file.read(4)
        stop = min(start + 8 + length, end)
        if kind == b"LIST" and form in _AVI_LISTS:
            _avi_chunks(file, start + 12, stop, tally)
        elif kind == b"strh" and form != b"vids":
            raise ValidationError(_SOUND)
        elif kind not in _AVI_KEPT and not (kind == b"LIST" and form == b"movi"):
            file.seek(start)
            file.write(b"JUNK")
            if kind != b"JUNK":
                tally.add("removed", f"AVI {(form if kind == b'LIST' else kind).decode('latin-1')}")
            _zero(file, start + 8, stop)
        start = stop + length % 2
