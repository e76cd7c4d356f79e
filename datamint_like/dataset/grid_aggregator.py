"""Predictions for overlapping patches put back into one volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch

from datamint_like.dataset.locations import Location, Triple, inside, triple
from datamint_like.exceptions import DatamintDatasetException

Weights = Literal["average", "crop", "hann"]
#: Types whose values float32 holds exactly.
_NARROW = (torch.uint8, torch.int8, torch.int16, torch.float16, torch.bfloat16, torch.float32, torch.bool)


class GridAggregator:
    """Collects predictions for patches of one volume, patch by patch, into (K, D, H, W).

    Where patches overlap, `weights` decides:

    * `"average"`: the mean of all.
    * `"hann"`: the mean weighted by a Hann window, which falls towards the patch's faces, so that seams vanish.
    * `"crop"`: the value of the patch in which the voxel lies deepest (faces that end with the volume do not count;
      of equals the first one added). Values are kept as they are, so this is for class numbers.

    Means are kept up to date patch by patch, so that equal predictions give exactly that value. What patches have
    outside the volume is dropped. Memory: one volume of predictions and one of weights, on the CPU.

    Args:
        shape: (D, H, W) of the volume.
        weights: See above.

    Raises:
        DatamintDatasetException: The arguments are none of these.

    Example:
        >>> aggregator = GridAggregator((1, 2, 4))
        >>> patches = torch.tensor([[1.0, 2, 3], [4, 5, 6]]).reshape(2, 1, 1, 1, 3).expand(2, 1, 1, 2, 3)
        >>> aggregator.add(patches, [((0, 1), (0, 2), (0, 3)), ((0, 1), (0, 2), (1, 4))])
        >>> aggregator.result()[0, 0, 0]
        tensor([1., 3., 4., 6.])
    """

    def __init__(self, shape: Sequence[int], weights: Weights = "average") -> None:
        if weights not in get_args(Weights):
            raise DatamintDatasetException(f"weights is one of {', '.join(get_args(Weights))}, not {weights!r:.80}.")
        self._shape = triple("shape", shape, least=1)
        self._weights = weights
        self._values: torch.Tensor | None = None
        self._dtype = torch.float32
        self._reached = torch.zeros(self._shape, dtype=torch.float32)

    def add(self, batch: torch.Tensor, locations: torch.Tensor | Sequence[Any]) -> None:
        """Take the predictions for some patches.

        Args:
            batch: (B, K, d, h, w); a dtype and K that stay the same.
            locations: `batch["location"]` of the loader: int (B, 3, 2), or B times ((d0, d1), (h0, h1), (w0, w1)).

        Raises:
            DatamintDatasetException: Shapes, sizes or types do not fit together, or a patch lies outside.

        Example:
            >>> aggregator = GridAggregator((1, 2, 4))
            >>> aggregator.add(torch.ones(2, 1, 1, 2, 2), [((0, 1), (0, 2), (0, 2)), ((0, 1), (0, 2), (2, 4))])
            >>> aggregator.result().shape
            torch.Size([1, 1, 2, 4])
        """
        try:
            patches, places = torch.as_tensor(batch).detach().to("cpu"), torch.as_tensor(locations).tolist()
        except (TypeError, ValueError, RuntimeError) as error:
            raise DatamintDatasetException(f"Predictions and locations are numbers ({error}).") from error
        if patches.is_complex():
            raise DatamintDatasetException("Predictions are real numbers; add the parts of complex ones apart.")
        if patches.ndim != 5 or not isinstance(places, list) or len(patches) != len(places):
            raise DatamintDatasetException(
                f"A batch of predictions is (B, K, d, h, w) with B locations; got {tuple(patches.shape)} with "
                f"{len(places) if isinstance(places, list) else 'no'} locations."
            )
        self._prepare(patches)
        for patch, place in zip(patches, places, strict=True):
            self._add(patch, self._checked(place, tuple(patch.shape[1:])))

    def result(self) -> torch.Tensor:
        """The volume (K, D, H, W) in the type of the predictions; means of whole numbers are rounded.

        Raises:
            DatamintDatasetException: No patch covered some voxels.

        Example:
            >>> grid = volumes.patch_grid(32)
            >>> aggregator = grid.aggregator(0)
            >>> for batch in grid.get_dataloader(batch_size=8):
            ...     aggregator.add(batch["image"], batch["location"])
            >>> torch.equal(aggregator.result(), volumes[0]["image"])
            True
        """
        missing = int((self._reached == 0).sum())
        if self._values is None or missing:
            raise DatamintDatasetException(
                f"{missing} of {self._reached.numel()} voxels have no prediction yet: add those of all patches of "
                "the volume."
            )
        if self._dtype.is_floating_point or self._weights == "crop":
            return self._values.to(self._dtype)
        return self._values.round().to(self._dtype)

    def _prepare(self, patches: torch.Tensor) -> None:
        """Make room as the first batch needs it, and hold others to it."""
        if self._values is None:
            self._dtype = patches.dtype
            kept = torch.float32 if patches.dtype in _NARROW else torch.float64
            if self._weights == "crop":
                kept = patches.dtype
            self._values = torch.zeros((patches.shape[1], *self._shape), dtype=kept)
        elif len(self._values) != patches.shape[1] or self._dtype != patches.dtype:
            raise DatamintDatasetException(
                f"Predictions changed from {len(self._values)} channels of {self._dtype} to {patches.shape[1]} of "
                f"{patches.dtype}."
            )

    def _checked(self, place: Any, size: tuple[int, ...]) -> Location:
        try:
            d, h, w = ((int(start), int(stop)) for start, stop in place)
        except (TypeError, ValueError) as error:
            raise DatamintDatasetException(
                f"A location is ((d0, d1), (h0, h1), (w0, w1)), not {place!r:.80}."
            ) from error
        if (d[1] - d[0], h[1] - h[0], w[1] - w[0]) != size:
            raise DatamintDatasetException(
                f"A prediction of size {size} does not fit its location {(d, h, w)}. Predictions keep the size of "
                "their patch."
            )
        if any(stop <= 0 or start >= whole for (start, stop), whole in zip((d, h, w), self._shape, strict=True)):
            raise DatamintDatasetException(f"The patch {(d, h, w)} lies outside of the volume {self._shape}.")
        return d, h, w

    def _add(self, patch: torch.Tensor, location: Location) -> None:
        assert self._values is not None
        within, offset = inside(location, self._shape)
        there = tuple(slice(*span) for span in within)
        here = tuple(slice(at, at + stop - start) for at, (start, stop) in zip(offset, within, strict=True))
        values, reached = self._values[(slice(None), *there)], self._reached[there]
        added = patch[(slice(None), *here)]
        if self._weights == "crop":
            depth = _depth(location, self._shape)[here]
            deeper = depth > reached
            values.copy_(torch.where(deeper, added, values))
            reached.copy_(torch.where(deeper, depth, reached))
            return
        weight = _hann(location)[here] if self._weights == "hann" else torch.ones(())
        reached += weight
        step = (added.to(values.dtype) - values) * (weight / reached).to(values.dtype)
        values.copy_(torch.where(added == values, values, values + step))  # equal values stay, infinite ones too


def _size(location: Location) -> Triple:
    d, h, w = (stop - start for start, stop in location)
    return d, h, w


def _hann(location: Location) -> torch.Tensor:
    """A Hann window over a patch, above 0 everywhere: the product of sin^2(pi (n + 1/2) / size) along the axes."""
    d, h, w = (torch.sin(torch.pi * (torch.arange(size) + 0.5) / size) ** 2 for size in _size(location))
    return d[:, None, None] * h[:, None] * w


def _depth(location: Location, shape: Triple) -> torch.Tensor:
    """How deep each voxel lies in a patch: its distance to the nearest face that does not end with the volume."""
    axes = []
    for (start, stop), whole in zip(location, shape, strict=True):
        places = torch.arange(stop - start, dtype=torch.float32) + 1
        low = places if start > 0 else torch.full_like(places, torch.inf)
        high = places.flip(0) if stop < whole else torch.full_like(places, torch.inf)
        axes.append(torch.minimum(low, high))
    d, h, w = axes
    return torch.minimum(torch.minimum(d[:, None, None], h[:, None]), w)
