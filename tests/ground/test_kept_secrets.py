"""A secret is made once, for its owner alone, however many ask for it at once."""

from __future__ import annotations

import secrets
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from datamint_like._files import kept_secret


def test_all_who_ask_at_once_get_the_first_ones(tmp_path: Path) -> None:
    path, together = tmp_path / "in" / "a.key", Barrier(8)

    def make() -> bytes:
        together.wait(30)  # all have seen that there is none
        return secrets.token_bytes(32)

    with ThreadPoolExecutor(8) as pool:
        got = set(pool.map(lambda _: kept_secret(path, make), range(8)))
    assert got == {path.read_bytes()}
    assert [each.name for each in path.parent.iterdir()] == ["a.key"]


def test_it_is_for_its_owner_alone_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "in" / "a.key"
    first = kept_secret(path, lambda: b"one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert kept_secret(path, lambda: b"two") == first == b"one"
