"""Synthetic masks of two tissue classes, made from a CT by thresholds in Hounsfield units (HU).

Nobody drew these masks: they exist so that there is something to merge and to learn. The second annotator's masks
are derived from the same CT by a stated edit, so that the two disagree in a known way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

#: Code in a label map -> name of the class.
CLASSES = {1: "soft_tissue", 2: "bone"}
#: Class name -> colour (R, G, B), told apart with every common kind of colour vision.
COLOURS = {"soft_tissue": (86, 180, 233), "bone": (230, 159, 0)}

LabelMap = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Annotator:
    """One synthetic annotator: thresholds, and whether soft tissue is eroded.

    Attributes:
        email: The author that the annotations carry.
        bone_from: HU from which a voxel is bone; below it, down to `soft_from`, it is soft tissue.
        soft_from: HU from which a voxel is soft tissue.
        erode_soft: Take one pixel off the border of soft tissue, within each slice.
        rule: The same in words.
    """

    email: str
    bone_from: int
    soft_from: int
    erode_soft: bool
    rule: str


ANNOTATOR_A = Annotator(
    email="annotator.a@demo.example",
    bone_from=200,
    soft_from=-100,
    erode_soft=False,
    rule="soft tissue from -100 to 200 HU, bone from 200 HU",
)
ANNOTATOR_B = Annotator(
    email="annotator.b@demo.example",
    bone_from=150,
    soft_from=-100,
    erode_soft=True,
    rule="as A, but bone from 150 HU, and soft tissue eroded by one pixel within the slice",
)
ANNOTATORS = (ANNOTATOR_A, ANNOTATOR_B)


def label_map(hu: npt.NDArray[Any], annotator: Annotator) -> LabelMap:
    """The annotator's label map (D, H, W) uint8 of a CT (D, H, W) in HU, with the codes of `CLASSES`.

    Example:
        >>> label_map(np.array([[[-1000, 40, 900]]]), ANNOTATOR_A).tolist()
        [[[0, 1, 2]]]
    """
    bone = hu >= annotator.bone_from
    soft = (hu >= annotator.soft_from) & ~bone
    if annotator.erode_soft:
        soft = erode(soft)
    result = np.zeros(hu.shape, dtype=np.uint8)
    result[soft] = 1
    result[bone] = 2
    return result


def erode(mask: Mask) -> Mask:
    """The mask (..., H, W) without pixels that touch the outside by an edge; beyond the border counts as outside."""
    wide = np.pad(mask, [(0, 0)] * (mask.ndim - 2) + [(1, 1), (1, 1)])
    inner = wide[..., 1:-1, 1:-1].copy()
    for rows, columns in ((slice(None, -2), slice(1, -1)), (slice(2, None), slice(1, -1))):
        inner &= wide[..., rows, columns]
        inner &= wide[..., columns, rows]
    return inner
