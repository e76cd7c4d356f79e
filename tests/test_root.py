"""The root of the package: every name is there, none of them costs anything before it is used."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

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


def no_such_thing(name: str) -> object:
    raise AttributeError("module 'dl' has no attribute 'RTLD_NOW'")


@pytest.mark.parametrize(("package", "table"), [("datamint_like", "_LAZY"), ("datamint_like.imaging", "_HOME")])
def test_an_attribute_error_inside_an_import_does_not_look_like_a_missing_name(
    package: str, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = ModuleType("broken")
    home.__dict__["__getattr__"] = no_such_thing
    for name in ("broken", "datamint_like.imaging.broken"):
        monkeypatch.setitem(sys.modules, name, home)
    monkeypatch.setitem(getattr(importlib.import_module(package), table), "Broken", "broken")
    with pytest.raises(ImportError, match=r"^Broken cannot be imported from .*broken: module 'dl' has no .*RTLD_NOW"):
        exec(f"from {package} import Broken")


@pytest.mark.parametrize("found", ["dl/__init__.py", "dl/data.txt", "dl.py", "DLFCN.py"])
def test_a_folder_named_as_a_module_of_old_pythons_hinders_nothing(tmp_path: Path, found: str) -> None:
    (tmp_path / found).parent.mkdir(exist_ok=True)
    (tmp_path / found).write_text("")
    (tmp_path / "train.py").write_text(
        "from datamint_like import ImageDataset, VolumeDataset\n"
        "from datamint_like.imaging import read\n"
        f"import {found.split('/')[0].removesuffix('.py')} as mine\n"
        "print(mine.__name__)\n"
    )
    done = subprocess.run([sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.strip() == found.split("/")[0].removesuffix(".py")
