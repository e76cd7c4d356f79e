"""Files to arrays with their place in space: sniff, probe, decode, assemble, and mask payloads.

Names are imported when first used, so that the types cost no decoding library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datamint_like._lazy import imported

if TYPE_CHECKING:
    from datamint_like.imaging.affine import Affine as Affine
    from datamint_like.imaging.affine import Turn as Turn
    from datamint_like.imaging.assembly import assemble as assemble
    from datamint_like.imaging.masks import array_to_stored as array_to_stored
    from datamint_like.imaging.masks import decode_frame_mask as decode_frame_mask
    from datamint_like.imaging.masks import decode_mask as decode_mask
    from datamint_like.imaging.masks import encode_frame_mask as encode_frame_mask
    from datamint_like.imaging.masks import encode_volume_mask as encode_volume_mask
    from datamint_like.imaging.masks.arrays import decode_numpy as decode_numpy
    from datamint_like.imaging.masks.decoding import decode_segments as decode_segments
    from datamint_like.imaging.masks.references import read_references as read_references
    from datamint_like.imaging.masks.rle import decode_rle as decode_rle
    from datamint_like.imaging.masks.segments import Segment as Segment
    from datamint_like.imaging.masks.segments import Segmentation as Segmentation
    from datamint_like.imaging.masks.sniffing import sniff_mask as sniff_mask
    from datamint_like.imaging.metadata import facts_from_metadata as facts_from_metadata
    from datamint_like.imaging.metadata import facts_of as facts_of
    from datamint_like.imaging.metadata import facts_to_metadata as facts_to_metadata
    from datamint_like.imaging.metadata import required_facts as required_facts
    from datamint_like.imaging.multiframe import derive_multiframe as derive_multiframe
    from datamint_like.imaging.orientation import canonical_shape as canonical_shape
    from datamint_like.imaging.orientation import frame_axis_of as frame_axis_of
    from datamint_like.imaging.orientation import item_affine as item_affine
    from datamint_like.imaging.orientation import place_of as place_of
    from datamint_like.imaging.orientation import turn_of as turn_of
    from datamint_like.imaging.reading import decode_stored as decode_stored
    from datamint_like.imaging.reading import probe as probe
    from datamint_like.imaging.reading import read as read
    from datamint_like.imaging.single_file import derive_single_file as derive_single_file
    from datamint_like.imaging.types import DTYPES as DTYPES
    from datamint_like.imaging.types import AnnotationFile as AnnotationFile
    from datamint_like.imaging.types import Assembly as Assembly
    from datamint_like.imaging.types import Decoded as Decoded
    from datamint_like.imaging.types import Decoder as Decoder
    from datamint_like.imaging.types import Group as Group
    from datamint_like.imaging.types import HeaderFacts as HeaderFacts
    from datamint_like.imaging.types import Intensity as Intensity
    from datamint_like.imaging.types import Orientation as Orientation
    from datamint_like.imaging.types import Place as Place
    from datamint_like.imaging.types import ReadOptions as ReadOptions
    from datamint_like.imaging.types import References as References
    from datamint_like.imaging.types import Skipped as Skipped
    from datamint_like.imaging.types import StoredImage as StoredImage

_MODULES = {
    "affine": ("Affine", "Turn"),
    "assembly": ("assemble",),
    "masks": ("array_to_stored", "decode_frame_mask", "decode_mask", "encode_frame_mask", "encode_volume_mask"),
    "masks.arrays": ("decode_numpy",),
    "masks.decoding": ("decode_segments",),
    "masks.references": ("read_references",),
    "masks.rle": ("decode_rle",),
    "masks.segments": ("Segment", "Segmentation"),
    "masks.sniffing": ("sniff_mask",),
    "metadata": ("facts_from_metadata", "facts_of", "facts_to_metadata", "required_facts"),
    "multiframe": ("derive_multiframe",),
    "orientation": ("canonical_shape", "frame_axis_of", "item_affine", "place_of", "turn_of"),
    "reading": ("decode_stored", "probe", "read"),
    "single_file": ("derive_single_file",),
    "types": (
        "DTYPES",
        "AnnotationFile",
        "Assembly",
        "Decoded",
        "Decoder",
        "Group",
        "HeaderFacts",
        "Intensity",
        "Orientation",
        "Place",
        "ReadOptions",
        "References",
        "Skipped",
        "StoredImage",
    ),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """The public name, from the module that defines it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = imported(f"{__name__}.{_HOME[name]}", name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
