"""The root of the package: every name is there, none of them costs anything before it is used."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import datamint_like

HEAVY = ["torch", "cv2", "albumentations", "pydicom", "nibabel", "sqlalchemy", "numpy", "httpx"]
LAZY = sorted(datamint_like._LAZY)


def fresh_interpreter(code: str) -> object:
    """What the code printed as JSON, in an interpreter of its own."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", LAZY)
def test_every_lazy_name_is_importable_and_listed(name: str) -> None:
    value = getattr(datamint_like, name)
    assert value is getattr(importlib.import_module(datamint_like._LAZY[name]), name)
    assert name in datamint_like.__all__
    assert name in dir(datamint_like)


def test_every_listed_name_exists() -> None:
    assert [name for name in datamint_like.__all__ if not hasattr(datamint_like, name)] == []
    assert set(datamint_like.__all__) == {*LAZY, "__version__"}


def test_the_type_checkers_view_agrees_with_the_lazy_table() -> None:
    tree = ast.parse(Path(datamint_like.__file__).read_text(encoding="utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    assert [ast.unparse(block.test) for block in blocks] == ["TYPE_CHECKING"]
    typed = {
        alias.name: statement.module
        for statement in blocks[0].body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert typed == datamint_like._LAZY


def test_the_version_is_that_of_the_installed_package() -> None:
    from importlib.metadata import version

    assert datamint_like.__version__ == version("datamint-like")


def test_importing_the_root_imports_nothing_heavy() -> None:
    code = "import json, sys, datamint_like; print(json.dumps(sorted(m.split('.')[0] for m in sys.modules)))"
    loaded = set(fresh_interpreter(code))  # type: ignore[call-overload]
    assert loaded & set(HEAVY) == set()
    assert "datamint_like" in loaded


def test_importing_the_root_writes_no_file(tmp_path: Path) -> None:
    code = f"import os; os.chdir({str(tmp_path)!r}); import datamint_like, json; print(json.dumps(os.listdir('.')))"
    assert fresh_interpreter(code) == []


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="Datamnit"):
        _ = datamint_like.Datamnit  # type: ignore[attr-defined]
