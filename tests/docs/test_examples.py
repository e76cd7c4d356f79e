"""The examples of the docstrings, each run as a user would with the demo's project, from an empty working folder."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import datamint_like
from datamint_like.demo.project import ensure_project
from datamint_like.imaging import assemble
from tests.imaging.mask_files import write_seg

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FINDER = doctest.DocTestFinder(exclude_empty=True)


def modules() -> Iterator[ModuleType]:
    yield datamint_like
    for found in pkgutil.walk_packages(datamint_like.__path__, "datamint_like."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def examples() -> dict[str, doctest.DocTest]:
    found = (test for module in modules() for test in FINDER.find(module, globs={}) if test.examples)
    return {test.name: test for test in found}


EXAMPLES = examples()
PROJECTS = {"volume": "head-ct", "image": "chest", "video": "echo"}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory, demo_images: Path) -> Path:
    """A folder with a store of the projects `head-ct`, `chest` and `echo`, a CT series, and a segmentation of it."""
    folder = tmp_path_factory.mktemp("examples")
    store = (folder / "store").as_uri()
    ensure_project(store, say=lambda _: None)
    with datamint_like.Api(server_url=store) as api:
        for resource in api.projects.get_project_resources("demo"):
            if resource.metadata["irregularity"] is None:
                project = api.projects.create(PROJECTS[resource.metadata["kind"]], exists_ok=True)
                api.projects.add_resources([resource], project)
    shutil.copytree(demo_images / "ct_philips", folder / "ct")
    (series,) = assemble((folder / "ct").iterdir()).groups
    write_seg(folder / "seg.dcm", series.paths, np.ones((*series.facts.shape, 1), np.uint8), ["Liver"])
    return folder


@pytest.fixture
def names(workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What an example may use without saying where it comes from; its working folder is a copy of the workplace."""
    here = shutil.copytree(workplace, tmp_path / "here")
    monkeypatch.setenv("DATAMINT_LIKE_HOME", str(here / "store"))
    monkeypatch.chdir(here)
    datasets = {
        "volumes": datamint_like.VolumeDataset(project="head-ct"),
        "dataset": datamint_like.ImageDataset(project="chest"),
    }
    public = {name: getattr(datamint_like, name) for name in datamint_like.__all__}
    return public | datasets | {"Path": Path, "np": np, "torch": torch}


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_example_gives_what_it_says(name: str, names: dict[str, Any]) -> None:
    example = EXAMPLES[name]
    module = importlib.import_module(next(m.__name__ for m in modules() if _holds(m, example)))
    example.globs = names | vars(module)
    said: list[str] = []
    failed, _ = doctest.DocTestRunner(optionflags=OPTIONS, verbose=False).run(example, out=said.append)
    assert not failed, "".join(said)


def test_no_example_is_left_out() -> None:
    skipped = {
        name
        for name, example in EXAMPLES.items()
        if any(doctest.SKIP in each.options and each.options[doctest.SKIP] for each in example.examples)
    }
    assert skipped == set()


def _holds(module: ModuleType, example: doctest.DocTest) -> bool:
    return example.name == module.__name__ or (
        example.filename is not None and Path(example.filename) == Path(module.__file__ or "")
    )
