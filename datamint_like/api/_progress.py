"""A bar on stderr that counts what an upload does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(total: int, what: str, unit: str, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """A function that counts on, and a bar on stderr that shows it if it is wanted."""
    from tqdm import tqdm

    with tqdm(total=total, desc=what, unit=unit, disable=not shown) as counter:
        yield counter.update
