"""Work in threads: `Crew` gives results as they are done and need not be waited for, `ahead` gives them in order."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Generic, Self, TypeVar

A = TypeVar("A")
R = TypeVar("R")

#: How long (s) threads that were told to stop are waited for; they end by themselves after that.
_FAREWELL_S = 2.0


class Crew(Generic[A, R]):
    """Some threads that do `work` with whatever they are given, while the `with` block runs.

    When the block ends with an error, what has not begun is dropped, and what is under way is not waited for.

    Args:
        work: What to do with an item.
        size: How many threads at most; each starts when there is something to do for it.
        results: Where results go as they are done; what `work` raised goes there too.
        holds_exit: Whether the end of the process waits for what is under way.

    Example:
        >>> results = SimpleQueue()
        >>> with Crew(lambda n: n * n, 2, results) as crew:
        ...     for n in range(3):
        ...         crew.give(n)
        >>> sorted(results.get() for _ in range(3))
        [0, 1, 4]
    """

    def __init__(
        self,
        work: Callable[[A], R],
        size: int,
        results: SimpleQueue[R | BaseException],
        *,
        holds_exit: bool = False,
    ) -> None:
        self._work = work
        self._results = results
        self._given: SimpleQueue[A | None] = SimpleQueue()
        self._size = size
        self._daemon = not holds_exit
        self._threads: list[threading.Thread] = []

    def give(self, item: A) -> None:
        """Let a thread do the work with `item`, which is never None."""
        self._given.put(item)
        if len(self._threads) < self._size:
            name = f"datamint-like-{len(self._threads)}"
            self._threads.append(threading.Thread(target=self._run, name=name, daemon=self._daemon))
            self._threads[-1].start()

    def _run(self) -> None:
        while (item := self._given.get()) is not None:
            try:
                result: R | BaseException = self._work(item)
            except BaseException as error:  # noqa: BLE001 -- whoever takes the results raises it again
                result = error
            self._results.put(result)
            del item, result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._drop()
        for _ in self._threads:
            self._given.put(None)
        end = None if error is None else time.monotonic() + _FAREWELL_S
        for thread in self._threads:
            thread.join(None if end is None else max(0.0, end - time.monotonic()))

    def _drop(self) -> None:
        while True:
            try:
                self._given.get_nowait()
            except Empty:
                return


def taken(result: R | BaseException) -> R:
    """A result of a crew; what its work raised is raised here.

    Example:
        >>> taken(4)
        4
    """
    if isinstance(result, BaseException):
        raise result
    return result


def ahead(work: Callable[[A], R], items: Iterable[A], *, at_once: int) -> Iterator[R]:
    """What `work` gives for each item, in order, with a few items always under way.

    Whoever takes the results slowly holds the work up: no more than twice `at_once` results wait. When the taker stops,
    what has not begun is dropped.

    Example:
        >>> list(ahead(lambda n: n * n, range(5), at_once=2))
        [0, 1, 4, 9, 16]
    """
    waiting: deque[Future[R]] = deque()
    coming = iter(items)
    pool = ThreadPoolExecutor(at_once, "datamint-like-ahead")
    try:
        waiting.extend(pool.submit(work, each) for each in islice(coming, 2 * at_once))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(work, each) for each in islice(coming, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
