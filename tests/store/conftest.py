"""What the tests of the embedded store share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from datamint_like.backends.local.backend import LocalBackend


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalBackend]:
    """An empty store in `tmp_path / "store"`."""
    backend = LocalBackend((tmp_path / "store").as_uri())
    yield backend
    backend.close()
