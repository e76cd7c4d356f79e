"""What a file is, by its content: names and extensions are not trusted."""

from __future__ import annotations

import zlib
from pathlib import Path

#: Bytes of content that a decoder's `accepts` gets, where the file has them.
HEAD_SIZE = 2048

_GZIP = b"\x1f\x8b"
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_DICOM_VRS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)
_NAMES = (
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"BM", "a BMP image"),
    (b"RIFF", "an AVI video or WebP image"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"GIF8", "a GIF image"),
    (b"NRRD", "an NRRD volume"),
    (b"\x1aE\xdf\xa3", "a Matroska video"),
)


def read_head(path: Path) -> bytes:
    """The first bytes of a file, of what is inside when it is gzip-compressed.

    Raises:
        OSError: The file cannot be opened.
    """
    with open(path, "rb") as file:
        head = file.read(HEAD_SIZE)
    return inflate_head(head) if head.startswith(_GZIP) else head


def inflate_head(head: bytes) -> bytes:
    """The first bytes inside a gzip stream, or `head` itself when it does not inflate."""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, HEAD_SIZE)
    except zlib.error:
        return head


def is_gzip(head: bytes) -> bool:
    """Whether these bytes start a gzip stream."""
    return head.startswith(_GZIP)


def is_dicom(head: bytes) -> bool:
    """Whether this is DICOM: `DICM` after the preamble (whatever the preamble holds), or its first tags alone."""
    return head[128:132] == b"DICM" or _starts_with_dicom_tags(head)


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
    """Whether this is a single-file NIfTI-1 or NIfTI-2, of any byte order."""
    if len(head) < 352:
        return False
    if head[:4] in (b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c"):
        return head[344:348] == b"n+1\x00"
    return is_nifti2(head)


def is_nifti2(head: bytes) -> bool:
    """Whether this starts a NIfTI-2, of any byte order."""
    return head[:4] in (b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c") and head[4:12] == b"n+2\x00\r\n\x1a\n"


def is_png(head: bytes) -> bool:
    """Whether this starts a PNG image."""
    return head.startswith(_PNG)


def is_jpeg(head: bytes) -> bool:
    """Whether this starts a JPEG image."""
    return head.startswith(_JPEG)


def is_picture(head: bytes) -> bool:
    """Whether this starts a PNG or a JPEG image."""
    return is_png(head) or is_jpeg(head)


def describe(head: bytes) -> str:
    """A name for content that no decoder takes, for messages."""
    if not head:
        return "an empty file"
    for start, name in _NAMES:
        if head.startswith(start):
            return name
    if head[4:8] == b"ftyp":
        return "an MP4 video"
    return "no image format that is known"
