"""A store whose rows lie in PostgreSQL keeps every promise of a backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from datamint_like.backends.base import Backend
from datamint_like.backends.local.options import StoreOptions, open_store
from datamint_like.testing.backend_kit import BackendKit


class TestStoreInPostgres(BackendKit):
    @pytest.fixture
    def backend(self, postgres_url: str, tmp_path: Path) -> Iterator[Backend]:
        store = open_store(StoreOptions(database=postgres_url, blobs=(tmp_path / "blobs").as_uri()))
        yield store
        store.close()
