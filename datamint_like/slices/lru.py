"""Recently used arrays of this process, bounded in bytes."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


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
