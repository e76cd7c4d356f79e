"""A DataLoader that can say how far an epoch went, and go on from there."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sized
from functools import cached_property
from typing import Any, cast

import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.dataloader import _BaseDataLoaderIter, _MultiProcessingDataLoaderIter

from datamint_like.dataset.collate import single
from datamint_like.dataset.holdings import Holdings
from datamint_like.dataset.item import Item
from datamint_like.dataset.options import flag
from datamint_like.dataset.order_state import refuse_other_data
from datamint_like.dataset.received_batches import forget_workers, tell_of_gone
from datamint_like.dataset.sampler import EpochSampler, WithEpochs
from datamint_like.dataset.seeds import checked_seed, drawn_seed
from datamint_like.dataset.worker_start import WorkerStart
from datamint_like.exceptions import DatamintDatasetException

#: Arguments of a `DataLoader` by which its caller decides the order.
_OWN_ORDER = ("sampler", "batch_sampler", "generator")


class _LentBatchesIter(_MultiProcessingDataLoaderIter):
    """An iterator that tells its workers what they may fill again, and lets go of their memory when they end."""

    def __next__(self) -> Any:
        tell_of_gone()
        return super().__next__()

    def end(self) -> None:
        """Let the workers go at once, but for those that stay: the error of one holds this until garbage is collected.

        By then its queues are gone, so that each worker is waited for in vain for five seconds.
        """
        if not self._persistent_workers:
            self._shutdown_workers()

    def _shutdown_workers(self) -> None:
        ended = self._shutdown  # it is called again when this goes; their numbers may then be those of others
        super()._shutdown_workers()
        if not ended and forget_workers is not None:  # at the end of the process names are gone
            forget_workers({worker.pid for worker in self._workers})


class _LentBatches(DataLoader[Item]):
    """A `DataLoader` over such an iterator, where it has workers."""

    def _get_iterator(self) -> _BaseDataLoaderIter:
        if self.num_workers == 0:
            return super()._get_iterator()
        self.check_worker_number_rationality()
        return _LentBatchesIter(self)


class Loader(_LentBatches):
    """A `DataLoader` over an `EpochSampler`, with a state that is exact in the middle of an epoch.

    The state counts what the loops of all ranks have got, not what workers prepared ahead, and tells the data by a
    fingerprint. It is the same on every rank, and any number of ranks can go on from it.

    Example:
        >>> loader = ImageDataset(project="chest", seed=7).get_dataloader(shuffle=True)
        >>> type(loader).__name__, len(loader)
        ('Loader', 3)
    """

    sampler: EpochSampler
    _epoch: int | None = None
    _start = _taken = 0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # a generator counts what is delivered
        sampler, size = self.sampler, self.batch_size or 1
        self._epoch, self._start, self._taken = sampler.epoch, sampler.start, 0
        batches = super().__iter__()
        try:
            for batch in batches:
                self._taken += size
                yield batch
        except Exception:
            if isinstance(batches, _LentBatchesIter):
                batches.end()
            raise
        self._epoch = None

    def state_dict(self) -> dict[str, Any]:
        """Where this loader is: the batches of the epoch under way that were delivered, or the start of the next.

        Raises:
            DatamintDatasetException: An epoch is under way whose batches come in no order (`in_order=False`).

        Example:
            >>> loader = ImageDataset(project="chest", seed=7).get_dataloader(shuffle=True)
            >>> first = next(iter(loader))
            >>> state = loader.state_dict()  # plain values: put them into your checkpoint
            >>> state["epoch"], state["position"], state["length"]
            (0, 1, 3)
        """
        told = {"fingerprint": self._fingerprint}
        if self._epoch is None:
            return self.sampler.state_dict() | told
        if not self.in_order:
            raise DatamintDatasetException(
                "With in_order=False batches come as workers finish, so no state tells which came. Ask for the state "
                "between epochs, or leave in_order at True."
            )
        position = self.sampler.after(self._start, self._taken)
        return self.sampler.state_dict(position=position) | {"epoch": self._epoch} | told

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next pass go on where `state_dict` was taken; a refused state changes nothing.

        Raises:
            DatamintDatasetException: It is no state, is out of bounds, or is of another dataset, part, `shuffle` or
                `seed` (one that was given; a drawn one gives way to that of the state).

        Example:
            >>> loader = ImageDataset(project="chest", seed=7).get_dataloader(shuffle=True)
            >>> batches = iter(loader)
            >>> first, state = next(batches), loader.state_dict()
            >>> again = ImageDataset(project="chest", seed=7).get_dataloader(shuffle=True)
            >>> again.load_state_dict(state)
            >>> torch.equal(next(iter(again))["image"], next(batches)["image"])
            True
        """
        self.sampler.check_state(state)
        refuse_other_data(state, self._fingerprint)
        self.sampler.load_state_dict(state)
        self._epoch = None

    @cached_property
    def _fingerprint(self) -> str | None:
        """That of the data; None of the deprecated datasets, which have none."""
        return self.dataset.order_fingerprint() if isinstance(self.dataset, Holdings) else None


class OwnOrderLoader(_LentBatches):
    """A `DataLoader` in an order of the caller's, whose items draw anew in each pass.

    `sampler` and `batch_sampler` are the caller's own objects; the epoch goes on their indices behind them.
    """

    @property
    def _index_sampler(self) -> Any:  # where torch takes the order from
        return self._with_epochs

    @cached_property
    def _with_epochs(self) -> WithEpochs:
        return WithEpochs(super()._index_sampler, self.sampler)


def loader_of(
    dataset: Dataset[Item], seed: int | None, collate: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> DataLoader[Item]:
    """A `Loader` by the arguments of a `DataLoader`; an `OwnOrderLoader` where they bring a sampler or generator.

    Batches are made by `collate` unless the arguments say otherwise; without batches items stay as they are.

    Raises:
        TypeError: The arguments are not those of a `DataLoader`.
        DatamintDatasetException: `shuffle` is no truth value, or `seed` no seed.
    """
    given = _arguments(dataset, args, kwargs)
    seed = checked_seed(seed)
    if given.get("shuffle") is not None:
        given["shuffle"] = flag("shuffle", given["shuffle"])
    if "collate_fn" not in given:
        given["collate_fn"] = collate if given.get("batch_size", 1) is not None else single
    given["worker_init_fn"] = WorkerStart(given.get("worker_init_fn"))
    if any(given.get(name) is not None for name in _OWN_ORDER):
        return OwnOrderLoader(**given)
    given = {name: value for name, value in given.items() if name not in _OWN_ORDER}
    rank, world_size = _ranks()
    drawn = seed is None
    if seed is None:  # ranks must agree; alone, torch.manual_seed decides
        seed = 0 if world_size > 1 else drawn_seed()
    items, shuffle = cast("Sized", dataset), bool(given.pop("shuffle", False))
    sampler = EpochSampler(items, shuffle=shuffle, seed=seed, drawn=drawn, rank=rank, world_size=world_size)
    return Loader(**given, sampler=sampler)


def _arguments(dataset: Dataset[Item], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a `DataLoader` over the dataset, by name.

    Raises:
        TypeError: They are not those of a `DataLoader`; it names those there are, and the one that was likely meant.
    """
    signature = inspect.signature(DataLoader)
    known = [name for name in signature.parameters if name != "dataset"]
    for keyword in kwargs:
        if keyword not in known:
            close = difflib.get_close_matches(keyword, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise TypeError(f"get_dataloader() has no argument {keyword!r}.{hint} It takes {', '.join(known)}.")
    try:
        return dict(signature.bind(dataset, *args, **kwargs).arguments)
    except TypeError as error:
        raise TypeError(f"get_dataloader(): {error}. It takes {', '.join(known)}.") from error


def _ranks() -> tuple[int, int]:
    """Which process of how many this is, by torch's process group."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1
