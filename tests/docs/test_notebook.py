"""The notebooks: they run, are what their sources say, and their outputs are small and tell nothing of a machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
#: How many pictures each notebook has.
PICTURES = {"01_first_dataset": 4, "04_volumes_slices_patches": 4}
NAMES = sorted(PICTURES)


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


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[dict[str, Any]]]:
    """The cells of a notebook, built and executed now."""
    home = tmp_path_factory.mktemp("notebook")

    @cache
    def build(name: str) -> list[dict[str, Any]]:
        command = [sys.executable, str(NOTEBOOKS / "build.py"), name, "--folder", str(home)]
        env = {**os.environ, "HOME": str(home)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
        assert done.returncode == 0, done.stderr
        return cells_of(home / f"{name}.ipynb")

    return build


@pytest.mark.parametrize("name", NAMES)
def test_the_notebook_runs_and_prints_what_the_committed_one_shows(rebuilt: Any, name: str) -> None:
    assert printed(rebuilt(name)) == printed(cells_of(committed(name)))


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_notebook_is_the_executed_source(rebuilt: Any, name: str) -> None:
    assert [source(cell) for cell in cells_of(committed(name))] == [source(cell) for cell in rebuilt(name)]


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_there(rebuilt: Any, name: str) -> None:
    assert len(pictures(cells_of(committed(name)))) == len(pictures(rebuilt(name))) == PICTURES[name]


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_notebook_is_small_and_tells_nothing_of_a_machine(name: str) -> None:
    text = committed(name).read_text(encoding="utf-8")
    assert len(text) < 1_000_000
    assert not re.search(r"/home/|/root/|/tmp/|/Users/|Traceback|Warning:", text)


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_notebook_says_that_masks_are_synthetic(name: str) -> None:
    assert "**All masks are synthetic**" in source(cells_of(committed(name))[0])


def test_every_notebook_is_built_and_tested() -> None:
    assert [path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb"))] == NAMES
