"""Work in threads whose results come in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

A = TypeVar("A")
R = TypeVar("R")


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
