"""What is a day old and needed by nobody is removed while the server runs: when an upload begins, once an hour."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from datamint_like.backends.local.backend import LocalBackend
from datamint_like.exceptions import StorageError

EVERY_S = 3600.0


@dataclass
class Tidying:
    """When the store of a server was tidied last."""

    clock: Callable[[], float] = time.monotonic
    _due: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def when_due(self, store: LocalBackend) -> None:
        """Tidy the store, if that was not done within the last hour."""
        now = self.clock()
        with self._lock:
            if now < self._due:
                return
            self._due = now + EVERY_S
        with suppress(StorageError):  # a store that this user may only read is served as it is
            store.tidy()
