"""Memory in which workers hand batches over, used again and again.

torch puts each tensor of each batch into new shared memory: the kernel clears it page by page, the main process maps
it, and both take it down again, which is up to a quarter of what a worker does for a batch of slices. Here a worker
keeps its blocks: it fills one, says which, and fills it again once nothing in the main process looks at it any more.

A block starts with a byte that says that the main process has mapped it, and one for each tensor that was sent of it:
the worker sets that byte, the main process clears it when the tensor, and all that shares its memory, is gone. A byte
has one writer at a time, so there are no locks. What does not lie in a block goes the way of torch, and so does all
that a `DataLoader` of torch's own makes: its workers do not `lend_batches`.
"""

from __future__ import annotations

import itertools
import math
import os
import secrets
import weakref
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.multiprocessing.reductions import reduce_tensor

#: Bytes before the data of a block, which is aligned to as many.
_HEAD = 64
_MAPPED = 0
_NONE_SENT = bytes(_HEAD - 1)
_PAGE = 4096

_Bytes = npt.NDArray[np.uint8]
#: The process of a worker, and what tells it from an earlier one with its number.
_Worker = tuple[int, str]


class _Place(NamedTuple):
    """Where a tensor lies: in which block, which of its first bytes stands for it, and how it lies in the rest."""

    block: int
    byte: int
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int


@dataclass
class _Block:
    """Shared memory of a worker.

    Attributes:
        number: Its name between the two processes.
        shared: The whole, as torch shares it.
        memory: The same bytes.
        user: The array of its tensor, for as long as that or anything that shares its memory is in the worker.
        sent: How many tensors were sent of it since it was filled.
    """

    number: int
    shared: torch.Tensor
    memory: _Bytes
    user: weakref.ref[npt.NDArray[Any]] | None = None
    sent: int = 0

    @classmethod
    def of(cls, number: int, size: int) -> _Block:
        """A new one of at least so many bytes."""
        storage = torch.UntypedStorage._new_shared(-(-size // _PAGE) * _PAGE)  # type: ignore[no-untyped-call]
        shared = torch.empty(0, dtype=torch.uint8).set_(storage)
        shared[:_HEAD] = 0
        return cls(number, shared, shared.numpy())

    @property
    def idle(self) -> bool:
        """Whether nothing looks at it, here or in the main process."""
        return (self.user is None or self.user() is None) and self.memory[1:_HEAD].tobytes() == _NONE_SENT

    @property
    def address(self) -> int:
        """Where its data lie."""
        return self.shared.data_ptr() + _HEAD

    def send(self, tensor: torch.Tensor) -> _Place:
        """The place of a tensor in it, looked at from now on."""
        array = tensor.numpy()
        self.sent += 1
        self.memory[self.sent] = 1
        offset = tensor.data_ptr() - self.shared.data_ptr()
        return _Place(self.number, self.sent, array.dtype.str, array.shape, array.strides, offset)


class _Blocks:
    """The blocks of this worker."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._worker: _Worker = (self._process, secrets.token_hex(8))
        self._numbers = itertools.count()
        self._by_address: dict[int, _Block] = {}
        self._given_up: deque[int] = deque()

    def empty(self, shape: Sequence[int], dtype: np.dtype[Any]) -> torch.Tensor:
        """A tensor in an idle block, its values undefined."""
        block = self._idle(_HEAD + math.prod(shape) * dtype.itemsize)
        array = np.ndarray(tuple(shape), dtype, buffer=block.memory, offset=_HEAD)
        block.user, block.sent = weakref.ref(array), 0
        return torch.from_numpy(array)

    def reduced(self, tensor: torch.Tensor) -> tuple[Any, ...]:
        """How a tensor is pickled for the main process: by its place, if it lies in a block."""
        block = self._by_address.get(tensor.untyped_storage().data_ptr()) if _is_plain(tensor) else None
        if block is None or block.sent == len(_NONE_SENT) or os.getpid() != self._process:
            usual: tuple[Any, ...] = reduce_tensor(tensor)  # type: ignore[no-untyped-call]
            return usual
        given_up = tuple(self._given_up.popleft() for _ in range(len(self._given_up)))
        unmapped = None if block.memory[_MAPPED] else block.shared
        return _received, (self._worker, block.send(tensor), unmapped, given_up)

    def _idle(self, size: int) -> _Block:
        """An idle block of at least so many bytes, and at most twice as many; a new one in place of all idle ones."""
        idle = [block for block in self._by_address.values() if block.idle]
        fitting = [block for block in idle if size <= len(block.memory) <= max(2 * size, _PAGE)]
        if fitting:
            return min(fitting, key=lambda block: len(block.memory))
        for block in idle:
            del self._by_address[block.address]
            self._given_up.append(block.number)
        block = _Block.of(next(self._numbers), size)
        self._by_address[block.address] = block
        return block


#: Those of this worker, and in the main process those of every worker.
_blocks: _Blocks | None = None
_mapped: dict[_Worker, dict[int, _Bytes]] = {}


def lend_batches() -> None:
    """Let this worker hand over what lies in an `empty_batch` by the place where it lies."""
    global _blocks
    _mapped.clear()  # what a fork inherited
    _blocks = _Blocks()
    ForkingPickler.register(torch.Tensor, _blocks.reduced)


def empty_batch(items: Sequence[torch.Tensor]) -> torch.Tensor | None:
    """A tensor (n, ...) for some that agree in shape and type, in memory that is handed over as it lies.

    Its values are undefined. None where that cannot be: outside of a worker that lends, and for tensors that numpy
    cannot look at.
    """
    if _blocks is None or not all(type(each) is torch.Tensor and _is_plain(each) for each in items):
        return None
    try:
        dtype = items[0].numpy().dtype
    except TypeError:  # such as bfloat16
        return None
    return _blocks.empty((len(items), *items[0].shape), dtype)


def forget_workers(processes: Collection[int]) -> None:
    """Give up the memory of workers that have ended; tensors that lie in it keep theirs."""
    for worker in [worker for worker in _mapped if worker[0] in processes]:
        _mapped.pop(worker, None)


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether numpy can look at its memory as it is, but for the type."""
    flat = tensor.layout == torch.strided and tensor.device.type == "cpu" and tensor.numel() > 0
    return flat and not (tensor.requires_grad or tensor.is_conj() or tensor.is_neg() or tensor.is_quantized)


def _received(worker: _Worker, place: _Place, unmapped: torch.Tensor | None, given_up: tuple[int, ...]) -> torch.Tensor:
    """The tensor that a worker sent, in the main process."""
    blocks = _mapped.setdefault(worker, {})
    for number in given_up:
        blocks.pop(number, None)
    if unmapped is not None and place.block not in blocks:
        blocks[place.block] = unmapped.numpy()
        blocks[place.block][_MAPPED] = 1
    memory = blocks[place.block]
    array = np.ndarray(place.shape, place.dtype, memory, place.offset, place.strides)
    weakref.finalize(array, _free, memory, place.byte, os.getpid()).atexit = False
    return torch.from_numpy(array)


def _free(memory: _Bytes, byte: int, process: int) -> None:
    """Tell the worker that a tensor is gone."""
    if os.getpid() == process:  # a fork has a tensor of its own, but the block is the same
        memory[byte] = 0
