"""In which order items are asked for: by seed and epoch, over several ranks, and on from where it was left."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sized
from typing import Any

from torch.utils.data import Sampler

from datamint_like._words import counted
from datamint_like.dataset.order_state import require_keys, truth, whole_number
from datamint_like.dataset.seeds import EpochIndex, item_seed
from datamint_like.exceptions import DatamintDatasetException

_ORDER = -1  # stands for the row in the seed of an epoch's order


class EpochSampler(Sampler[int]):
    """Each index of a dataset once an epoch, with the epoch on it; the order follows from seed and epoch alone.

    Every pass is the next epoch. Over several ranks each takes every `world_size`-th index of the same order; where
    the length does not divide, the first indices are asked for twice, as `DistributedSampler` does, so that ranks
    make as many steps.

    Args:
        dataset: What has a length.
        shuffle: Whether the order is random.
        seed: Where the order starts; None draws one now.
        drawn: Whether `seed` was drawn too, so that a state may bring another.
        rank: Which of the processes this is.
        world_size: How many processes share an epoch.

    Attributes:
        epoch: That of the next pass.
        start: How many places of its order, counted over all ranks, the next pass leaves out.

    Example:
        >>> sampler = EpochSampler(range(4), shuffle=True, seed=7)
        >>> sorted(sampler), [index.epoch for index in sampler]
        ([EpochIndex(0, epoch=0), EpochIndex(1, epoch=0), EpochIndex(2, epoch=0), EpochIndex(3, epoch=0)], [1, 1, 1, 1])
    """

    def __init__(
        self,
        dataset: Sized,
        *,
        shuffle: bool,
        seed: int | None = None,
        drawn: bool = False,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if not 0 <= rank < world_size:
            raise DatamintDatasetException(f"Rank {rank} is not one of {world_size} processes (0 to {world_size - 1}).")
        self._length = len(dataset)
        self._shuffle = shuffle
        self._drawn = drawn or seed is None
        self._seed = random.getrandbits(62) if seed is None else seed
        self._rank, self._world_size = rank, world_size
        self.epoch, self.start = 0, 0

    def __len__(self) -> int:
        """Indices of a whole epoch on this rank."""
        return -(-self._length // self._world_size)

    def __iter__(self) -> Iterator[int]:  # a generator: loaders with workers ask for it twice and use it once
        epoch, start = self.epoch, self.start
        self.epoch, self.start = epoch + 1, 0
        order = list(range(self._length))
        if self._shuffle:
            random.Random(item_seed(self._seed, epoch, _ORDER)).shuffle(order)
        steps = -(-(self._length - start) // self._world_size)
        for place in range(start + self._rank, start + steps * self._world_size, self._world_size):
            yield EpochIndex(order[place % self._length], epoch)

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass that of `epoch`: from its start, or from where a state that was loaded left this epoch.

        Training loops call this before every epoch, also before the one that a checkpoint goes on with.
        """
        if epoch != self.epoch:
            self.epoch, self.start = epoch, 0

    def after(self, start: int, taken: int) -> int:
        """How many places of an epoch's order all ranks are through when each took so many since `start`."""
        return min(start + taken * self._world_size, self._length)  # the last of an epoch may be fewer

    def state_dict(self, *, position: int | None = None) -> dict[str, Any]:
        """Where the next pass goes on: plain values, for a checkpoint; `position` is another place in its epoch.

        The place counts all ranks, which make as many steps: the state is the same on each, and any number of ranks
        can go on from it.
        """
        return {
            "epoch": self.epoch,
            "position": self.start if position is None else position,
            "shuffle": self._shuffle,
            "seed": self._seed,
            "length": self._length,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken; a seed that was drawn gives way to that of the state.

        Raises:
            DatamintDatasetException: See `check_state`.
        """
        self.check_state(state)
        self.epoch, self.start, self._seed = int(state["epoch"]), int(state["position"]), int(state["seed"])

    def check_state(self, state: Mapping[str, Any]) -> None:
        """Nothing, where `load_state_dict` would take this state.

        Raises:
            DatamintDatasetException: It is no state, is of another length, `shuffle` or `seed`, or is out of bounds.
        """
        require_keys(state, "epoch", "position", "shuffle", "seed", "length")
        length, shuffle, seed = whole_number(state, "length"), truth(state, "shuffle"), whole_number(state, "seed")
        if length != self._length:
            raise DatamintDatasetException(
                f"The state is of a dataset with {counted(length, 'item')}, this one has {self._length}. "
                "Make the same dataset, or start anew."
            )
        if shuffle != self._shuffle:
            raise DatamintDatasetException(
                f"The state is of shuffle={shuffle}, this loader has shuffle={self._shuffle}. "
                f"Make the loader with shuffle={shuffle}, or start anew."
            )
        if not self._drawn and seed != self._seed:
            raise DatamintDatasetException(
                f"The state is of seed={seed}, this one has seed={self._seed}. "
                f"Make the dataset with seed={seed}, or without a seed if it had none, or start anew."
            )
        whole_number(state, "epoch", least=0)
        whole_number(state, "position", least=0, most=self._length)


class WithEpochs:
    """The indices of a sampler of any kind, or of batches of them, each with the epoch that the pass is.

    A sampler that is told its epoch (`DistributedSampler.set_epoch`) says which the next pass is; else it is the one
    after the last.
    """

    def __init__(self, indices: Any, sampler: object) -> None:
        """Pass on `indices`; `sampler` is what may know its epoch."""
        self._indices, self._sampler = indices, sampler
        self._epoch, self._told = -1, 0

    def __len__(self) -> int:
        return len(self._indices)

    def __iter__(self) -> Iterator[Any]:  # a generator, as that of `EpochSampler`
        told = getattr(self._sampler, "epoch", 0)
        self._epoch = told if isinstance(told, int) and told != self._told else self._epoch + 1
        self._told, epoch = told, self._epoch
        for each in self._indices:
            yield [_in_epoch(index, epoch) for index in each] if isinstance(each, list) else _in_epoch(each, epoch)


def _in_epoch(index: Any, epoch: int) -> Any:
    return EpochIndex(index, epoch) if isinstance(index, int) else index
