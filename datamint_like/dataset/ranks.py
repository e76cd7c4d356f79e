"""The ranks of a process group take what rank 0 says, so that all have one state of a project.

It goes by the key-value store of the group and not by a collective: rank 0 never waits for others, which may ask
later, in another order, or not at all, and no rank waits for a rank that has died.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
import torch.distributed
import torch.distributed.distributed_c10d as c10d
from torch.utils.data import get_worker_info

from datamint_like import exceptions
from datamint_like.exceptions import DatamintDatasetException, DatamintException

#: How long a rank waits (s) for rank 0 to begin what it asks for.
PATIENCE_S = 600.0
#: How often rank 0 says (s) that it is still at work, and how long its silence is borne.
BEAT_S, SILENCE_S = 5.0, 60.0
_SHORTEST_S, _LONGEST_S = 0.02, 0.25  # between two looks


class _Said(msgspec.Struct, frozen=True):
    """What rank 0 answered: a value, or an error by its class and message."""

    value: str = ""
    error: str | None = None


def agreed(topic: str, answer: Callable[[], str]) -> str:
    """What rank 0 answered when it was first asked about a topic; without a process group what `answer` gives.

    Args:
        topic: What is asked, in words that are the same on all ranks.
        answer: Called on rank 0 alone, and there once, unless it fails.

    Raises:
        DatamintDatasetException: Rank 0 did not answer: it was never asked, ended, or cannot be reached.
        DatamintException: What `answer` raised on rank 0, there and on all others.
    """
    if not in_a_group():
        return answer()
    with _store_errors():
        meeting = _Meeting(topic)
        said = meeting.answer(answer) if torch.distributed.get_rank() == 0 else meeting.wait()
    return _value_of(said)


def in_a_group() -> bool:
    """Whether other ranks are to have what this process has; what workers of a loader open is settled already."""
    group = torch.distributed
    there = group.is_available() and group.is_initialized() and get_worker_info() is None
    return there and group.get_world_size() > 1


class _Meeting:
    """One topic, at the store of the process group."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._store: Any = c10d._get_default_store()
        key = f"datamint_like/{hashlib.sha256(topic.encode()).hexdigest()[:32]}"
        self._said, self._beat = f"{key}/said", f"{key}/beat"

    def answer(self, answer: Callable[[], str]) -> _Said:
        """Answer as rank 0: as before, where it has answered."""
        earlier = self._found()
        if earlier is not None and earlier.error is None:
            return earlier
        with self._beating():
            try:
                said = _Said(answer())
            except BaseException as error:  # the others must not wait for an answer that never comes
                told = str(error) if isinstance(error, DatamintException) else ""
                self._store.set(self._said, _encoded(_Said(told, type(error).__name__)))
                raise
        self._store.set(self._said, _encoded(said))
        return said

    def wait(self) -> _Said:
        """What rank 0 answers."""
        since, pause, beat = time.monotonic(), _SHORTEST_S, 0
        while (said := self._found()) is None:
            now = int(self._store.get(self._beat)) if self._store.check([self._beat]) else 0
            if now != beat:
                since, beat = time.monotonic(), now
            if time.monotonic() - since > (SILENCE_S if beat else PATIENCE_S):
                raise DatamintDatasetException(self._silence(begun=beat > 0))
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_S)
        return said

    def _silence(self, *, begun: bool) -> str:
        if begun:
            return f"Rank 0 began to open {self._topic} and was not heard of for {SILENCE_S:.0f} s: has it ended?"
        return (
            f"Rank {torch.distributed.get_rank()} waited {PATIENCE_S:.0f} s for rank 0 to open {self._topic}, too. "
            "Under a process group rank 0 opens whatever another rank does; what one rank alone needs it prepares "
            "before init_process_group."
        )

    def _found(self) -> _Said | None:
        there = self._store.check([self._said])
        return msgspec.json.decode(self._store.get(self._said), type=_Said) if there else None

    @contextmanager
    def _beating(self) -> Iterator[None]:
        """Say from time to time that this process lives, while the block runs."""
        ended = threading.Event()
        self._store.add(self._beat, 1)

        def beat() -> None:
            with suppress(torch.distributed.DistError):  # the answer itself will tell
                while not ended.wait(BEAT_S):
                    self._store.add(self._beat, 1)

        thread = threading.Thread(target=beat, name="datamint-like-rank-0", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _value_of(said: _Said) -> str:
    if said.error is None:
        return said.value
    kind = getattr(exceptions, said.error, None)
    known = isinstance(kind, type) and issubclass(kind, DatamintException)
    what = f"Rank 0 could not prepare this dataset: {said.value or said.error}"
    raise kind(what) if known and kind is not None else DatamintDatasetException(what)


@contextmanager
def _store_errors() -> Iterator[None]:
    """Errors of the group's store, as what they mean."""
    try:
        yield
    except torch.distributed.DistError as error:
        raise DatamintDatasetException(
            f"The ranks of the process group cannot agree on the state of a dataset: its store does not answer "
            f"({type(error).__name__}). Has rank 0 ended?"
        ) from error


def _encoded(said: _Said) -> str:
    return msgspec.json.encode(said).decode()
