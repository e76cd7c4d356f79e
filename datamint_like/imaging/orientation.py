"""From stored orientation to that of the item, by header facts alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from datamint_like.imaging.affine import Affine, Turn
from datamint_like.imaging.types import HeaderFacts, Orientation, Place


def turn_of(facts: HeaderFacts, orientation: Orientation = "canonical") -> Turn:
    """The permutation and flips from stored (k, j, i) to the item's axes; none without geometry or in native order.

    Example:
        >>> from datamint_like.imaging import probe
        >>> turn_of(probe(sorted(Path("ct").iterdir())))
        Turn(axes=(0, 1, 2), flips=(False, False, False))
    """
    if facts.kind != "volume" or facts.affine is None or orientation == "native":
        return Turn()
    return facts.affine.turn_to()


def canonical_shape(facts: HeaderFacts) -> tuple[int, int, int, int]:
    """(C, D, H, W) of the item that this resource gives in canonical orientation.

    Example:
        >>> from datamint_like.imaging import probe
        >>> canonical_shape(probe(sorted(Path("ct").iterdir())))
        (1, 32, 128, 128)
    """
    return (facts.channels, *turn_of(facts).shape(facts.shape))


def item_affine(facts: HeaderFacts, orientation: Orientation = "canonical") -> Affine | None:
    """Item index (d, h, w) to patient RAS+ mm, or None where the file carries no geometry.

    Example:
        >>> from datamint_like.imaging import probe
        >>> item_affine(probe(sorted(Path("ct").iterdir()))).orientation
        'SPL'
    """
    if facts.affine is None:
        return None
    return turn_of(facts, orientation).affine(facts.affine, facts.shape)


def frame_axis_of(facts: HeaderFacts, orientation: Orientation = "canonical") -> tuple[int, bool]:
    """Which item axis (0, 1 or 2) the stored planes lie along, and whether it runs against their order.

    Example:
        >>> from datamint_like.imaging import probe
        >>> frame_axis_of(probe(sorted(Path("ct").iterdir())))
        (0, False)
    """
    turn = turn_of(facts, orientation)
    axis = turn.axes.index(0)
    return axis, turn.flips[axis]


def item_plane_origins(facts: HeaderFacts, orientation: Orientation = "canonical") -> npt.NDArray[np.float64] | None:
    """(planes, 3) patient RAS+ mm of the first pixel of each plane of the item, for irregular series."""
    if facts.plane_origins is None or facts.affine is None:
        return None
    turn = turn_of(facts, orientation)
    origins = np.array(facts.plane_origins, dtype=np.float64)
    for old, flip in zip(turn.axes, turn.flips, strict=True):
        if flip and old != 0:
            origins = origins + facts.affine.matrix[:3, old] * (facts.shape[old] - 1)
    return origins[::-1] if frame_axis_of(facts, orientation)[1] else origins


def place_of(facts: HeaderFacts, orientation: Orientation = "canonical") -> Place:
    """Where the item of a resource lies in the patient.

    Example:
        >>> from datamint_like.imaging import probe
        >>> place = place_of(probe(sorted(Path("ct").iterdir())))
        >>> place.orientation, place.spacing
        ('SPL', (1.0, 1.8046875, 1.8046875))
    """
    axis, flipped = frame_axis_of(facts, orientation)
    return Place(
        affine=item_affine(facts, orientation),
        plane_origins=item_plane_origins(facts, orientation),
        frame_axis=axis,
        frame_flipped=flipped,
        facts=facts,
    )
