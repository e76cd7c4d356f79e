"""Recently used arrays of this process, bounded in bytes."""

from __future__ import annotations

import math
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from datamint_like.exceptions import ValidationError

T = TypeVar("T")
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


class ByteLRU(Generic[T]):
    """A map that forgets what was used longest ago once its values weigh more than `limit` bytes.

    Promises: `get` makes a value once however many threads ask for it; a value heavier than the limit is
    returned but not kept; what is returned may be shared, so callers copy before they change it.
    """

    def __init__(self, limit: int, weigh: Callable[[T], int]) -> None:
        """Keep at most `limit` bytes, where `weigh` tells the bytes of a value."""
        self.limit = limit
        self._weigh = weigh
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.RLock()
        self.held = 0

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of `key`, made now if it is not held. One value is made at a time."""
        if self._pid != os.getpid():  # a thread of the parent may have held the lock, half-way, when this was forked
            self._start()
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            value = make()
            self._keep(key, value)
            return value

    def held_value(self, key: Hashable) -> T | None:
        """The value of `key` where it is held."""
        if self._pid != os.getpid():
            self._start()
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Hashable, value: T) -> None:
        """Hold `value` as the most recent one, where it is not heavier than the limit."""
        with self._lock:
            self.forget(key)
            self._keep(key, value)

    def forget(self, key: Hashable) -> None:
        """Let go of the value of `key`, if it is held."""
        with self._lock:
            if key in self._values:
                self.held -= self._weigh(self._values.pop(key))

    def _keep(self, key: Hashable, value: T) -> None:
        weight = self._weigh(value)
        if weight > self.limit:
            return
        self._values[key] = value
        self.held += weight
        while self.held > self.limit:
            _, dropped = self._values.popitem(last=False)
            self.held -= self._weigh(dropped)


def parse_size(size: int | str) -> int:
    """The number of bytes that `256_000_000`, `"256MB"` or `"1.5 GiB"` means.

    Raises:
        ValidationError: It is not a size.
    """
    if isinstance(size, int) and not isinstance(size, bool) and size >= 0:
        return size
    text = str(size).strip().upper()
    number = text.rstrip("KMGIB ")
    unit = text[len(number) :].strip()
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    length = value * _UNITS.get(unit, math.nan)
    if not 0 <= length < math.inf:
        raise ValidationError(f"A size is bytes or text such as '256MB' or '2GiB', not {size!r}.")
    return int(length)
