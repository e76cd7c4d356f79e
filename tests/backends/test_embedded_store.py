"""The embedded store keeps every promise of a backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from datamint_like.backends import open_backend
from datamint_like.backends.base import Backend
from datamint_like.testing.backend_kit import BackendKit


class TestEmbeddedStore(BackendKit):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[Backend]:
        store = open_backend(str(tmp_path / "store"))
        yield store
        store.close()
