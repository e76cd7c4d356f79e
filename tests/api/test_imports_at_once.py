"""Imports of the same files at once, by processes and in the middle of each other: nothing is there twice."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamint_like import Api
from datamint_like.api import importing
from datamint_like.api.importing import ImportOptions, ImportReport, import_files
from tests.imaging.conftest import only_group
from tests.imaging.mask_files import write_seg

PROCESSES = 3


@pytest.fixture
def study(tmp_path: Path, demo_images: Path) -> Path:
    """Two series, a segmentation of the first, and two pictures."""
    folder = tmp_path / "study"
    shutil.copytree(demo_images / "ct_philips", folder / "ct")
    shutil.copytree(demo_images / "ct_ge", folder / "other")
    for name in ("cr_16bit.png", "nih_00000001_000.png"):
        shutil.copy(demo_images / "xray" / name, folder)
    group = only_group(folder / "ct")
    masks = np.zeros((*group.facts.shape, 2), np.uint8)
    masks[3:9, 20:50, 30:90, 0] = 1
    masks[5:12, 40:70, 60:100, 1] = 1
    write_seg(folder / "seg.dcm", group.paths, masks)
    return folder


def bring(url: str, *paths: Path, tag: str = "t") -> ImportReport:
    with Api(url) as api:
        return import_files(api, paths, "c", ImportOptions(tags=(tag,)))


def bring_together(url: str, folder: Path, ready: Any, counts: Any) -> None:
    """What one process does: wait for the others, import, and tell what became of the files."""
    ready.wait(60)
    report = bring(url, folder)
    held = len(report.imported), len(report.already_there), len(report.annotated), len(report.annotations_there)
    counts.put((*held, len(report.skipped)))


def test_processes_that_import_one_folder_at_once_give_each_resource_and_mask_once(study: Path, tmp_path: Path) -> None:
    url = (tmp_path / "store").as_uri()
    context = multiprocessing.get_context("spawn")
    ready, counts = context.Barrier(PROCESSES), context.Queue()
    children = [context.Process(target=bring_together, args=(url, study, ready, counts)) for _ in range(PROCESSES)]
    for child in children:
        child.start()
    told = [counts.get(timeout=120) for _ in children]
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * PROCESSES
    assert sum(imported for imported, *_ in told) == 4
    assert [imported + there for imported, there, *_ in told] == [4] * PROCESSES
    assert sum(attached for *_, attached, _, _ in told) == 1
    assert [attached + there for *_, attached, there, _ in told] == [1] * PROCESSES
    assert [skipped for *_, skipped in told] == [0] * PROCESSES
    with Api(url) as api:
        assert len(api.resources.get_list()) == len(api.projects.get_project_resources("c")) == 4
        assert len(api.annotations.get_list()) == 2
        assert api.backend.verify() == []  # type: ignore[attr-defined]


def in_between(monkeypatch: pytest.MonkeyPatch, other: Callable[[], object]) -> None:
    """Let another import come after this one has looked what the project holds."""
    store = importing.store_annotated

    def later(*given: Any) -> Any:
        monkeypatch.setattr(importing, "store_annotated", store)
        other()
        return store(*given)

    monkeypatch.setattr(importing, "store_annotated", later)


@pytest.mark.parametrize("with_seg", [True, False])
def test_what_another_import_brought_meanwhile_is_already_there(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_seg: bool
) -> None:
    url = (tmp_path / "store").as_uri()
    brought = [study] if with_seg else [study / "ct"]
    in_between(monkeypatch, lambda: bring(url, *brought))
    report = bring(url, study)
    assert len(report.imported) == (0 if with_seg else 3)
    assert len(report.already_there) == (4 if with_seg else 1)
    assert [path.name for path in report.annotations_there] == (["seg.dcm"] if with_seg else [])
    assert [each.count for each in report.annotated] == ([] if with_seg else [2])
    with Api(url) as api:
        assert len(api.resources.get_list()) == 4
        assert len(api.annotations.get_list()) == 2


def test_a_file_that_another_import_attached_meanwhile_is_not_attached_twice(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = (tmp_path / "store").as_uri()
    bring(url, study / "ct")
    finish = importing.store_annotated

    def meanwhile(backend: Any, *more: Any) -> Any:
        create = backend.create_annotations_once

        def late(*given: Any) -> Any:
            monkeypatch.undo()
            bring(url, study / "seg.dcm")
            return create(*given)

        monkeypatch.setattr(backend, "create_annotations_once", late)
        return finish(backend, *more)

    monkeypatch.setattr(importing, "store_annotated", meanwhile)
    report = bring(url, study / "seg.dcm")
    assert [path.name for path in report.annotations_there] == ["seg.dcm"]
    assert report.annotated == ()
    with Api(url) as api:
        assert len(api.annotations.get_list()) == 2
