"""A server over an empty store, for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from datamint_like.backends.base import NewResource
from datamint_like.entities import Resource
from tests.serving import Served, served


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path / "store") as running:
        yield running


@pytest.fixture
def admin(server: Served) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A PNG of 6 x 8 pixels."""
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), np.arange(48, dtype=np.uint8).reshape(6, 8))
    return path


@pytest.fixture
def uploaded(server: Served, picture: Path) -> Resource:
    """A resource of one PNG, of the store's owner."""
    return server.store.create_resource(NewResource(paths=(picture,), filename="picture.png"))
