"""The shelf of the dataset tests, and quiet foreign libraries."""

from __future__ import annotations

import pytest

from tests.dataset.conftest import Shelf, shelf

__all__ = ["Shelf", "shelf"]


@pytest.fixture(autouse=True)
def no_lightning_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a machine's scheduler says is no part of a test."""
    for name in ("SLURM_NTASKS", "SLURM_JOB_NAME", "RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
