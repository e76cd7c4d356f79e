"""The shelf of the dataset tests."""

from __future__ import annotations

from tests.dataset.conftest import Shelf, shelf

__all__ = ["Shelf", "shelf"]
