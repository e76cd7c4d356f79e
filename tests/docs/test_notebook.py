"""The notebook: it runs, it is what its source says, and its outputs are small and tell nothing of a machine."""

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
COMMITTED = NOTEBOOKS / "01_first_dataset.ipynb"


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


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The cells of the notebook, built and executed now."""
    home = tmp_path_factory.mktemp("notebook")
    target = home / "built.ipynb"
    command = [sys.executable, str(NOTEBOOKS / "build.py"), "--output", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "HOME": str(home)})
    assert done.returncode == 0, done.stderr
    return cells_of(target)


def test_the_notebook_runs_and_prints_what_the_committed_one_shows(rebuilt: list[dict[str, Any]]) -> None:
    assert printed(rebuilt) == printed(cells_of(COMMITTED))


def test_the_committed_notebook_is_the_executed_source(rebuilt: list[dict[str, Any]]) -> None:
    assert [source(cell) for cell in cells_of(COMMITTED)] == [source(cell) for cell in rebuilt]


def test_every_figure_is_there(rebuilt: list[dict[str, Any]]) -> None:
    assert len(pictures(cells_of(COMMITTED))) == len(pictures(rebuilt)) == 4


def test_the_committed_notebook_is_small_and_tells_nothing_of_a_machine() -> None:
    text = COMMITTED.read_text(encoding="utf-8")
    assert len(text) < 1_000_000
    assert not re.search(r"/home/|/root/|/tmp/|/Users/|Traceback|Warning:", text)


def test_the_committed_notebook_says_that_masks_are_synthetic() -> None:
    assert "**All masks are synthetic**" in source(cells_of(COMMITTED)[0])
