"""The masks of an item, whatever form its dataset gives them, as named and coloured layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from datamint_like.drawing.pixels import PALETTE, Colour

MERGED = "merged"


@dataclass(frozen=True)
class Layer:
    """All that one annotator marked of one class: `mask` (H, W) or (D, H, W)."""

    author: str
    name: str
    colour: Colour
    mask: npt.NDArray[np.bool_]


def colours_of(codes: Mapping[str, int], named: Mapping[str, Colour]) -> dict[str, Colour]:
    """A colour for each class: that of its worklist, else one of the palette that no worklist took, by its code."""
    free = [colour for colour in PALETTE if colour not in named.values()] or list(PALETTE)
    return {name: named.get(name) or free[(code - 1) % len(free)] for name, code in codes.items()}


def layers_of(item: Mapping[str, Any], codes: Mapping[str, int], colours: Mapping[str, Colour]) -> list[Layer]:
    """The layers of an item, authors sorted, classes by code; instances of one class are one layer.

    Args:
        item: One item; `segmentations` may be instances, semantic by author, merged, or absent.
        codes: Class to code.
        colours: Class to colour.
    """
    segmentations = item.get("segmentations")
    if segmentations is None:
        return []
    by_author = segmentations if isinstance(segmentations, Mapping) else {MERGED: segmentations}
    names = {code: name for name, code in codes.items()}
    layers = []
    for author, stack in sorted(by_author.items()):
        masks = np.asarray(stack) > 0
        own = item["seg_labels"][author].tolist() if "seg_labels" in item else range(len(masks))
        for code in sorted({int(code) for code in own} & set(names)):
            chosen = masks[[number for number, each in enumerate(own) if each == code]]
            layers.append(Layer(author, names[code], colours[names[code]], np.any(chosen, axis=0)))
    return layers


def authors_of(layers: Sequence[Layer]) -> list[str]:
    """The annotators of some layers, in order."""
    return list(dict.fromkeys(layer.author for layer in layers))


def marked_by(layers: Sequence[Layer]) -> npt.NDArray[np.bool_] | None:
    """Where any layer is; None where there is none."""
    if not layers:
        return None
    total = layers[0].mask.copy()
    for layer in layers[1:]:
        total |= layer.mask
    return total
