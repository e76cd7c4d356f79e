"""What a file is, by its content: names and extensions are not trusted."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import IO

#: Bytes of content that a decoder's `accepts` gets, where the file has them.
HEAD_SIZE = 2048

#: What names of video files end with, by their media type.
VIDEO_EXTENSIONS = {
    "video/mp4": ".mp4",
    "video/3gpp": ".3gp",
    "video/quicktime": ".mov",
    "video/x-msvideo": ".avi",
    "video/x-matroska": ".mkv",
    "video/webm": ".webm",
    "video/mp2t": ".ts",
}

#: Bytes of a gzip file that are looked through for the first ones inside: its name and extra field may be long.
_LONGEST_START = 1 << 18

_GZIP = b"\x1f\x8b"
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_SINGLE1, _PAIR1, _SINGLE2, _PAIR2 = b"n+1\0", b"ni1\0", b"n+2\0", b"ni2\0"
_DICOM_VRS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)
_EBML = b"\x1aE\xdf\xa3"
#: First boxes of QuickTime files without a file type box.
_QUICKTIME = (b"moov", b"wide", b"free", b"skip", b"pnot")
#: Starts of the major brands of files of the MP4 family that are pictures (HEIF, AVIF, Canon raw).
_PICTURE_BRANDS = (b"hei", b"hev", b"mif", b"msf", b"avif", b"avis", b"crx", b"jpeg", b"miaf")
#: Sizes of the packets of MPEG transport streams: plain, with time stamps before them (M2TS), with parity after them.
_TRANSPORT_PACKETS = (188, 192, 204)
#: Byte order and version 42, or 43 with offsets of 8 bytes (BigTIFF).
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00\x08\x00\x00\x00", b"MM\x00+\x00\x08\x00\x00")
#: Sizes of the BMP information header: core, the forms with bit fields, OS/2 2.x, V4 and V5.
_BMP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})
_NAMES = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"GIF8", "a GIF image"),
    (b"NRRD", "an NRRD volume"),
    (_EBML, "an EBML file that is neither Matroska nor WebM"),
)


def read_head(path: Path) -> bytes:
    """The first bytes of a file, of what is inside when it is gzip-compressed.

    Raises:
        OSError: The file cannot be read.
    """
    with open(path, "rb") as file:
        return head_of(file)


def head_of(file: IO[bytes]) -> bytes:
    """The first bytes of an open file at its start, of what is inside when it is gzip-compressed.

    A gzip file that does not inflate gives its own first bytes.
    """
    head = file.read(HEAD_SIZE)
    return _inflated_head(head, file) if is_gzip(head) else head


def _inflated_head(head: bytes, file: IO[bytes]) -> bytes:
    """The first bytes inside a gzip file that starts so, which goes on in an open one.

    They may lie in several members (RFC 1952, section 2.2), empty ones among them, and behind long names and extra
    fields.
    """
    found, member, at_end, count = b"", zlib.decompressobj(wbits=31), False, len(head)
    piece = head
    while piece and len(found) < HEAD_SIZE:
        if at_end:
            piece = piece.lstrip(b"\0")  # padding behind a member, which readers pass over
        try:
            found += member.decompress(piece, HEAD_SIZE - len(found))
        except zlib.error:  # damaged, or what stands behind the last member is none
            return found or head
        at_end = member.eof or (at_end and not piece)
        piece = member.unused_data
        if member.eof:
            member = zlib.decompressobj(wbits=31)
        if not piece and count < _LONGEST_START:
            piece = file.read(HEAD_SIZE)
            count += len(piece)
    return found if found or (at_end and count < _LONGEST_START) else head


def is_gzip(head: bytes) -> bool:
    """Whether these bytes start a gzip stream."""
    return head.startswith(_GZIP)


def is_dicom(head: bytes) -> bool:
    """Whether this is DICOM: `DICM` after a preamble of any content, or its first tags alone or after zeros."""
    if head[128:132] == b"DICM" or _starts_with_dicom_tags(head):
        return True
    return not head[:128].strip(b"\0") and _starts_with_dicom_tags(head[128:])


def _starts_with_dicom_tags(head: bytes) -> bool:
    """Whether the file starts with an element of group 2 or 8 of a data set that has no preamble."""
    if len(head) < 8:
        return False
    group, element = int.from_bytes(head[0:2], "little"), int.from_bytes(head[2:4], "little")
    if head[:3] == b"\0\x08\0":  # big endian, whose VRs are always explicit
        return head[4:6] in _DICOM_VRS
    if group not in (0x0002, 0x0008) or element > 0x00FF:
        return False
    length = int.from_bytes(head[4:8], "little")
    return head[4:6] in _DICOM_VRS or (length < 0x0200 and length % 2 == 0)


def is_nifti(head: bytes) -> bool:
    """Whether this is a NIfTI-1 or NIfTI-2 of any byte order: in one file, or the header of a pair."""
    if is_nifti2(head):
        return len(head) >= (540 if is_nifti_pair(head) else 544)
    return head[344:348] in (_SINGLE1, _PAIR1) and _is_348(head) and (len(head) >= 352 or is_nifti_pair(head))


def is_nifti2(head: bytes) -> bool:
    """Whether this starts a NIfTI-2, of any byte order."""
    starts = head[:4] in (b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c")
    return starts and head[4:8] in (_SINGLE2, _PAIR2) and head[8:12] in (b"\r\n\x1a\n", bytes(4))


def is_nifti_pair(head: bytes) -> bool:
    """Whether this NIfTI header stands alone: its voxels are in a second file."""
    return head[4:8] == _PAIR2 if is_nifti2(head) else head[344:348] == _PAIR1


def is_analyze(head: bytes) -> bool:
    """Whether this is an ANALYZE 7.5 header: as long as that of NIfTI-1, without its mark."""
    return len(head) >= 348 and _is_348(head) and head[38:39] in (b"r", b"\0") and not is_nifti(head)


def _is_348(head: bytes) -> bool:
    """Whether the first number, of either byte order, is the length of a header of NIfTI-1 or ANALYZE."""
    return head[:4] in (b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c")


def is_png(head: bytes) -> bool:
    """Whether this starts a PNG image."""
    return head.startswith(_PNG)


def is_jpeg(head: bytes) -> bool:
    """Whether this starts a JPEG image."""
    return head.startswith(_JPEG)


def is_webp(head: bytes) -> bool:
    """Whether this starts a WebP image: a RIFF file of that form (others are AVI and WAV)."""
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def is_bmp(head: bytes) -> bool:
    """Whether this starts a BMP image: its two letters, a header of a known size, and pixels behind it."""
    if head[:2] != b"BM" or len(head) < 26:
        return False
    pixels_at, size = int.from_bytes(head[10:14], "little"), int.from_bytes(head[14:18], "little")
    return size in _BMP_HEADERS and pixels_at >= 14 + size


def is_tiff(head: bytes) -> bool:
    """Whether this starts a TIFF or BigTIFF of either byte order, and is no DICOM with such a preamble."""
    return head.startswith(_TIFF) and not is_dicom(head)


def is_raster(head: bytes) -> bool:
    """Whether this starts a PNG, JPEG, WebP or BMP image."""
    return is_png(head) or is_jpeg(head) or is_webp(head) or is_bmp(head)


def is_picture(head: bytes) -> bool:
    """Whether this starts a picture: PNG, JPEG, WebP, BMP or TIFF."""
    return is_raster(head) or is_tiff(head)


def picture_extension(head: bytes) -> str:
    """The extension, with its dot, of pictures that start so; "" where this is none."""
    kinds = ((is_png, ".png"), (is_jpeg, ".jpg"), (is_webp, ".webp"), (is_bmp, ".bmp"), (is_tiff, ".tif"))
    return next((extension for question, extension in kinds if question(head)), "")


def video_mimetype(head: bytes) -> str | None:
    """The media type of the video container that starts so, or None where it is none of those that are read."""
    if head[4:8] == b"ftyp" and head[:2] == b"\0\0":
        return _mp4_mimetype(head[8:12])
    if head[4:8] == b"mdat" or (head[4:8] in _QUICKTIME and head[0] < 2):  # words of a text, unless lengths are small
        return "video/quicktime"
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return "video/x-msvideo"
    if head.startswith(_EBML):
        return _matroska_mimetype(head[4:64])
    return "video/mp2t" if transport_packet(head) else None


def transport_packet(head: bytes) -> int | None:
    """The packet size of the MPEG transport stream that starts so, or None where it is none."""
    for size in _TRANSPORT_PACKETS:
        first = 4 if size == 192 else 0
        syncs = head[first::size]
        if len(syncs) >= 3 and not syncs.strip(b"\x47"):
            return size
    return None


def _mp4_mimetype(brand: bytes) -> str | None:
    if brand.startswith(_PICTURE_BRANDS):
        return None
    if brand.startswith(b"3gp"):
        return "video/3gpp"
    return "video/quicktime" if brand == b"qt  " else "video/mp4"


def _matroska_mimetype(header: bytes) -> str | None:
    """By the element DocType (0x4282) of the EBML header."""
    for name, mimetype in ((b"matroska", "video/x-matroska"), (b"webm", "video/webm")):
        if b"\x42\x82" + bytes([0x80 | len(name)]) + name in header:
            return mimetype
    return None


def describe(head: bytes) -> str:
    """A name for content that no decoder takes, for messages."""
    if not head:
        return "an empty file"
    for start, name in _NAMES:
        if head.startswith(start):
            return name
    if is_analyze(head):
        return "an ANALYZE 7.5 header, which does not say which side is left (convert it to NIfTI where that is known)"
    if head[:4] == b"RIFF":
        return "a RIFF file that is neither WebP nor AVI"
    if head[4:8] == b"ftyp":
        return "a picture or other file of the MP4 family that is no video"
    return "no image format that is known"
