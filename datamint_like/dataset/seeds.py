"""Random draws that follow from seed, epoch and item alone, whichever process makes them and in what order."""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token

import numpy as np
import torch

from datamint_like.exceptions import DatamintDatasetException

_LONGEST = 1 << 32


class EpochIndex(int):
    """An index that tells the epoch in which its item is asked for, so that persistent workers know it, too.

    Attributes:
        epoch: Counted from 0; that of a bare `int` is 0.
    """

    epoch: int

    def __new__(cls, index: int, epoch: int = 0) -> EpochIndex:
        """The index with its epoch."""
        made = super().__new__(cls, index)
        made.epoch = epoch
        return made

    def __reduce__(self) -> tuple[type[EpochIndex], tuple[int, int]]:
        return EpochIndex, (int(self), self.epoch)

    def __repr__(self) -> str:
        return f"EpochIndex({int(self)}, epoch={self.epoch})"


def item_seed(seed: int, epoch: int, row: int) -> int:
    """The seed of one item's draws, from 0 to 2**32 - 1.

    Example:
        >>> item_seed(1, 0, 5) == item_seed(1, 0, 5), item_seed(1, 0, 5) == item_seed(1, 1, 5)
        (True, False)
    """
    key = struct.pack("<qqq", seed, epoch, row)
    return int.from_bytes(hashlib.blake2b(key, digest_size=4).digest(), "little")


def drawn_seed() -> int:
    """A seed from torch's random numbers, which differ by worker and epoch."""
    return int(torch.randint(_LONGEST, ()).item())


_DRAWING: ContextVar[int | None] = ContextVar("seed of the item that is made", default=None)


class drawing_from:  # noqa: N801 (read as a statement; no generator, since every item of a dataset enters one)
    """A block in which the transforms of an item draw from `seed`."""

    __slots__ = ("_seed", "_token")
    _token: Token[int | None]

    def __init__(self, seed: int | None) -> None:
        """Draw from this seed, or freely with None."""
        self._seed = seed

    def __enter__(self) -> None:
        self._token = _DRAWING.set(self._seed)

    def __exit__(self, *_: object) -> None:
        _DRAWING.reset(self._token)


def current_seed() -> int | None:
    """The seed of the item that is made, None where it has none."""
    return _DRAWING.get()


def checked_seed(seed: object) -> int | None:
    """A whole number from 0 to 2**63 - 1, or None.

    Raises:
        DatamintDatasetException: It is neither.
    """
    if seed is None:
        return None
    if isinstance(seed, (bool, np.bool_)) or not hasattr(seed, "__index__") or not 0 <= seed.__index__() < 2**63:
        raise DatamintDatasetException(f"seed is None or a whole number from 0 to 2**63 - 1, not {seed!r:.80}.")
    return int(seed.__index__())


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """A block in which `random`, numpy and torch start from `seed`; afterwards they go on as if it had not been."""
    python, legacy, tensors = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)
        torch.set_rng_state(tensors)
