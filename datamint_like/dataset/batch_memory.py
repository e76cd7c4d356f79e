"""Memory in which workers hand batches over, used again and again.

torch puts each tensor of each batch into new shared memory: the kernel clears it page by page, the main process maps
it, and both take it down again, which is up to a quarter of what a worker does for a batch of slices. Here a worker
keeps its blocks: it fills one, says which, and fills it again once nothing in the main process looks at it any more.

A block starts with a byte that says that the main process has mapped it, and one for each tensor that was sent of it:
the worker sets that byte, the main process clears it when the tensor, and all that shares its memory, is gone. A byte
has one writer at a time, so there are no locks. Where the main process forks, the child looks at the block for as long
as it likes: the byte says so for good, and the worker lets go of the block.

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
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.multiprocessing.reductions import reduce_tensor
from torch.utils.data._utils.worker import _worker_loop

#: Bytes before the data of a block, which is aligned to as many.
_HEAD = 64
_MAPPED = 0
#: What the byte of a tensor says: that it was sent and is not gone, and that others may look at it for ever.
_SENT, _KEPT = 1, 2
_PAGE = 4096
#: After a worker's queues are done, which have -5.
_LAST = -10
#: So many tensors later a block that none of them needed is let go.
_PATIENCE = 64

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
        filled: The how manieth tensor of the worker was the last in it.
    """

    number: int
    shared: torch.Tensor
    memory: _Bytes
    user: weakref.ref[npt.NDArray[Any]] | None = None
    sent: int = 0
    filled: int = 0

    @classmethod
    def of(cls, number: int, size: int) -> _Block:
        """A new one of at least so many bytes."""
        storage = torch.UntypedStorage._new_shared(-(-size // _PAGE) * _PAGE)  # type: ignore[no-untyped-call]
        shared = torch.empty(0, dtype=torch.uint8, device="cpu").set_(storage)
        shared[:_HEAD] = 0
        return cls(number, shared, shared.numpy())

    @property
    def idle(self) -> bool:
        """Whether nothing looks at it, here or in the main process."""
        return (self.user is None or self.user() is None) and _SENT not in self.memory[1:_HEAD].tobytes()

    @property
    def kept(self) -> bool:
        """Whether others than the main process may look at it."""
        return _KEPT in self.memory[1:_HEAD].tobytes()

    @property
    def address(self) -> int:
        """Where its data lie."""
        return self.shared.data_ptr() + _HEAD

    def send(self, array: npt.NDArray[Any]) -> _Place | None:
        """The place of an array, looked at from now on; None where it does not lie here, or too many were sent."""
        offset = _address(array) - self.shared.data_ptr()
        if self.sent == _HEAD - 1 or not _HEAD <= offset < len(self.memory):
            return None
        self.sent += 1
        self.memory[self.sent] = _SENT
        return _Place(self.number, self.sent, array.dtype.str, array.shape, array.strides, offset)


class _Blocks:
    """The blocks of this worker."""

    def __init__(self, results: Any) -> None:
        """Lend what goes into this queue."""
        self.process = os.getpid()
        self._results = results
        self._worker: _Worker = (self.process, secrets.token_hex(8))
        self._numbers = itertools.count()
        self._filled = 0
        self._one_at_a_time = threading.Lock()
        self._by_address: dict[int, _Block] = {}
        self._given_up: deque[int] = deque()

    def empty(self, shape: Sequence[int], dtype: np.dtype[Any]) -> torch.Tensor:
        """A tensor in an idle block, its values undefined."""
        with self._one_at_a_time:
            block = self._idle(_HEAD + math.prod(shape) * dtype.itemsize)
            array = np.ndarray(tuple(shape), dtype, buffer=block.memory, offset=_HEAD)
            self._filled += 1
            block.user, block.sent, block.filled = weakref.ref(array), 0, self._filled
        return torch.from_numpy(array)

    def reduced(self, tensor: torch.Tensor) -> tuple[Any, ...]:
        """How a tensor is pickled: for the main process by its place, if it lies in a block."""
        to_loader = threading.current_thread() is self._results._thread
        block = self._by_address.get(tensor.untyped_storage().data_ptr()) if to_loader and _is_plain(tensor) else None
        array = None if block is None else _as_array(tensor)
        place = None if block is None or array is None else block.send(array)
        if block is None or place is None:
            usual: tuple[Any, ...] = reduce_tensor(tensor)  # type: ignore[no-untyped-call]
            return usual
        given_up = tuple(self._given_up.popleft() for _ in range(len(self._given_up)))
        return _received, (self._worker, place, None if block.memory[_MAPPED] else block.shared, given_up)

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
        fitting = [block for block in idle if size <= len(block.memory) <= max(2 * size, _PAGE)]
        fitting.sort(key=lambda block: (len(block.memory), -block.filled))
        found = None
        for block in fitting:
            if not block.kept:
                found = block
                break
            self.give_up([block])
        old = self._filled - _PATIENCE
        self.give_up(block for block in idle if block is not found and (found is None or block.filled < old))
        if found is None:
            found = _Block.of(next(self._numbers), size)
            self._by_address[found.address] = found
        return found


class _Look(weakref.ref[npt.NDArray[Any]]):
    """What looks at a block in the main process: the array of a tensor, for as long as anything shares its memory.

    When that is gone it goes to `_gone`, and the worker is told later: Python code that ran at that moment would
    swallow an interrupt that came meanwhile.

    Attributes:
        memory: The block, while its worker may fill it again.
        byte: Which of its first bytes stands for the tensor.
        address: Where the memory of the tensor begins.
        process: The process that looks.
    """

    __slots__ = ("address", "byte", "memory", "process")
    memory: weakref.ref[_Bytes]
    byte: int
    address: int
    process: int

    def __new__(cls, array: npt.NDArray[Any], memory: _Bytes, byte: int, address: int) -> _Look:
        """One that says of itself when it is over."""
        look = super().__new__(cls, array, _gone.append)
        look.memory, look.byte, look.address, look.process = weakref.ref(memory), byte, address, os.getpid()
        return look

    def __init__(self, *_: object) -> None:
        pass

    def tell(self, what: int) -> None:
        """Set the byte of the tensor, unless others may look for ever; only who got it may."""
        memory = self.memory()
        if memory is not None and self.process == os.getpid() and memory[self.byte] == _SENT:
            memory[self.byte] = what


#: Those of this worker, and in the main process those of every worker, what looks at them, and what does no more.
_blocks: _Blocks | None = None
_mapped: dict[_Worker, dict[int, _Bytes]] = {}
_looking: dict[int, _Look] = {}
_gone: deque[weakref.ref[npt.NDArray[Any]]] = deque()


def lend_batches() -> None:
    """Let this worker hand over to its loader what lies in an `empty_batch` by the place where it lies."""
    global _blocks
    _mapped.clear()  # what a fork inherited
    results = _results()
    if results is not None:
        _blocks = _Blocks(results)
        ForkingPickler.register(torch.Tensor, _blocks.reduced)
        # When all is sent: memory that torch shares by name stays there unless each process gives it up.
        Finalize(None, _blocks.give_up_all, exitpriority=_LAST)


def _results() -> Any:
    """The queue by which this process, if it is a worker, hands batches to its loader."""
    process: Any = multiprocessing.current_process()
    if getattr(process, "_target", None) is not _worker_loop:
        return None
    given = inspect.signature(_worker_loop).bind(*process._args, **process._kwargs)
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


def forget_ended_workers() -> None:
    """Give up the memory of workers that are no more; tensors that lie in it keep theirs."""
    tell_of_gone()
    known = list(_mapped)  # first: what another thread starts meanwhile is not among these
    running = {child.pid for child in multiprocessing.active_children()}
    for worker in known:
        if worker[0] not in running:
            _mapped.pop(worker, None)


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether numpy can look at its memory as it is, but for the type."""
    flat = tensor.layout == torch.strided and tensor.device.type == "cpu" and tensor.numel() > 0
    return flat and not (tensor.requires_grad or tensor.is_conj() or tensor.is_neg() or tensor.is_quantized)


def _as_array(tensor: torch.Tensor) -> npt.NDArray[Any] | None:
    try:
        return tensor.numpy()
    except TypeError:  # such as bfloat16
        return None


def _address(array: npt.NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])


def _received(worker: _Worker, place: _Place, unmapped: torch.Tensor | None, given_up: tuple[int, ...]) -> torch.Tensor:
    """The tensor that a worker sent, in the main process."""
    if ForkingPickler._extra_reducers.get(torch.Tensor) is reduce_tensor:  # type: ignore[attr-defined]
        ForkingPickler.register(torch.Tensor, _sent_on)
    blocks = _mapped.setdefault(worker, {})
    for number in given_up:
        blocks.pop(number, None)
    if unmapped is not None and place.block not in blocks:
        blocks[place.block] = unmapped.numpy()
        blocks[place.block][_MAPPED] = 1
    memory = blocks[place.block]
    array = np.ndarray(place.shape, place.dtype, memory, place.offset, place.strides)
    tensor = torch.from_numpy(array)
    look = _Look(array, memory, place.byte, tensor.data_ptr())
    _looking[id(look)] = look
    tell_of_gone()
    return tensor


def tell_of_gone() -> None:
    """Tell the workers of the tensors that are gone."""
    while _gone:
        try:
            look = _gone.popleft()
        except IndexError:  # another thread was faster
            return
        assert isinstance(look, _Look)
        _looking.pop(id(look), None)
        look.tell(0)


def _sent_on(tensor: torch.Tensor) -> tuple[Any, ...]:
    """How the main process pickles a tensor for another: as torch does, but a copy of one that lies in a block.

    torch moves what it shares, away from under the arrays that numpy has of it.
    """
    if _looks_at_block(tensor):
        tensor = tensor.detach().clone().requires_grad_(tensor.requires_grad)
    usual: tuple[Any, ...] = reduce_tensor(tensor)  # type: ignore[no-untyped-call]
    return usual


def _looks_at_block(tensor: torch.Tensor) -> bool:
    if not tensor.is_leaf or tensor.layout != torch.strided or tensor.device.type != "cpu":
        return False
    address = tensor.untyped_storage().data_ptr()
    return any(look.address == address for look in list(_looking.values()))


def _before_fork() -> None:
    """The child looks at all that is looked at now, and may do so for longer than this process."""
    tell_of_gone()
    for look in list(_looking.values()):
        look.tell(_KEPT)
    if _blocks is not None and _blocks.process == os.getpid():
        _blocks.give_up_all()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork)
