"""Between our axes (C, D, H, W) and those of MONAI and TorchIO (C, X, Y, Z), which are ours the other way round.

Theirs are the axes of NIfTI and ITK, first the one along a row of the image. Reversing the axes of an array and the
columns of its affine moves no voxel: the world (patient RAS+ mm) stays as it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Matrix = npt.NDArray[np.float64]


def reversed_axes(array: Any) -> torch.Tensor:
    """(n, X, Y, Z) of (n, D, H, W), and back; (n, X, Y) of (n, H, W). Contiguous, and the caller's own."""
    tensor = torch.as_tensor(np.asarray(array).copy()) if not isinstance(array, torch.Tensor) else array
    return tensor.permute(0, *reversed(range(1, tensor.ndim))).contiguous()


def reversed_affine(affine: Matrix) -> Matrix:
    """The affine of (x, y, z) = (w, h, d) of one of (d, h, w), and back."""
    return np.asarray(affine, dtype=np.float64)[:, [2, 1, 0, 3]].copy()


def in_plane_affine(affine: Matrix | None) -> Matrix:
    """The affine of a 2-D item within its own plane: (x, y) to mm along its rows and columns, origin 0.

    A library that works in two dimensions reads the upper left 2 x 2 of an affine, which for a plane that is not
    axial is another one or singular.
    """
    spacing = np.ones(4)
    if affine is not None:
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        spacing[:2] = lengths[2], lengths[1]
    return np.diag(spacing)


def out_of_plane(affine: Matrix, moved: Matrix) -> Matrix:
    """Where a 2-D item lies in the patient after its in-plane affine became `moved`.

    Args:
        affine: (0, h, w) to the patient, before.
        moved: The in-plane affine afterwards; its upper left 2 x 2 and last column count.
    """
    change = np.eye(4)  # voxels afterwards to mm within the plane
    change[:2, :2], change[:2, 3] = moved[:2, :2], moved[:2, -1]
    voxels = np.linalg.inv(in_plane_affine(affine)) @ change  # ... to voxels before
    return reversed_affine(reversed_affine(affine) @ voxels)
