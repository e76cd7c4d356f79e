"""What workers lent, in the main process: tensors in their memory, which go back when nothing looks at them any more.

A block of memory starts with a byte that says that the main process has mapped it, and one for each tensor that was
sent of it: the worker sets that byte, the main process clears it when the tensor, and all that shares its memory, is
gone. A byte has one writer at a time, so there are no locks. Where the main process forks, the child looks at the block
for as long as it likes: the byte says so for good, and the worker lets go of the block.
"""

from __future__ import annotations

import os
import weakref
from collections import deque
from collections.abc import Collection
from multiprocessing.reduction import ForkingPickler
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.multiprocessing.reductions import reduce_tensor

#: Bytes before the data of a block, which is aligned to as many; the first says whether it is mapped.
HEAD = 64
MAPPED = 0
#: What the byte of a tensor says: that it was sent and is not gone, and that others may look at it for ever.
SENT, KEPT = 1, 2

Bytes = npt.NDArray[np.uint8]
#: The process of a worker, and what tells it from an earlier one with its number.
Worker = tuple[int, str]


class Place(NamedTuple):
    """Where a tensor lies: in which block, which of its first bytes stands for it, and how it lies in the rest."""

    block: int
    byte: int
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int


class _Look(NamedTuple):
    """What looks at a block in the main process: the array of a tensor, for as long as anything shares its memory.

    When that is gone it goes to `_gone`, and the worker is told later: Python code that ran at that moment would
    swallow an interrupt that came meanwhile.

    Attributes:
        array: That of the tensor.
        memory: The block, while its worker may fill it again.
        byte: Which of its first bytes stands for the tensor.
        address: Where the memory of the tensor begins.
        process: The process that looks.
    """

    array: weakref.ref[npt.NDArray[Any]]
    memory: weakref.ref[Bytes]
    byte: int
    address: int
    process: int

    def tell(self, what: int) -> None:
        """Set the byte of the tensor, unless others may look for ever; only who got it may."""
        memory = self.memory()
        if memory is not None and self.process == os.getpid() and memory[self.byte] == SENT:
            memory[self.byte] = what


#: The blocks of every worker, what looks at them, and what does no more.
_mapped: dict[Worker, dict[int, Bytes]] = {}
_looking: dict[int, _Look] = {}
_gone: deque[weakref.ref[npt.NDArray[Any]]] = deque()


def received(worker: Worker, place: Place, unmapped: torch.Tensor | None, given_up: tuple[int, ...]) -> torch.Tensor:
    """The tensor that a worker sent, in the main process."""
    if ForkingPickler._extra_reducers.get(torch.Tensor) is reduce_tensor:  # type: ignore[attr-defined]
        ForkingPickler.register(torch.Tensor, _sent_on)
    blocks = _mapped.setdefault(worker, {})
    if unmapped is not None and place.block not in blocks:
        blocks[place.block] = unmapped.numpy()
        blocks[place.block][MAPPED] = 1
    memory = blocks[place.block]
    array = np.ndarray(place.shape, place.dtype, memory, place.offset, place.strides)
    tensor = torch.from_numpy(array)
    ref = weakref.ref(array, _gone.append)
    _looking[id(ref)] = _Look(ref, weakref.ref(memory), place.byte, tensor.data_ptr(), os.getpid())
    for number in given_up:
        blocks.pop(number, None)
    tell_of_gone()
    return tensor


def tell_of_gone() -> None:
    """Tell the workers of the tensors that are gone."""
    while _gone:
        try:
            gone = _gone.popleft()
        except IndexError:  # another thread was faster
            return
        _looking.pop(id(gone)).tell(0)


def forget_workers(processes: Collection[int | None]) -> None:
    """Give up the memory of workers that have ended; tensors that lie in it keep theirs."""
    tell_of_gone()
    for worker in list(_mapped):
        if worker[0] in processes:
            _mapped.pop(worker, None)


def forget_all() -> None:
    """Give up the memory of all workers, as one of them that inherited it."""
    _mapped.clear()


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
        look.tell(KEPT)


os.register_at_fork(before=_before_fork)
