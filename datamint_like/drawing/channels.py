"""Which channels of an item are drawn: its own, as colour where its header says that they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

#: What headers call gray, with whatever further samples: DICOM and TIFF.
_GRAY = ("MONOCHROME1", "MONOCHROME2", "WhiteIsZero", "BlackIsZero")
#: NIfTI's codes of RGB and RGBA.
_NIFTI_COLOURS = (128, 2304)


def drawn_channels(
    image: npt.NDArray[Any], metainfo: Mapping[str, Any], neighbors: int
) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Red, green and blue (3, ...), or the first channel (1, ...), of the middle one of neighbours.

    Args:
        image: (C, ...) as the item holds it; transforms may have changed C, and then only its first channels tell.
        metainfo: That of the item.
        neighbors: How many planes on each side are among the channels.

    Returns:
        The channels, and what must be said of them.
    """
    own, notes = metainfo["stored_shape"][0], []
    if neighbors and len(image) == own * (2 * neighbors + 1):
        image = image[neighbors * own :][:own]
        notes.append("neighbours are not drawn")
        neighbors = 0
    if not neighbors and len(image) >= 3 and is_colour(metainfo):
        return image[:3], tuple(notes)
    if len(image) > 1:
        notes.append(f"channel 0 of 0-{len(image) - 1}")
    return image[:1], tuple(notes)


def is_colour(metainfo: Mapping[str, Any]) -> bool:
    """Whether the first three channels of what a header describes are red, green and blue, by what it says.

    Three channels of a DICOM, NIfTI or TIFF may be something else (time points, further samples), so those headers
    must say it; those of pictures and video files need not.
    """
    header, form = metainfo.get("header") or {}, metainfo["format"]
    if metainfo["stored_shape"][0] < 3:
        return False
    if form == "nifti":
        return header.get("datatype") in _NIFTI_COLOURS
    key = {"dicom": "PhotometricInterpretation", "tiff": "photometric"}.get(form)
    return key is None or header.get(key, _GRAY[0]) not in _GRAY
