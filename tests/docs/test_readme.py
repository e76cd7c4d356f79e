"""The README: its Python runs as written, its shell commands exist, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from datamint_like.cli.main import main

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
PYTHON = [code for language, code in BLOCKS if language == "python"]
SHELL = [line for language, code in BLOCKS if language == "sh" for line in code.splitlines()]


@pytest.fixture
def liver_ct(isolated_home: Path, demo_images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project as the README's own command makes it, from the folder of a CT series."""
    monkeypatch.chdir(isolated_home)
    shutil.copytree(demo_images / "ct_philips", isolated_home / "ct")
    line = next(line for line in SHELL if line.startswith("datamint-like import"))
    words = shlex.split(line, comments=True)
    assert main([str(Path(word).expanduser()) for word in words[1:]]) == 0


@pytest.mark.filterwarnings("ignore:Nothing is in the part 'val'")  # the folder of this test holds one patient
@pytest.mark.usefixtures("liver_ct")
def test_the_python_of_the_readme_runs_as_written(capsys: pytest.CaptureFixture[str]) -> None:
    space: dict[str, object] = {"__name__": "__main__"}
    for number, code in enumerate(PYTHON):
        exec(compile(code, f"README block {number}", "exec"), space)
    assert "['bone']\ntorch.Size([2, 128, 128])\n" in capsys.readouterr().out


def test_the_make_targets_of_the_readme_exist() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = [line.split()[1] for line in SHELL if line.startswith("make ")]
    assert {"demo", "test"} <= set(targets)
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, flags=re.MULTILINE)] == []


def test_the_commands_of_the_readme_exist() -> None:
    commands = {line.split()[1] for line in SHELL if line.startswith("datamint-like ")}
    assert commands == {"cache", "import", "lock", "ls", "prefetch"}
    for command in commands:
        assert main([command, "--help"]) == 0


def test_own_dicom_to_batches_takes_ten_lines() -> None:
    section = README.split("## Your own folder of DICOM, in ten lines")[1].split("\n## ")[0]
    lines = [
        line for _, code in re.findall(r"```(\w+)\n(.*?)```", section, flags=re.DOTALL) for line in code.split("\n")
    ]
    assert len([line for line in lines if line.strip()]) <= 10


def test_local_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert [link for link in links if not (REPOSITORY / link).exists()] == []


def test_the_picture_is_small_and_said_to_show_synthetic_masks() -> None:
    assert (REPOSITORY / "docs" / "demo.png").stat().st_size < 300_000
    assert "all masks are synthetic" in README
