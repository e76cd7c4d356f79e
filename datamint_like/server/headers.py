"""Header values made of what clients said, so that no name or type of theirs becomes more than that."""

from __future__ import annotations

import re
from urllib.parse import quote

UNKNOWN_TYPE = "application/octet-stream"
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}")
_ATTR_CHARS = "!#$&+-.^_`|~"  # what RFC 5987 lets stand in a value as it is
_LONGEST = 200


def attachment(filename: str) -> str:
    r"""A Content-Disposition (RFC 6266) that saves a file under its base name; plain readers get an ASCII form of it.

    Examples:
        >>> attachment("scan.dcm")
        'attachment; filename="scan.dcm"'
        >>> attachment('../Brain "1".nii')
        'attachment; filename="Brain _1_.nii"; filename*=UTF-8\'\'Brain%20%221%22.nii'
    """
    name = base_name(filename)
    plain = re.sub(r'[^ -~]|["\\%]', "_", name)
    header = f'attachment; filename="{plain}"'
    if plain != name:
        header += f"; filename*=UTF-8''{quote(name, safe=_ATTR_CHARS)}"
    return header


def media_type(said: str | None) -> str:
    r"""A media type that somebody declared; what is none is `application/octet-stream`.

    Examples:
        >>> media_type("application/dicom"), media_type("text/html\r\nX: y")
        ('application/dicom', 'application/octet-stream')
    """
    return said if said is not None and _TYPE.fullmatch(said) else UNKNOWN_TYPE


def base_name(filename: str) -> str:
    r"""The last part of a path of any system, without control characters, never empty, `.` or `..`; its end is kept.

    Examples:
        >>> base_name("C:\\patients\\Doe\\scan.dcm"), base_name("../.."), base_name("")
        ('scan.dcm', 'file', 'file')
    """
    last = re.split(r"[/\\]", filename)[-1]
    name = "".join(char for char in last if char.isprintable()).strip()
    while len(name.encode("utf-8", "replace")) > _LONGEST:
        name = name[1:]
    return "file" if name in ("", ".", "..") else name.encode("utf-8", "replace").decode()
