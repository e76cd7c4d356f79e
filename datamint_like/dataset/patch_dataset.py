"""Patches of volumes as a 3-D dataset: some a volume, drawn anew each epoch, or a grid that covers each volume."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from datamint_like._words import counted
from datamint_like.dataset.base import DatamintBaseDataset
from datamint_like.dataset.cut import Cut
from datamint_like.dataset.grid_aggregator import GridAggregator, Weights
from datamint_like.dataset.item import Item
from datamint_like.dataset.locations import Location, Triple, centred, grid_extent, on_grid, triple, uniform
from datamint_like.dataset.metainfo import patch_metainfo_of
from datamint_like.dataset.options import whole_number
from datamint_like.dataset.patch_reader import fitting, raw_patch_item, voxel_of_class
from datamint_like.dataset.pieces_dataset import PiecesDataset
from datamint_like.dataset.prepared import Prepared
from datamint_like.dataset.rows import RowNumbers
from datamint_like.dataset.seeds import EpochIndex, checked_seed, drawn_seed, item_seed
from datamint_like.dataset.slice_reader import Volume
from datamint_like.exceptions import DatamintDatasetException
from datamint_like.imaging import required_facts
from datamint_like.imaging.intensity import type_of_values
from datamint_like.imaging.types import Kind

Rows = npt.NDArray[np.int64]
Balance = str | Mapping[str, float] | None
#: Keep the draws of a patch's place, and of a volume's turn, apart from those of its transforms.
_PLACE, _TURN = 1, 2
#: The share of a class that `balance` names alone.
_HALF = 0.5


class PatchesDataset(PiecesDataset):
    """Patches of volumes: `image` (C, d, h, w), masks cut alike.

    Only the slices that a patch crosses are read, out of the axial pack of its volume. An item has `location`, int64
    (3, 2): ((d0, d1), (h0, h1), (w0, w1)) in voxels of the volume; its `metainfo["affine"]` is its own; its
    `frame_labels` are those of the stored planes that it crosses. Where a volume is smaller than the patch, it lies
    in the middle: the rest of the image has one value (`pad_value`), the rest of the masks is background, and
    `location` reaches beyond the volume. Boxes are those of the planes that the patch crosses, in its own voxels,
    clipped to what it holds of the volume; one that it does not overlap is left out.
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"volume"})
    _whole_name = "volumes"
    _size: Triple
    _pad_value: float

    def _adopt_volumes(self, parent: DatamintBaseDataset, size: int | Triple, pad_value: float, **own: Any) -> None:
        if isinstance(pad_value, bool) or not isinstance(pad_value, Real) or not np.isfinite(float(pad_value)):
            raise DatamintDatasetException(f"pad_value is a finite number, not {pad_value!r:.80}.")
        extents, limit = triple("size", size, least=1), parent._reading.read.max_voxels
        if math.prod(extents) > limit:
            raise DatamintDatasetException(f"Patches of {extents} have more than the {limit} voxels that are allowed.")
        own |= {"_size": extents, "_pad_value": pad_value}
        self._adopt(parent, Cut.along(0, parent._reading.read.orientation), **own)

    def _pieces_of(self, prepared: Prepared, resources: Rows) -> RowNumbers:
        self._refuse_uneven(prepared, resources, "uneven_axis IS NOT NULL", "into patches", "Slice them instead, ")
        self._check_pad_value(prepared, resources)
        return super()._pieces_of(prepared, resources)

    def _check_pad_value(self, prepared: Prepared, resources: Rows) -> None:
        """Refuse a value that a volume smaller than the patch cannot be padded with, before any patch is read.

        Raises:
            DatamintDatasetException: The type of such a volume does not hold it.
        """
        smaller = (self._shapes_of(prepared)[resources] < np.array(self._size)).any(axis=1)
        for row in resources[smaller].tolist():
            resource = prepared.snapshot.resource(row)
            dtype = type_of_values(required_facts(resource), self._reading.read)
            if dtype is not None:
                fitting(self._pad_value, np.dtype(dtype), resource.filename)

    def _shapes_of(self, prepared: Prepared) -> Rows:
        """(D, H, W) of the item of each row of the snapshot."""
        native = self._reading.read.orientation == "native"
        columns = ("k", "j", "i") if native else ("d", "h", "w")
        return np.array([prepared.snapshot.column(name) for name in columns], dtype=np.int64).reshape(3, -1).T

    def _pieces_before(self, prepared: Prepared) -> Rows:
        counts = self._patches_each(self._shapes_of(prepared))
        volumes = np.array([kind == "volume" for kind in prepared.snapshot.column("kind")], dtype=np.bool_)
        return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(np.where(volumes, counts, 0))])

    def _get_raw_item(self, index: int) -> Item:
        number = EpochIndex(int(self._rows[self._position(index)]), getattr(index, "epoch", 0))
        return raw_patch_item(self._slices, *self._place(number), self._output, self._pad_value)

    def _metainfo(self, row: int) -> dict[str, Any]:
        volume, location = self._place(EpochIndex(row, getattr(row, "epoch", 0)))
        return patch_metainfo_of(volume.place, location, self._read.units(volume.facts))

    def _place(self, number: EpochIndex) -> tuple[Volume, Location]:
        """Of which volume the patch of a number is, and where it lies in it."""
        row, patch = self._locate(number)
        volume = self._slices.volume(row)
        return volume, self._location(volume, patch, number)

    @abstractmethod
    def _patches_each(self, shapes: Rows) -> Rows:
        """How many patches volumes of these shapes have."""

    @abstractmethod
    def _location(self, volume: Volume, patch: int, number: EpochIndex) -> Location:
        """Where a patch lies.

        Args:
            volume: Its volume.
            patch: Which patch of the volume it is.
            number: Its number in the snapshot, and the epoch.
        """

    def _fingerprint_options(self) -> tuple[object, ...]:
        return (*super()._fingerprint_options(), self._size, self._pad_value)


class PatchDataset(PatchesDataset):
    """`n` patches of every volume, drawn anew each epoch; see `VolumeDataset.patches`.

    Example:
        >>> patches = volumes.patches((8, 32, 32), n=4, balance="bone", seed=1)
        >>> len(patches), patches[0]["location"].shape
        (4, torch.Size([3, 2]))
    """

    _how_made = "Mine(volumes, size, n)"
    _count: int
    _shares: dict[str, float]

    def __init__(
        self,
        parent_dataset: DatamintBaseDataset,
        size: int | Triple,
        n: int,
        *,
        balance: Balance = None,
        seed: int | None = None,
        pad_value: float = 0,
    ) -> None:
        """See `VolumeDataset.patches`."""
        shares = _shares_of(balance, parent_dataset.prepare().segmentation_labels_set)
        own: dict[str, Any] = {"_count": whole_number("n", n, least=1), "_shares": shares}
        if seed is not None:
            own["_seed"] = checked_seed(seed)
        self._adopt_volumes(parent_dataset, size, pad_value, **own)

    def _patches_each(self, shapes: Rows) -> Rows:
        return np.full(len(shapes), self._count, dtype=np.int64)

    def _location(self, volume: Volume, patch: int, number: EpochIndex) -> Location:
        generator = self._generator(number, number.epoch, _PLACE)
        name = self._class_of(volume, patch, number.epoch)
        voxel = None if name is None else voxel_of_class(self._slices, volume, name, generator)
        if voxel is None:
            return uniform(generator, self._size, volume.shape)
        return centred(voxel, self._size, volume.shape)

    def _class_of(self, volume: Volume, patch: int, epoch: int) -> str | None:
        """The class that a patch of a volume is centred on, None for any place.

        The patches of a volume take even steps through the shares from a start that is drawn for the volume, so that
        every epoch has each share but for one patch, and over epochs exactly.
        """
        if not self._shares:
            return None
        turn = self._generator(int(self._starts[volume.row]), epoch, _TURN).random()
        reached = (patch + turn) / self._count
        for name, share in self._shares.items():
            if reached < share:
                return name
            reached -= share
        return None

    def _generator(self, number: int, epoch: int, purpose: int) -> np.random.Generator:
        """Random numbers that follow from (seed, epoch, number); without a seed from torch's."""
        seed = drawn_seed() if self._seed is None else item_seed(self._seed, epoch, number)
        return np.random.default_rng((purpose, seed))

    def _fingerprint_options(self) -> tuple[object, ...]:
        return (*super()._fingerprint_options(), self._count, tuple(self._shares.items()))


class PatchGrid(PatchesDataset):
    """All patches of a grid that covers every volume; see `VolumeDataset.patch_grid`.

    Example:
        >>> grid = volumes.patch_grid((16, 64, 64))
        >>> len(grid), grid.num_volumes
        (8, 1)
    """

    _how_made = "Mine(volumes, size, overlap)"
    _step: Triple

    def __init__(
        self,
        parent_dataset: DatamintBaseDataset,
        size: int | Triple,
        overlap: int | Triple = 0,
        *,
        pad_value: float = 0,
    ) -> None:
        """See `VolumeDataset.patch_grid`."""
        extents, shared = triple("size", size, least=1), triple("overlap", overlap, least=0)
        d, h, w = (extent - common for extent, common in zip(extents, shared, strict=True))
        if min(d, h, w) < 1:
            raise DatamintDatasetException(f"overlap {overlap!r} must be smaller than the patch, {size!r}.")
        self._adopt_volumes(parent_dataset, size, pad_value, _step=(d, h, w))

    def _patches_each(self, shapes: Rows) -> Rows:
        axes = (grid_extent(shapes[:, n], self._size[n], self._step[n]) for n in range(3))
        each: Rows = np.prod(np.array(list(axes), dtype=np.int64), axis=0)
        return each

    def _location(self, volume: Volume, patch: int, number: EpochIndex) -> Location:
        return on_grid(patch, self._size, self._step, volume.shape)

    @cached_property
    def _volumes(self) -> Rows:
        """The snapshot's row of each volume, in order of first appearance."""
        rows, first = np.unique(self._resource_rows(), return_index=True)
        found: Rows = rows[np.argsort(first)]
        return found

    @property
    def num_volumes(self) -> int:
        """Of how many volumes there are patches."""
        return len(self._volumes)

    def of_volume(self, index: int) -> Self:
        """The patches of one volume, from 0 in the order of the dataset.

        Raises:
            IndexError: There is no such volume.

        Example:
            >>> len(volumes.patch_grid((16, 64, 64)).of_volume(0))
            8
        """
        return self.subset(np.asarray(self._resource_rows() == self._volume_row(index)))

    def aggregator(self, index: int, weights: Weights = "average") -> GridAggregator:
        """What puts predictions for the patches of one volume together; see `GridAggregator`.

        Raises:
            IndexError: There is no such volume.

        Example:
            >>> grid = volumes.patch_grid((16, 64, 64))
            >>> aggregator = grid.aggregator(0, weights="crop")
            >>> for batch in grid.of_volume(0).get_dataloader(batch_size=4):
            ...     aggregator.add(batch["image"] > 300, batch["location"])
            >>> aggregator.result().dtype
            torch.bool
        """
        return GridAggregator(self._slices.volume(self._volume_row(index)).shape, weights)

    def _volume_row(self, index: int) -> int:
        if not -self.num_volumes <= index < self.num_volumes:
            raise IndexError(f"Volume {index} of a {type(self).__name__} with {counted(self.num_volumes, 'volume')}.")
        return int(self._volumes[index])

    def _with_rows(self, *args: Any, **kwargs: Any) -> Self:
        part = super()._with_rows(*args, **kwargs)
        part.__dict__.pop("_volumes", None)
        return part

    def _fingerprint_options(self) -> tuple[object, ...]:
        return (*super()._fingerprint_options(), self._step)


def _shares_of(balance: Balance, labels: list[str]) -> dict[str, float]:
    """The share of patches of each class.

    Raises:
        DatamintDatasetException: A class is unknown, or the shares are no parts of one whole.
    """
    if balance is None:
        return {}
    shares = {balance: _HALF} if isinstance(balance, str) else balance
    if not isinstance(shares, Mapping):
        raise DatamintDatasetException(f"balance is a class, or {{class: share}}, not {balance!r:.80}.")
    for name, share in shares.items():
        if name not in labels:
            raise DatamintDatasetException(f"balance names the class {name!r}; the dataset has {labels or 'none'}.")
        if isinstance(share, bool) or not isinstance(share, Real) or not 0 <= float(share) <= 1:
            raise DatamintDatasetException(f"The share of {name!r} is a number from 0 to 1, not {share!r:.80}.")
    if sum(shares.values()) > 1 + 1e-9:
        raise DatamintDatasetException(f"The shares of balance sum to {sum(shares.values()):.4g}, which is above 1.")
    return {name: float(share) for name, share in shares.items()}
