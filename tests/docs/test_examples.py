"""The examples of the docstrings, each run as a user would with the demo's project, from an empty working folder."""

from __future__ import annotations

import doctest
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import datamint_like
from datamint_like.catalog import sync_project
from datamint_like.demo.project import ensure_project
from datamint_like.imaging import assemble
from tests.docs.docstrings import examples
from tests.imaging.mask_files import write_seg

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
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


#: What an example may use without saying where it comes from, and how it is made of a handle on the store.
GIVEN: dict[str, Callable[[datamint_like.Api], Any]] = {
    "api": lambda api: api,
    "volumes": lambda _: datamint_like.VolumeDataset(project="head-ct"),
    "dataset": lambda _: datamint_like.ImageDataset(project="chest"),
    "old": lambda _: datamint_like.Dataset("chest", all_annotations=True),
    "head": lambda api: api.projects.get_project_resources("head-ct")[0],
    "xray": lambda api: api.projects.get_project_resources("chest")[0],
    "echo": lambda api: api.projects.get_project_resources("echo")[0],
    "snapshot": lambda api: sync_project(api.backend, "chest", Path("cache")),
}


@pytest.fixture
def api(workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[datamint_like.Api]:
    """A handle on the store of a copy of the workplace, which is the working folder."""
    here = shutil.copytree(workplace, tmp_path / "here")
    monkeypatch.setenv("DATAMINT_LIKE_HOME", str(here / "store"))
    monkeypatch.chdir(here)
    with datamint_like.Api() as handle:
        yield handle


@pytest.mark.filterwarnings("ignore:.* is deprecated and may go:DeprecationWarning")
@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_example_gives_what_it_says(name: str, api: datamint_like.Api) -> None:
    example = EXAMPLES[name]
    code = "".join(each.source for each in example.examples)
    given = {name: make(api) for name, make in GIVEN.items() if re.search(rf"\b{name}\b", code)}
    public = {name: getattr(datamint_like, name) for name in datamint_like.__all__}
    example.globs = public | {"Path": Path, "np": np, "torch": torch} | example.globs | given
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


def test_every_example_in_the_source_is_found() -> None:
    files = Path(datamint_like.__file__).parent.rglob("*.py")
    written = sum(len(re.findall(r"^ *>>> ", file.read_text(encoding="utf-8"), re.MULTILINE)) for file in files)
    assert sum(len(example.examples) for example in EXAMPLES.values()) == written
