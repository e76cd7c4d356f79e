"""A store whose bytes lie in an S3 bucket keeps every promise of a backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from datamint_like.backends.base import Backend
from datamint_like.backends.local.options import StoreOptions, open_store
from datamint_like.testing._annotation_promises import AnnotationPromises
from datamint_like.testing._once_promises import OncePromises
from datamint_like.testing._resource_promises import ResourcePromises
from datamint_like.testing.backend_kit import BackendKit


class InBucket:
    """A store in a bucket, empty."""

    @pytest.fixture
    def backend(self, bucket_url: str, tmp_path: Path) -> Iterator[Backend]:
        rows = (tmp_path / "rows").as_uri()
        store = open_store(StoreOptions(url=rows, blobs=bucket_url, cache_dir=tmp_path / "cache"))
        yield store
        store.close()


class TestFilesInBucket(InBucket, ResourcePromises, AnnotationPromises, OncePromises):
    """What has to do with files."""


@pytest.mark.soak
class TestStoreInBucket(InBucket, BackendKit):
    """Everything."""
