"""`torchrun` with two processes over a sliced dataset whose packs nobody has built yet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from tests.dataset.conftest import Shelf

SCRIPT = Path(__file__).with_name("torchrun_training.py")
SLICES = {"philips": 32, "ge": 28}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def ranks(shelf: Shelf, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of the two processes told."""
    told = tmp_path_factory.mktemp("told")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *launch, str(SCRIPT), shelf.url, str(cache), str(told), shelf.philips.id, shelf.ge.id]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=env)
    assert done.returncode == 0, done.stderr
    return [json.loads((told / f"{rank}.json").read_text(encoding="utf-8")) for rank in range(2)]


def test_every_slice_is_seen_exactly_once_an_epoch(ranks: list[dict[str, Any]], shelf: Shelf) -> None:
    every = sorted(
        [each.id, n]
        for each, count in zip((shelf.philips, shelf.ge), SLICES.values(), strict=True)
        for n in range(count)
    )
    for epoch in range(2):
        shares = [rank["epochs"][epoch] for rank in ranks]
        assert [len(share) for share in shares] == [30, 30]
        assert sorted(shares[0] + shares[1]) == every
    assert ranks[0]["epochs"][0] != ranks[0]["epochs"][1]


def test_packs_are_built_once(ranks: list[dict[str, Any]], cache: Path) -> None:
    assert sorted(count for rank in ranks for count in rank["decoded"]) == [28, 32]
    assert len(list((cache / "packs").rglob("axial.npy.gz"))) == 3  # of both images, and of the masks of one
