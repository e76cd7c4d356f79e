"""TIFF without metadata: directories of the tags that describe pixels, and their pixels in their old places.

Every byte that these do not name is zero: descriptions, EXIF, GPS, thumbnails, what editors left behind.
"""

from __future__ import annotations

import io
import struct

from datamint_like.imaging.deidentify.report import Tally
from datamint_like.imaging.tiff.directories import Directory, TiffSource, directories
from datamint_like.imaging.tiff.pages import is_auxiliary, page_of

#: Resolution, extra samples, subsampling and reference black besides what the decoder reads.
_KEPT = frozenset({254, 255, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 282, 283, 284, 292, 296, 317, 320})
_KEPT |= {322, 323, 324, 325, 338, 339, 340, 341, 347, 530, 531, 532, 32997, 32998}
_NAMES = {
    270: "ImageDescription",
    271: "Make",
    272: "Model",
    305: "Software",
    306: "DateTime",
    315: "Artist",
    316: "HostComputer",
    700: "XMP",
    33432: "Copyright",
    33723: "IPTC",
    34377: "Photoshop",
    34665: "EXIF",
    34675: "ICC profile",
    34853: "GPS",
}


def clean_tiff(data: bytes, tally: Tally) -> bytes:
    """The TIFF in memory, as long as it was, without metadata.

    Raises:
        DecodeError: It is damaged or cut short.
    """
    source = TiffSource.of(io.BytesIO(data))
    made = bytearray(len(data))
    link, size = (8, 8) if source.layout.offset == "Q" else (4, 4)
    made[:link] = data[:link]
    for directory in directories(source):
        if is_auxiliary(directory):
            tally.add("removed", "TIFF thumbnail or mask")
            continue
        made[link : link + size] = struct.pack(f"{source.order}{source.layout.offset}", directory.at)
        link = _keep(directory, data, made, tally) - size
    return bytes(made)


def _keep(directory: Directory, data: bytes, made: bytearray, tally: Tally) -> int:
    """Write what stays of a directory and its pixels; where the directory ends, its link to the next one last."""
    for tag in directory:
        if tag not in _KEPT:
            tally.add("removed", f"TIFF {_NAMES.get(tag, tag)}")
            continue
        at, length = directory.place(tag)
        directory.raw(tag, 1)  # refuses what lies outside the file
        made[at : at + length] = data[at : at + length]
    page = page_of(directory)
    for at, length in zip(page.offsets.tolist(), page.counts.tolist(), strict=True):
        made[at : at + length] = data[at : at + length]
    block = directory.only(_KEPT)
    made[directory.at : directory.at + len(block)] = block
    return directory.at + len(block)
