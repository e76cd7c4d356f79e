"""The demo from end to end, in two short runs on one store."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from datamint_like import Api, ImageDataset
from datamint_like.cli.main import main
from datamint_like.demo.masks import ANNOTATOR_A, ANNOTATORS, CLASSES
from datamint_like.demo.project import ensure_project
from datamint_like.demo.report import DemoResult, table, what_next
from datamint_like.demo.run import DemoOptions, run_demo
from datamint_like.exceptions import SkippedResourcesWarning

FAST = {"epochs": 1, "workers": 0, "progress": False}


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoResult, list[str]]:
    """The result of a run in a new folder, and what it said."""
    root = tmp_path_factory.mktemp("demo")
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATAMINT_LIKE_CACHE", str(root / "cache"))
        return run_demo(DemoOptions(home=root / "home", **FAST), said.append), said


@pytest.fixture
def result(first_run: tuple[DemoResult, list[str]]) -> DemoResult:
    return first_run[0]


def test_one_patient_trains_and_the_other_scores(result: DemoResult) -> None:
    assert len(result.train.patients) == len(result.val.patients) == 1
    assert set(result.train.patients) & set(result.val.patients) == set()
    assert {result.train.slices, result.val.slices} == {28, 32}


def test_both_classes_are_scored_before_and_after(result: DemoResult) -> None:
    for scores in (result.training.before, result.training.after):
        assert set(scores.dice) == set(CLASSES.values())
        assert all(value is not None and 0 <= value <= 1 for value in scores.dice.values())
        assert np.isfinite(scores.loss)


def test_the_project_holds_six_resources_of_three_kinds(result: DemoResult) -> None:
    resources = Api(server_url=result.home.as_uri()).projects.get_project_resources(result.project)
    kinds = sorted(resource.metadata["kind"] for resource in resources)
    assert kinds == ["image", "image", "image", "video", "volume", "volume"]


def test_both_ct_series_carry_both_classes_of_both_annotators(result: DemoResult) -> None:
    api = Api(server_url=result.home.as_uri())
    volumes = [r for r in api.projects.get_project_resources(result.project) if r.metadata["kind"] == "volume"]
    expected = sorted((annotator.email, name) for annotator in ANNOTATORS for name in CLASSES.values())
    for volume in volumes:
        found = api.annotations.get_list(resource=volume, annotation_type="segmentation")
        assert sorted((mask.created_by, mask.identifier) for mask in found) == expected


def test_the_radiographs_have_labels_a_category_and_weak_masks(result: DemoResult) -> None:
    images = ImageDataset(project=result.project, server_url=result.home.as_uri())
    with pytest.warns(SkippedResourcesWarning):
        images.prepare()
    assert set(images.image_labels_set) == {"chest", "leg"}
    assert images.image_categories_set == [("view", "frontal"), ("view", "lateral")]
    assert all(int(item["image_categories"][ANNOTATOR_A.email]) == 0 for item in images)
    masks = [sum(int(mask.sum()) for mask in item["segmentations"].values()) for item in images]
    assert [count > 0 for count in masks] == [True, True, False]


def test_what_the_volumes_leave_out_is_said(first_run: tuple[DemoResult, list[str]]) -> None:
    assert any(line.startswith("Note: ") and "4" in line for line in first_run[1])


def test_the_table_shows_patients_numbers_and_that_masks_are_synthetic(result: DemoResult) -> None:
    text = table(result)
    assert result.train.patients[0] in text
    assert result.val.patients[0] in text
    assert f"{result.training.after.loss:.3f}" in text
    assert "SYNTHETIC" in text
    assert max(len(line) for line in text.splitlines()) <= 110
    assert "What to try next" in what_next(result)


def test_the_picture_shows_five_columns_that_differ(result: DemoResult) -> None:
    pixels = cv2.imread(str(result.picture))
    assert pixels is not None
    columns = np.array_split(pixels[40:-40], 5, axis=1)
    for left, right in pairwise(columns):
        assert (left[:, :260] != right[:, :260]).any()
    assert result.picture.stat().st_size < 300_000


def test_a_second_run_reuses_the_project_and_scores_the_same(
    result: DemoResult, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--home", str(result.home), "--epochs", "1", "--json"]) == 0
    captured = capsys.readouterr()
    again = json.loads(captured.out)
    assert "reusing" in captured.err
    assert again["reused"] is True
    assert again["masks"] == "synthetic"
    assert again["training"]["after"]["dice"] == result.to_dict()["training"]["after"]["dice"]


@pytest.mark.parametrize("option", ["--epochs", "--seed"])
def test_a_number_that_is_none_is_told_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    assert main(["demo", "--home", str(tmp_path / "d"), option, "x"]) == 2
    assert f"argument {option}: expected a whole number, found 'x'" in capsys.readouterr().err


def test_epochs_must_be_a_whole_number_from_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--home", str(tmp_path / "d"), "--epochs", "0"]) == 2
    assert "from 1" in capsys.readouterr().err


def test_a_home_that_cannot_be_a_folder_is_one_line_of_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["demo", "--home", str(tmp_path / "file")]) == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_an_interrupted_run_leaves_a_project_that_the_next_one_fills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = tmp_path.as_uri()
    with monkeypatch.context() as patch:
        patch.setattr("datamint_like.demo.project._annotate_ct", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            ensure_project(url, lambda _: None)
    assert not ensure_project(url, lambda _: None).reused
    again = ensure_project(url, lambda _: None)
    assert again.reused
    assert again.project.resource_count == 6
