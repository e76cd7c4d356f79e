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
#: Each notebook, and how many figures it shows.
FIGURES = {"01_first_dataset": 4, "02_annotators_and_merging": 3}


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


@pytest.fixture(scope="module", params=sorted(FIGURES))
def name(request: pytest.FixtureRequest) -> str:
    """Each notebook."""
    return str(request.param)


@pytest.fixture(scope="module")
def committed(name: str) -> Path:
    """The notebook that is shipped."""
    return NOTEBOOKS / f"{name}.ipynb"


@pytest.fixture(scope="module")
def rebuilt(name: str, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The cells of the notebook, built and executed now."""
    home = tmp_path_factory.mktemp("notebook")
    command = [sys.executable, str(NOTEBOOKS / "build.py"), name, "--into", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "HOME": str(home)})
    assert done.returncode == 0, done.stderr
    return cells_of(home / f"{name}.ipynb")


def test_every_notebook_is_tested() -> None:
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == set(FIGURES)


def test_the_notebook_runs_and_prints_what_the_committed_one_shows(
    committed: Path, rebuilt: list[dict[str, Any]]
) -> None:
    assert printed(rebuilt) == printed(cells_of(committed))


def test_the_committed_notebook_is_the_executed_source(committed: Path, rebuilt: list[dict[str, Any]]) -> None:
    assert [source(cell) for cell in cells_of(committed)] == [source(cell) for cell in rebuilt]


def test_every_figure_is_there(name: str, committed: Path, rebuilt: list[dict[str, Any]]) -> None:
    assert len(pictures(cells_of(committed))) == len(pictures(rebuilt)) == FIGURES[name]


def test_the_committed_notebook_is_small_and_tells_nothing_of_a_machine(committed: Path) -> None:
    text = committed.read_text(encoding="utf-8")
    assert len(text) < 1_000_000
    assert not re.search(r"/home/|/root/|/tmp/|/Users/|Traceback|Warning:", text)


def test_the_committed_notebook_says_that_masks_are_synthetic(committed: Path) -> None:
    assert "**All masks are synthetic**" in source(cells_of(committed)[0])
