"""How far a prefetch is: told by its threads, shown as a bar or to a function, and how it is called off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tqdm import tqdm

from datamint_like._cache import Lease

#: How long (s) the progress is not looked at while nothing is done.
GLANCE_S = 0.1
#: Between two events (s) that a function is told.
_EVERY_S = 0.1


@dataclass(frozen=True)
class PrefetchProgress:
    """How far a prefetch is.

    Attributes:
        size_done: Bytes of files that are on this machine.
        size_total: Bytes of all files that were asked for; files of masks are not in it, as their size is not known.
        resources_done: Resources of which everything is done, their slices too; those that failed count.
        resources_total: How many were asked for.
        failures: Of files and packs so far.
        seconds: Since the start.

    Example:
        >>> events = []
        >>> report = dataset.prefetch(progress=events.append)
        >>> last = events[-1]
        >>> (last.resources_done, last.resources_total, last.size_done == last.size_total == report.size)
        (3, 3, True)
    """

    size_done: int
    size_total: int
    resources_done: int
    resources_total: int
    failures: int
    seconds: float


#: `True` shows a bar, `False` nothing; a function is told.
Progress = bool | Callable[[PrefetchProgress], object]


class CalledOff(Exception):  # noqa: N818 -- no error: the prefetch that it belongs to was interrupted
    """The work is not wanted any more."""


class Watch:
    """What the threads of a prefetch tell, and what tells them to stop.

    Attributes:
        lease: Holds what was made in the cache, where this is the prefetch as a whole and not a task of it.
    """

    lease: Lease | None = None

    def __init__(self, off: threading.Event | None = None) -> None:
        self._lock = threading.Lock()
        self._off = off or threading.Event()
        self.size_done = 0
        self.resources_done = 0
        self.failures = 0

    def moved(self, size: int) -> None:
        """So many bytes more (or fewer) are here.

        Raises:
            CalledOff: And no more are wanted.
        """
        self.check()
        with self._lock:
            self.size_done += size

    def keep(self, paths: list[Path]) -> list[Path]:
        """Let these entries of the cache stay until the prefetch ends; those that another must hold come back."""
        if self.lease is None or not paths:
            return paths
        self.lease.add(paths)
        return []

    def call_off(self) -> None:
        """Let every thread stop at its next step."""
        self._off.set()

    def check(self) -> None:
        """Raise where the work is not wanted any more.

        Raises:
            CalledOff: It is not.
        """
        if self._off.is_set():
            raise CalledOff

    def of_its_own(self) -> Watch:
        """A watch that counts for itself, and is called off with this one."""
        return Watch(self._off)


class Arrival:
    """How much of one file is here; called by the download with the number of its bytes."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._size = 0

    def __call__(self, size: int) -> None:
        """Note that the file has `size` bytes by now.

        Raises:
            CalledOff: No more are wanted.
        """
        self._watch.moved(size - self._size)
        self._size = size


class Shown(AbstractContextManager["Shown"]):
    """The progress of a prefetch as it is shown, while the block runs."""

    def __init__(self, watch: Watch, progress: Progress, size_total: int, resources_total: int) -> None:
        self._watch = watch
        self._totals = size_total, resources_total
        self._tell = progress if callable(progress) else None
        self._start = time.monotonic()
        self._next = self._start
        self._bar = (
            tqdm(total=size_total, desc="prefetch", unit="B", unit_scale=True, unit_divisor=1000)
            if progress and self._tell is None
            else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.now()
        if self._bar is not None:
            self._bar.close()

    def glance(self) -> None:
        """Show where the work stands, unless that was done just now."""
        if time.monotonic() >= self._next:
            self.now()

    def now(self) -> None:
        """Show where the work stands."""
        watch, (size, resources) = self._watch, self._totals
        now = time.monotonic()
        self._next = now + _EVERY_S
        if self._bar is not None:
            failed = f", {watch.failures} failed" if watch.failures else ""
            self._bar.set_postfix_str(f"{watch.resources_done}/{resources} resources{failed}", refresh=False)
            self._bar.update(watch.size_done - self._bar.n)
            self._bar.refresh()
        elif self._tell is not None:
            seconds = now - self._start
            done, failures = watch.resources_done, watch.failures
            self._tell(PrefetchProgress(watch.size_done, size, done, resources, failures, seconds))
