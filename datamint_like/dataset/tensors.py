"""Arrays that several items share, and tensors that one item owns: what it holds is the user's to change."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch

from datamint_like.imaging._layout import copied


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A view that cannot be written through, of an array that is shared."""
    view = array.view()
    view.flags.writeable = False
    return view


def own_tensor(array: Any) -> torch.Tensor:
    """A tensor in native byte order that nothing else holds: a copy of what is read-only, not contiguous or foreign.

    A tensor, as a transform may give one, stays as it is.
    """
    if isinstance(array, torch.Tensor):
        return array
    if array.flags.writeable and array.flags.c_contiguous and array.dtype.isnative:
        return torch.from_numpy(array)
    if array.dtype.isnative:
        return torch.from_numpy(copied(array))
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C"))
