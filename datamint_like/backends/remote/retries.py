"""When a request is made again, and how long to wait before: full jitter, `Retry-After`, and an end."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

#: Answers after which a request may be made again: too many requests, and servers or proxies that are not ready.
PASSING = frozenset({429, 502, 503, 504})


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long a request is tried.

    Attributes:
        attempts: Tries without progress, the first included.
        base_s, cap_s: The wait before try n + 1 is drawn from 0 to base * 2^n, the cap at most.
        deadline_s: Seconds that a request may take in all, its tries and waits together.
        patience_s: The longest `Retry-After` that is waited for.
        sleep: How to wait.
    """

    attempts: int = 5
    base_s: float = 0.5
    cap_s: float = 20.0
    deadline_s: float = 600.0
    patience_s: float = 120.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)


class Tries:
    """The tries of one request: counts them, waits between them, and says when no more are left."""

    def __init__(self, policy: RetryPolicy, deadline_s: float | None = None) -> None:
        """Start the clock."""
        self._policy = policy
        self._failures = 0
        self._end = time.monotonic() + (policy.deadline_s if deadline_s is None else deadline_s)

    @property
    def seconds_left(self) -> float:
        """Until the deadline."""
        return self._end - time.monotonic()

    def progress(self) -> None:
        """Bytes came through: failures before do not count any more."""
        self._failures = 0

    def wait(self, retry_after_s: float | None = None) -> bool:
        """Wait before the next try; False, at once, where none is left."""
        self._failures += 1
        policy = self._policy
        if self._failures >= policy.attempts:
            return False
        delay = random.uniform(0, min(policy.cap_s, policy.base_s * 2 ** (self._failures - 1)))
        if retry_after_s is not None:
            if retry_after_s > policy.patience_s:
                return False
            delay += retry_after_s
        if delay >= self.seconds_left:
            return False
        policy.sleep(delay)
        return True


def retry_after(value: str | None) -> float | None:
    """Seconds that a `Retry-After` header asks for (a number, or a date); None where it says nothing."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
