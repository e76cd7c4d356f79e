"""The memory cache keeps what was used last, within its bytes."""

from __future__ import annotations

import os
import signal
import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from datamint_like.slices.lru import ByteLRU


@given(limit=st.integers(0, 30), asked=st.lists(st.integers(1, 12), max_size=60))
def test_it_holds_the_most_recent_values_that_fit(limit: int, asked: list[int]) -> None:
    cache: ByteLRU[int] = ByteLRU(limit, weigh=lambda value: value)
    recent: list[int] = []  # plain reference: most recent last
    for key in asked:
        made: list[int] = []
        assert cache.get(key, lambda key=key, made=made: made.append(key) or key) == key  # type: ignore[misc]
        assert bool(made) == (key not in recent)
        if key in recent:
            recent.remove(key)
        if key <= limit:
            recent.append(key)
            while sum(recent) > limit:
                recent.pop(0)
        assert cache.held == sum(recent) <= limit


def test_threads_that_ask_for_one_value_make_it_once() -> None:
    cache: ByteLRU[str] = ByteLRU(100, weigh=len)
    made: list[int] = []

    def make() -> str:
        made.append(1)
        time.sleep(0.02)
        return "value"

    threads = [threading.Thread(target=lambda: cache.get("k", make)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_a_child_forked_while_a_value_is_made_starts_afresh() -> None:
    cache: ByteLRU[str] = ByteLRU(100, weigh=len)
    inside, leave = threading.Event(), threading.Event()

    def make() -> str:
        inside.set()
        leave.wait(10)
        return "value"

    thread = threading.Thread(target=lambda: cache.get("k", make))
    thread.start()
    inside.wait(10)
    child = os.fork()
    if child == 0:
        signal.alarm(5)  # a deadlock ends the child, and the test with it
        os._exit(0 if cache.get("k", lambda: "mine") == "mine" else 1)
    leave.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
