"""A server's store keeps every promise of a backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from datamint_like.backends import open_backend
from datamint_like.backends.base import Backend
from datamint_like.testing.backend_kit import BackendKit
from tests import serving


class TestHttpBackend(BackendKit):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[Backend]:
        with serving.served(tmp_path / "store") as server:
            store = open_backend(server.url, api_key=serving.ADMIN_KEY)
            yield store
            store.close()
