"""Memory in which workers hand batches over, used again and again.

torch puts each tensor of each batch into new shared memory: the kernel clears it page by page, the main process maps
it, and both take it down again, which is up to a quarter of what a worker does for a batch of slices. Here a worker
keeps its blocks: it fills one, says which, and fills it again once nothing in the main process looks at it any more
(`received_batches` tells).

What does not lie in a block goes the way of torch, and so does what a worker sends to others than its loader, and all
that a `DataLoader` of torch's own makes: its workers do not `lend_batches`.
"""

from __future__ import annotations

import inspect
import itertools
import math
import multiprocessing
import os
import secrets
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from multiprocessing.util import Finalize
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.multiprocessing.reductions import reduce_tensor

from datamint_like.dataset.received_batches import (
    HEAD,
    KEPT,
    MAPPED,
    SENT,
    Bytes,
    Place,
    Worker,
    forget_all,
    received,
)

_PAGE = 4096
#: After a worker's queues are done, which have -5.
_LAST = -10
#: So many tensors later a block that none of them needed is let go.
_PATIENCE = 64


@dataclass
class _Block:
    """Shared memory of a worker.

    Attributes:
        number: Its name between the two processes.
        shared: The whole, as torch shares it.
        memory: The same bytes.
        user: The array of its tensor, for as long as that or anything that shares its memory is in the worker.
        sent: How many tensors were sent of it since it was filled.
        filled: How many tensors of this worker were in blocks when this was filled last.
    """

    number: int
    shared: torch.Tensor
    memory: Bytes
    user: weakref.ref[npt.NDArray[Any]] | None = None
    sent: int = 0
    filled: int = 0

    @classmethod
    def of(cls, number: int, size: int) -> _Block:
        """A new one of at least so many bytes."""
        storage = torch.UntypedStorage._new_shared(-(-size // _PAGE) * _PAGE)  # type: ignore[no-untyped-call]
        shared = torch.empty(0, dtype=torch.uint8, device="cpu").set_(storage)
        shared[:HEAD] = 0
        return cls(number, shared, shared.numpy())

    @property
    def idle(self) -> bool:
        """Whether nothing looks at it, here or in the main process."""
        return (self.user is None or self.user() is None) and SENT not in self.memory[1:HEAD].tobytes()

    @property
    def kept(self) -> bool:
        """Whether others than the main process may look at it."""
        return KEPT in self.memory[1:HEAD].tobytes()

    @property
    def address(self) -> int:
        """Where its data lie."""
        return self.shared.data_ptr() + HEAD

    def send(self, array: npt.NDArray[Any]) -> Place | None:
        """The place of an array, looked at from now on; None where it does not lie here, or too many were sent."""
        offset = array.ctypes.data - self.shared.data_ptr()
        if self.sent == HEAD - 1 or not HEAD <= offset < len(self.memory):
            return None
        self.sent += 1
        self.memory[self.sent] = SENT
        return Place(self.number, self.sent, array.dtype.str, array.shape, array.strides, offset)


class _Blocks:
    """The blocks of this worker."""

    def __init__(self, results: Any) -> None:
        """Lend what goes into this queue."""
        self.process = os.getpid()
        self._results = results
        self._worker: Worker = (self.process, secrets.token_hex(8))
        self._numbers = itertools.count()
        self._filled = 0
        self._one_at_a_time = threading.Lock()
        self._by_address: dict[int, _Block] = {}
        self._given_up: deque[int] = deque()

    def empty(self, shape: Sequence[int], dtype: np.dtype[Any]) -> torch.Tensor:
        """A tensor in an idle block, its values undefined."""
        with self._one_at_a_time:
            block = self._idle(HEAD + math.prod(shape) * dtype.itemsize)
            array = np.ndarray(tuple(shape), dtype, buffer=block.memory, offset=HEAD)
            self._filled += 1
            block.user, block.sent, block.filled = weakref.ref(array), 0, self._filled
        return torch.from_numpy(array)

    def reduced(self, tensor: torch.Tensor) -> tuple[Any, ...]:
        """How a tensor is pickled: for the main process by its place, if it lies in a block."""
        to_loader = threading.current_thread() is getattr(self._results, "_thread", None)
        block = self._by_address.get(tensor.untyped_storage().data_ptr()) if to_loader and _is_plain(tensor) else None
        array = None if block is None else _as_array(tensor)
        place = None if block is None or array is None else block.send(array)
        if block is None or place is None:
            usual: tuple[Any, ...] = reduce_tensor(tensor)  # type: ignore[no-untyped-call]
            return usual
        given_up = tuple(self._given_up.popleft() for _ in range(len(self._given_up)))
        return received, (self._worker, place, None if block.memory[MAPPED] else block.shared, given_up)

    def give_up(self, blocks: Iterable[_Block]) -> None:
        """Fill some no more."""
        for block in blocks:
            if self._by_address.pop(block.address, None) is not None:
                self._given_up.append(block.number)

    def give_up_all(self) -> None:
        """Fill none of those there are any more."""
        self.give_up(list(self._by_address.values()))

    def _idle(self, size: int) -> _Block:
        """An idle block of at least so many bytes, and at most twice as many; a new one in place of all idle ones."""
        idle = [block for block in self._by_address.values() if block.idle]
        fitting = [block for block in idle if size <= len(block.memory) <= max(2 * size, _PAGE) and not block.kept]
        found = min(fitting, key=lambda block: (len(block.memory), -block.filled), default=None)
        old = self._filled - _PATIENCE
        self.give_up(each for each in idle if each is not found and (found is None or each.kept or each.filled < old))
        if found is None:
            found = _Block.of(next(self._numbers), size)
            self._by_address[found.address] = found
        return found


_blocks: _Blocks | None = None


def lend_batches() -> None:
    """Let this worker hand over to its loader what lies in an `empty_batch` by the place where it lies."""
    global _blocks
    forget_all()  # what a fork inherited
    results = _results()
    if results is not None:
        _blocks = _Blocks(results)
        ForkingPickler.register(torch.Tensor, _blocks.reduced)
        # When all is sent: memory that torch shares by name stays there unless each process gives it up.
        Finalize(None, _blocks.give_up_all, exitpriority=_LAST)


def _results() -> Any:
    """The queue by which this process, if it is a worker, hands batches to its loader."""
    process: Any = multiprocessing.current_process()
    loop = getattr(process, "_target", None)
    if not (callable(loop) and loop.__module__ == "torch.utils.data._utils.worker"):
        return None
    given = inspect.signature(loop).bind(*process._args, **process._kwargs)
    return given.arguments.get("data_queue")


def empty_batch(items: Sequence[torch.Tensor]) -> torch.Tensor | None:
    """A tensor (n, ...) for some that agree in shape and type, in memory that is handed over as it lies.

    Its values are undefined. None where that cannot be: outside of a worker that lends, and for tensors that numpy
    cannot look at.
    """
    if _blocks is None or _blocks.process != os.getpid():
        return None
    if not all(type(each) is torch.Tensor and _is_plain(each) for each in items):
        return None
    array = _as_array(items[0])
    return None if array is None else _blocks.empty((len(items), *items[0].shape), array.dtype)


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether numpy can look at its memory as it is, but for the type."""
    flat = tensor.layout == torch.strided and tensor.device.type == "cpu" and tensor.numel() > 0
    return flat and not (tensor.requires_grad or tensor.is_conj() or tensor.is_neg() or tensor.is_quantized)


def _as_array(tensor: torch.Tensor) -> npt.NDArray[Any] | None:
    try:
        return tensor.numpy()
    except TypeError:  # such as bfloat16
        return None


def _before_fork() -> None:
    """The child of a worker looks at all blocks, and may do so for ever."""
    if _blocks is not None and _blocks.process == os.getpid():
        _blocks.give_up_all()


os.register_at_fork(before=_before_fork)
