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
    from datamint_like.imaging.types import DTYPES as DTYPES
    from datamint_like.imaging.types import Assembly as Assembly
    from datamint_like.imaging.types import Decoded as Decoded
    from datamint_like.imaging.types import Decoder as Decoder
    from datamint_like.imaging.types import Group as Group
    from datamint_like.imaging.types import HeaderFacts as HeaderFacts
    from datamint_like.imaging.types import Intensity as Intensity
    from datamint_like.imaging.types import Orientation as Orientation
    from datamint_like.imaging.types import Place as Place
    from datamint_like.imaging.types import ReadOptions as ReadOptions
    from datamint_like.imaging.types import Skipped as Skipped
    from datamint_like.imaging.types import StoredImage as StoredImage

_MODULES = {
    "affine": ("Affine", "Turn"),
    "assembly": ("assemble",),
    "masks": ("array_to_stored", "decode_frame_mask", "decode_mask", "encode_frame_mask", "encode_volume_mask"),
    "metadata": ("facts_from_metadata", "facts_of", "facts_to_metadata", "required_facts"),
    "multiframe": ("derive_multiframe",),
    "orientation": ("canonical_shape", "frame_axis_of", "item_affine", "place_of", "turn_of"),
    "reading": ("decode_stored", "probe", "read"),
    "types": (
        "DTYPES",
        "Assembly",
        "Decoded",
        "Decoder",
        "Group",
        "HeaderFacts",
        "Intensity",
        "Orientation",
        "Place",
        "ReadOptions",
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
