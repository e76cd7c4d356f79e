"""A store whose bytes lie in an S3 bucket keeps every promise of a backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from datamint_like.backends.base import Backend
from datamint_like.backends.local.options import StoreOptions, open_store
from datamint_like.testing.backend_kit import BackendKit


class TestStoreInBucket(BackendKit):
    @pytest.fixture
    def backend(self, bucket_url: str, tmp_path: Path) -> Iterator[Backend]:
        rows = (tmp_path / "rows").as_uri()
        store = open_store(StoreOptions(url=rows, blobs=bucket_url, cache_dir=tmp_path / "cache"))
        yield store
        store.close()
