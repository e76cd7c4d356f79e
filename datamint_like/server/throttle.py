"""Wrong keys, slowed: each costs its sender time, and after many the answer is 429.

A right key is never refused for the wrong ones that came from its address: behind a proxy all addresses are one, and
256 random bits are not guessed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

WINDOW_S = 60.0
REFUSED_FROM = 20
_FIRST_S, _LONGEST_S = 0.02, 2.0
_ADDRESSES = 10_000  # remembered at most


@dataclass
class FailedKeys:
    """How often each address showed a wrong key within the last minute."""

    clock: Callable[[], float] = time.monotonic
    _failures: dict[str, list[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, address: str) -> tuple[float, bool]:
        """Count one wrong key: how long its answer should wait (s), and whether that is 429.

        Example:
            >>> FailedKeys().note("192.0.2.1")
            (0.02, False)
        """
        now = self.clock()
        with self._lock:
            recent = [then for then in self._failures.pop(address, []) if now - then < WINDOW_S]
            recent = [*recent, now][-REFUSED_FROM - 1 :]
            self._failures[address] = recent
            while len(self._failures) > _ADDRESSES:
                self._failures.pop(next(iter(self._failures)))
        return min(_FIRST_S * 2 ** (len(recent) - 1), _LONGEST_S), len(recent) > REFUSED_FROM
