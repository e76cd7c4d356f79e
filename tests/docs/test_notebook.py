"""The notebooks: they run, are what their sources say, and their outputs are small and tell nothing of a machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
FIRST, PEOPLE = "01_first_dataset", "02_annotators_and_merging"
SPLITS, SLICES, TEAM = "03_splits_without_leakage", "04_volumes_slices_patches", "05_server_for_a_team"
PREFETCH = "06_prefetch_and_replay"
#: How many figures each has, and what its first cell says of what is not real.
FIGURES = {FIRST: 4, PEOPLE: 3, SPLITS: 0, SLICES: 4, TEAM: 1, PREFETCH: 0}
_SYNTHETIC = "**All masks are synthetic**"
MADE_UP = {
    FIRST: _SYNTHETIC,
    PEOPLE: _SYNTHETIC,
    SPLITS: "**Patients, labels and views are made up**",
    SLICES: _SYNTHETIC,
    TEAM: "**The mask is synthetic**",
    PREFETCH: "**The mask is synthetic**",
}


def committed(name: str) -> Path:
    return NOTEBOOKS / f"{name}.ipynb"


def cells_of(path: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = msgspec.json.decode(path.read_bytes())["cells"]
    return cells


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def pictures(cells: list[dict[str, Any]]) -> list[str]:
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]


def printed(cells: list[dict[str, Any]]) -> str:
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return "\n".join("".join(output["text"]) for output in outputs if output["output_type"] == "stream")


@pytest.fixture(scope="module", params=FIGURES)
def name(request: pytest.FixtureRequest) -> str:
    """Which notebook."""
    return str(request.param)


@pytest.fixture(scope="module")
def rebuilt(name: str, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The cells of the notebook, built and executed now."""
    home = tmp_path_factory.mktemp("notebook")
    command = [sys.executable, str(NOTEBOOKS / "build.py"), name, "--output", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "HOME": str(home)})
    assert done.returncode == 0, done.stderr
    return cells_of(home / f"{name}.ipynb")


def test_every_notebook_is_tested() -> None:
    assert sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")) == sorted(FIGURES)


def test_the_notebook_runs_and_prints_what_the_committed_one_shows(name: str, rebuilt: list[dict[str, Any]]) -> None:
    assert printed(rebuilt) == printed(cells_of(committed(name)))


def test_the_committed_notebook_is_the_executed_source(name: str, rebuilt: list[dict[str, Any]]) -> None:
    assert [source(cell) for cell in cells_of(committed(name))] == [source(cell) for cell in rebuilt]


def test_every_figure_is_there(name: str, rebuilt: list[dict[str, Any]]) -> None:
    assert len(pictures(cells_of(committed(name)))) == len(pictures(rebuilt)) == FIGURES[name]


def test_the_committed_notebook_is_small_and_tells_nothing_of_a_machine(name: str) -> None:
    text = committed(name).read_text(encoding="utf-8")
    assert len(text) < 1_000_000
    assert not re.search(r"/home/|/root/|/tmp/|/Users/|Traceback|Warning:", text)


def test_the_committed_notebook_says_what_is_made_up(name: str) -> None:
    assert MADE_UP[name] in source(cells_of(committed(name))[0])
