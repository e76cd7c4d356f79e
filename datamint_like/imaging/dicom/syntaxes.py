"""Transfer syntaxes: which are read, by what, and which are refused, with a sentence (PS3.5 10, PS3.6 A)."""

from __future__ import annotations

from typing import Literal

from pydicom.uid import UID

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.dicom.texts import told

Coding = Literal["native", "deflated frames", "jpeg", "jpeg-ls", "jpeg 2000", "rle"]

_DICOM = "1.2.840.10008.1.2"
DEFLATED_FRAMES = UID(f"{_DICOM}.8.1")
_CODINGS: dict[str, Coding] = {
    _DICOM: "native",
    f"{_DICOM}.1": "native",
    f"{_DICOM}.1.98": "native",  # encapsulated, but as it is
    f"{_DICOM}.1.99": "native",
    f"{_DICOM}.2": "native",
    f"{_DICOM}.8.1": "deflated frames",
    **{f"{_DICOM}.4.{n}": "jpeg" for n in (50, 51, 57, 70)},
    **{f"{_DICOM}.4.{n}": "jpeg-ls" for n in (80, 81)},
    **{f"{_DICOM}.4.{n}": "jpeg 2000" for n in (90, 91, 201, 202, 203)},
    f"{_DICOM}.5": "rle",
}
#: Syntaxes whose pixels are one element of plain length.
_PLAIN = frozenset({_DICOM, f"{_DICOM}.1", f"{_DICOM}.1.99", f"{_DICOM}.2"})
#: Syntaxes whose values are approximate, and may overshoot their range.
_LOSSY = frozenset(f"{_DICOM}.4.{n}" for n in (50, 51, 81, 91, 203))
_PLUGINS = "pylibjpeg with openjpeg and rle, pyjpegls, gdcm"
_JPIP = tuple(f"{_DICOM}.4.{n}" for n in (94, 95, 204, 205))
_VIDEO = tuple(f"{_DICOM}.4.{n}" for n in range(100, 109))
_VIDEO_PLUGIN = "a video decoder"


def coding_of(syntax: str) -> Coding:
    """How the frames of a syntax are coded.

    Raises:
        DecodeError: Nothing reads it.
    """
    found = _CODINGS.get(syntax)
    if found is None:
        raise DecodeError(_refusal(syntax))
    return found


def is_encapsulated(syntax: str) -> bool:
    """Whether pixels lie in fragments (PS3.5 A.4); what is not known is taken to."""
    return syntax not in _PLAIN


def is_lossy(syntax: str) -> bool:
    """Whether decoded values are approximate."""
    return syntax in _LOSSY


def name_of(syntax: str) -> str:
    """The name and UID of a syntax, for messages."""
    if syntax == DEFLATED_FRAMES:
        return f"Deflated Image Frame Compression, {syntax}"
    syntax = told(syntax, "UI")
    name = UID(syntax).name
    return f"{name}, {syntax}" if name != syntax else syntax


def _refusal(syntax: str) -> str:
    if syntax.startswith(_VIDEO):
        return (
            f"its frames are a video stream ({name_of(syntax)}), which {_VIDEO_PLUGIN} reads and none of {_PLUGINS}. "
            "Export the frames as uncompressed DICOM, or the stream as a video file."
        )
    if syntax in _JPIP:
        return f"its pixels are on a JPIP server ({name_of(syntax)}), not in the file. Export it with its pixels."
    return (
        f"its transfer syntax ({name_of(syntax)}) is read by no plugin ({_PLUGINS}). "
        "Convert it to Explicit VR Little Endian."
    )
