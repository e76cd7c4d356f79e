"""The guide "Your own server in five minutes": its commands and its Python run as written, but for the port."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from datamint_like.cli.main import main

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "server.md").read_text(encoding="utf-8")
GUIDE = PAGE.split("## Your own server in five minutes")[1].split("\n## ")[0]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)
SHELL = [line for language, code in BLOCKS if language == "sh" for line in code.splitlines()]
(PYTHON,) = [code for language, code in BLOCKS if language == "python"]


def line_of(command: str) -> list[str]:
    """The words of the guide's line that runs a command of ours."""
    line = next(line for line in SHELL if line.startswith(f"datamint-like {command}"))
    return shlex.split(line)[1:]


def started(words: list[str]) -> tuple[subprocess.Popen[str], str, str]:
    """The server, its first key and its address, as it prints them."""
    command = [sys.executable, "-m", "datamint_like.cli.main", *words]
    command[command.index("--port") + 1] = "0"
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    key = re.findall(r"dml_\S+", server.stderr.readline())[0]
    address = re.findall(r"http://\S+", server.stderr.readline())[0]
    return server, key, address


def test_the_guide_runs_as_written(
    isolated_home: Path, demo_images: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(isolated_home)
    shutil.copytree(demo_images / "ct_philips", isolated_home / "scans")
    server, first_key, address = started(line_of("serve"))
    try:
        assert main(line_of("key create")) == 0
        own_key = capsys.readouterr().out.strip()
        assert own_key != first_key
        assert main(line_of("key list")) == 0
        assert "ana@lab.example (laptop)" in capsys.readouterr().out
        assert "export DATAMINT_LIKE_SERVER_URL=http://127.0.0.1:8100" in SHELL
        monkeypatch.setenv("DATAMINT_LIKE_SERVER_URL", address)
        monkeypatch.setenv("DATAMINT_LIKE_API_KEY", own_key)
        assert main(line_of("import")) == 0
        assert main(line_of("ls")) == 0
        assert "series_203" in capsys.readouterr().out
        exec(compile(PYTHON, "docs/server.md", "exec"), {"__name__": "__main__"})
        assert "torch.Size([1, 32, 128, 128])" in capsys.readouterr().out
    finally:
        server.terminate()
        server.communicate(timeout=30)
