"""Splits in proportion and folds: exact sizes, every share rounded down or up, patients together, all of it told."""

from __future__ import annotations

import json
import pickle
import random
import warnings
from collections import Counter
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamint_like.backends import open_backend
from datamint_like.backends.base import Backend, NewAnnotation, NewProject, NewResource
from datamint_like.dataset import ImageDataset, VideoDataset, VolumeDataset
from datamint_like.dataset.splits import Groups, Shuffle, folds
from datamint_like.dataset.strata import rounded_shares, stratified
from datamint_like.entities import AnnotationSpec
from datamint_like.exceptions import DatamintDatasetException, PatientLeakageWarning, ValidationError
from datamint_like.imaging import encode_frame_mask
from tests.dataset.conftest import Shelf

VIEWS = ["pa", "pa", "lateral", "pa", "pa", "lateral", "pa", "pa", "lateral", "pa", "pa", None]
PATIENTS = ["a", "a", "a", "b", "b", "c", "d", "e", "e", "f", "g", None]


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory, demo_images: Path) -> Backend:
    """Twelve radiographs: views as categories, every third nodular, four with a mask and one with a box."""
    backend = open_backend((tmp_path_factory.mktemp("strata") / "store").as_uri())
    path = demo_images / "xray" / "nih_00000001_000.png"
    mask = np.zeros((512, 512), np.uint8)
    mask[3:9, 4:20] = 1
    ids = []
    for n, (view, patient) in enumerate(zip(VIEWS, PATIENTS, strict=True)):
        tags = ("split:train",) if n < 6 else ("split:val", "other") if n < 10 else ("split:",)
        metadata = {"patient_id": patient} if patient else {}
        new = NewResource(paths=(path,), filename=f"{n:02}.png", tags=tags, metadata=metadata)
        ids.append(backend.create_resource(new).id)
        made = [NewAnnotation(type="category", identifier="view", value=view)] if view else []
        if n % 3 == 0:
            made.append(NewAnnotation(type="label", identifier="nodule"))
        if n < 4:
            drawn = {"payload": encode_frame_mask(mask), "payload_name": "lung"}
            made.append(
                NewAnnotation(type="segmentation", identifier="lung", scope="frame", frame_index=0, **drawn)  # type: ignore[arg-type]
            )
        if n == 5:
            corners = {"points": [[1, 2, 0], [9, 2, 0], [1, 8, 0], [9, 8, 0]], "coordinate_system": "pixel"}
            made.append(NewAnnotation(type="square", identifier="mass", geometry=corners))
        if made:
            backend.create_annotations(ids[-1], made)
    backend.create_project(NewProject(name="twelve", resource_ids=tuple(ids)))
    return backend


@pytest.fixture
def twelve(backend: Backend) -> ImageDataset:
    return ImageDataset(project="twelve", server_url=backend.url)


def names(dataset: Any) -> list[int]:
    return [int(resource.filename.removesuffix(".png")) for resource in dataset.resources]


# --- the rounding


@given(rows=st.lists(st.integers(0, 12), max_size=9), data=st.data())
def test_shares_round_down_or_up_and_both_margins_stay_exact(rows: list[int], data: st.DataObject) -> None:
    total = sum(rows)
    cuts = sorted(data.draw(st.lists(st.integers(0, total), max_size=4)))
    columns = [b - a for a, b in zip([0, *cuts], [*cuts, total], strict=True)]
    table = rounded_shares(rows, columns)
    assert [sum(line) for line in table] == rows
    assert [sum(line[c] for line in table) for c in range(len(columns))] == columns
    for row, line in zip(rows, table, strict=True):
        for column, cell in zip(columns, line, strict=True):
            exact = row * column / total if total else 0.0
            assert floor(exact + 1e-9) <= cell <= ceil(exact - 1e-9)


@given(
    strata=st.lists(st.sampled_from("abc"), min_size=1, max_size=40),
    seed=st.integers(0, 99),
    share=st.floats(0.05, 0.95),
)
def test_a_stratified_cut_is_a_partition_with_the_sizes_asked_for(strata: list[str], seed: int, share: float) -> None:
    order = list(range(len(strata)))
    random.Random(seed).shuffle(order)
    sizes = [round(share * len(order)), len(order) - round(share * len(order))]
    parts = stratified(order, strata, sizes)
    assert [len(part) for part in parts] == sizes
    assert sorted(n for part in parts for n in part) == list(range(len(strata)))
    whole = Counter(strata)
    for part in parts:
        assert part == sorted(part, key=order.index)
        for value, count in whole.items():
            assert abs(sum(strata[n] == value for n in part) - count * len(part) / len(strata)) < 1


@given(
    patients=st.lists(st.sampled_from(["a", "b", "c", "d", "e", None]), min_size=8, max_size=30),
    count=st.integers(2, 3),
    seed=st.integers(0, 99),
    by_patient=st.booleans(),
)
@settings(deadline=None)
@pytest.mark.filterwarnings("ignore::datamint_like.exceptions.PatientLeakageWarning")
def test_folds_are_those_of_a_plain_reference(
    patients: list[str | None], count: int, seed: int, by_patient: bool
) -> None:
    groups = Groups(np.arange(len(patients)), np.arange(len(patients)), patients)
    units: list[list[int]] = []
    for row, patient in enumerate(patients):
        mates = [u for u in units if by_patient and patient is not None and patients[u[0]] == patient]
        if mates:
            mates[0].append(row)
        else:
            units.append([row])
    if len(units) < count:
        with pytest.raises(DatamintDatasetException, match="there are"):
            folds(count, Shuffle(seed, by_patient), groups, None)
        return
    order = list(range(len(units)))
    random.Random(seed).shuffle(order)
    expected, start = [], 0
    for n in range(count):
        size = len(units) // count + (1 if n < len(units) % count else 0)
        expected.append([row for unit in order[start : start + size] for row in units[unit]])
        start += size
    assert [list(rows) for rows in folds(count, Shuffle(seed, by_patient), groups, None)] == expected


# --- datasets


@pytest.mark.filterwarnings("ignore::datamint_like.exceptions.PatientLeakageWarning")
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("stratify", "having"), [("view", VIEWS), ("nodule", [n % 3 == 0 for n in range(12)])])
def test_each_part_has_its_share_of_each_value(
    twelve: ImageDataset, seed: int, stratify: str, having: list[Any]
) -> None:
    parts = twelve.split(train=0.5, val=0.25, test=0.25, seed=seed, stratify=stratify)
    plain = twelve.split(train=0.5, val=0.25, test=0.25, seed=seed)
    assert {name: len(part) for name, part in parts.items()} == {name: len(part) for name, part in plain.items()}
    for part in parts.values():
        found = Counter(having[n] for n in names(part))
        for value, count in Counter(having).items():
            assert abs(found[value] - count * len(part) / 12) < 1
    again = twelve.split(train=0.5, val=0.25, test=0.25, seed=seed, stratify=stratify)
    assert {k: v.fingerprint for k, v in again.items()} == {k: v.fingerprint for k, v in parts.items()}


@pytest.mark.filterwarnings("ignore::datamint_like.exceptions.PatientLeakageWarning")
@pytest.mark.parametrize(("stratify", "shares"), [("lung", [2, 2]), ("mass", [0, 1])])
def test_masks_and_boxes_stratify_by_being_there(twelve: ImageDataset, stratify: str, shares: list[int]) -> None:
    held = {n for n, _ in enumerate(VIEWS) if (n < 4 if stratify == "lung" else n == 5)}
    for seed in range(5):
        parts = twelve.split(train=0.5, val=0.5, seed=seed, stratify=stratify)
        assert sorted(len(held & set(names(part))) for part in parts.values()) == shares


@pytest.mark.parametrize("seed", range(6))
def test_a_stratified_split_by_patient_keeps_the_share_of_patients(twelve: ImageDataset, seed: int) -> None:
    parts = twelve.split(train=0.5, val=0.5, seed=seed, by_patient=True, stratify="view")
    of_patient: dict[str, set[Any]] = {}
    for n, (view, patient) in enumerate(zip(VIEWS, PATIENTS, strict=True)):
        of_patient.setdefault(patient or f"nobody {n}", set()).add(view)
    whole = Counter(frozenset(views - {None}) for views in of_patient.values())
    for part in parts.values():
        held = {PATIENTS[n] or f"nobody {n}" for n in names(part)}
        found = Counter(frozenset(of_patient[patient] - {None}) for patient in held)
        for views, count in whole.items():
            assert abs(found[views] - count / 2) <= 0.5
    assert not set.intersection(*({PATIENTS[n] for n in names(part)} - {None} for part in parts.values()))


@pytest.mark.parametrize("stratify", [None, "view"])
def test_every_item_is_in_one_val_of_the_folds_and_never_in_its_train(
    twelve: ImageDataset, stratify: str | None
) -> None:
    found = twelve.kfold(3, seed=4, by_patient=True, stratify=stratify)
    assert sorted(n for fold in found for n in names(fold["val"])) == list(range(12))
    for fold in found:
        assert sorted(names(fold["train"]) + names(fold["val"])) == list(range(12))
        assert fold.report().disjoint_patients
        assert (fold["val"].split_name, fold["train"].split_source) == ("val", "local")
    again = twelve.kfold(3, seed=4, by_patient=True, stratify=stratify)
    assert [names(fold["val"]) for fold in again] == [names(fold["val"]) for fold in found]


@pytest.mark.parametrize("n", [1, 0, 13, 2.0, True, "5"])
def test_a_number_of_folds_that_cannot_be_is_refused(twelve: ImageDataset, n: Any) -> None:
    with pytest.raises(DatamintDatasetException, match="folds"):
        twelve.kfold(n, seed=0)


def test_folds_that_share_a_patient_are_warned_of_once(twelve: ImageDataset) -> None:
    with pytest.warns(PatientLeakageWarning) as caught:
        twelve.kfold(4, seed=0)
    assert len(caught) == 1


@pytest.mark.parametrize("cut", ["axial", "frames"])
def test_folds_of_slices_keep_volumes_whole(shelf: Shelf, cut: str) -> None:
    if cut == "axial":
        slices: Any = VolumeDataset(resources=[shelf.philips, shelf.ge], server_url=shelf.url).slice("axial")
        first, second = slices.kfold(2, seed=1)
        assert {len(first["val"]), len(second["val"])} == {28, 32}
        assert len(first["train"]) == len(second["val"])
        return
    frames = VideoDataset(resources=[shelf.clip], server_url=shelf.url).frame_by_frame()
    with pytest.raises(DatamintDatasetException, match="there are 1"):
        frames.kfold(2)


# --- tags


def test_tags_split_with_a_deprecation_warning_and_a_resource_with_two_lands_in_both(
    backend: Backend, twelve: ImageDataset
) -> None:
    with pytest.warns(DeprecationWarning, match=r"deprecated.*save") as caught:
        parts = twelve.split(use_server_splits=True)
    assert [w.filename for w in caught if w.category is DeprecationWarning] == [__file__]
    assert {k: names(v) for k, v in parts.items()} == {"train": [0, 1, 2, 3, 4, 5], "val": [6, 7, 8, 9]}
    assert parts["val"].split_source == "server_tags"
    assert parts["val"].split_as_of_timestamp is None
    listed = [r.id for r in twelve.resources][::-1]
    by_default = ImageDataset(resources=listed, server_url=backend.url)
    with pytest.warns(DeprecationWarning, match="deprecated"):
        assert {k: names(v) for k, v in by_default.split().items()} == {
            "val": [9, 8, 7, 6],
            "train": [5, 4, 3, 2, 1, 0],
        }
    with pytest.warns(DeprecationWarning, match="deprecated"):
        assert list(twelve.split(use_project_splits=False)) == ["train", "val"]
    with pytest.raises(DatamintDatasetException, match="resources="):
        by_default.split(use_project_splits=True)
    with pytest.raises(DatamintDatasetException, match="resources="):
        by_default.split(as_of_timestamp="2026-01-01")


def test_two_tags_put_a_resource_in_both_parts_and_such_a_split_is_not_saved(
    backend: Backend, demo_images: Path
) -> None:
    path = demo_images / "xray" / "nih_00000001_000.png"
    both = backend.create_resource(NewResource(paths=(path,), filename="both.png", tags=("split:a", "split:b")))
    backend.create_project(NewProject(name="both", resource_ids=(both.id,)))
    with pytest.warns(DeprecationWarning, match="deprecated"):
        parts = ImageDataset(project="both", server_url=backend.url).split(use_server_splits=True)
    assert {k: len(v) for k, v in parts.items()} == {"a": 1, "b": 1}
    assert not parts.report().disjoint_resources
    assert "resources: a and b share 1" in str(parts.report())
    with pytest.raises(DatamintDatasetException, match="'a' and 'b'"):
        parts.save()


def test_without_tags_there_is_no_split_by_tags(shelf: Shelf) -> None:
    listed = ImageDataset(resources=[shelf.xray], server_url=shelf.url)
    with (
        pytest.warns(DeprecationWarning, match="deprecated"),
        pytest.raises(DatamintDatasetException, match=r"split:<name>.*ratios"),
    ):
        listed.split()


# --- saved and reported


def test_a_saved_split_is_replayed_now_and_as_it_was(backend: Backend) -> None:
    ids = [r.id for r in ImageDataset(project="twelve", server_url=backend.url).resources]
    backend.create_project(NewProject(name="saved", resource_ids=tuple(ids)))
    dataset = ImageDataset(project="saved", server_url=backend.url)
    first = dataset.split(train=0.5, val=0.3, test=0.2, seed=1, by_patient=True)
    instant = first.save()
    second = dataset.split(train=0.5, val=0.5, seed=2, by_patient=True)
    second.save()
    for made, replayed in ((first, dataset.split(as_of_timestamp=instant)), (second, dataset.split())):
        assert {k: sorted(names(v)) for k, v in made.items()} == {k: names(v) for k, v in replayed.items()}
    a_copy = pickle.loads(pickle.dumps(first))
    del a_copy["test"]
    a_copy.save()
    assert {k: names(v) for k, v in dataset.split().items()} == {k: sorted(names(first[k])) for k in ("train", "val")}


def test_saving_a_part_of_a_project_leaves_the_rest_as_it_was(backend: Backend, twelve: ImageDataset) -> None:
    ids = [r.id for r in twelve.resources]
    project = backend.create_project(NewProject(name="part", resource_ids=tuple(ids)))
    backend.assign_split(project.id, ids, "old")
    some = ImageDataset(project="part", server_url=backend.url).subset([0, 1, 5])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PatientLeakageWarning)
        some.split(a=0.67, b=0.33, seed=0).save()
    held = Counter(row.split_name for row in backend.list_splits(project.id))
    assert held == {"old": 9, "a": 2, "b": 1}


def test_slices_save_their_volumes(shelf: Shelf) -> None:
    shelf.backend.create_project(NewProject(name="volumes", resource_ids=(shelf.philips.id, shelf.ge.id)))
    volumes = VolumeDataset(project="volumes", server_url=shelf.url)
    slices = volumes.slice("axial")
    made = slices.split(train=0.5, val=0.5, seed=3)
    made.save()
    replayed = slices.split()
    assert {k: len(v) for k, v in made.items()} == {k: len(v) for k, v in replayed.items()}
    assert {k: v.fingerprint for k, v in made.items()} == {k: v.fingerprint for k, v in replayed.items()}
    assert {k: len(v) for k, v in volumes.split().items()} == {"train": 1, "val": 1}


def test_a_split_of_resources_has_no_project_to_be_saved_to(backend: Backend, twelve: ImageDataset) -> None:
    listed = ImageDataset(resources=[r.id for r in twelve.resources], server_url=backend.url)
    parts = listed.split(train=0.5, val=0.5, seed=1, by_patient=True)
    with pytest.raises(DatamintDatasetException, match="project="):
        parts.save()


def test_a_resource_that_left_the_project_stops_the_save_before_anything_is_written(
    backend: Backend, twelve: ImageDataset
) -> None:
    ids = [r.id for r in twelve.resources]
    project = backend.create_project(NewProject(name="leaving", resource_ids=tuple(ids)))
    parts = ImageDataset(project="leaving", server_url=backend.url).split(train=0.5, val=0.5, seed=1, by_patient=True)
    backend.remove_project_resources(project.id, ids[:1])
    with pytest.raises(ValidationError, match="not in project"):
        parts.save()
    assert backend.list_splits(project.id) == []


def test_the_report_counts_what_the_parts_hold_and_what_they_share(twelve: ImageDataset) -> None:
    parts = twelve.split(train=0.5, val=0.5, seed=3, by_patient=True, stratify="view")
    report = parts.report()
    for part, told in zip(parts.values(), report.parts, strict=True):
        held = names(part)
        assert (told.items, told.resources) == (len(held), len(held))
        assert told.patients == len({PATIENTS[n] for n in held} - {None})
        assert told.without_patient == (11 in held)
        assert told.balance == {
            "category view = lateral": sum(VIEWS[n] == "lateral" for n in held),
            "category view = pa": sum(VIEWS[n] == "pa" for n in held),
            "image label nodule": sum(n % 3 == 0 for n in held),
            "segmentation lung": sum(n < 4 for n in held),
            "box mass": int(5 in held),
        }
    assert report.disjoint_resources
    assert report.disjoint_patients
    table = str(report).splitlines()
    assert table[0].split() == ["train", "val"]
    assert table[-2] == "no resource is in two parts"
    assert table[-1] == "no patient is in two parts (1 resource without a patient id is not judged)"
    assert json.loads(json.dumps(report.as_dict()))["parts"]["val"]["balance"] == report.parts[1].balance
    with pytest.raises(AttributeError):
        report.parts = ()  # type: ignore[misc]


@pytest.mark.filterwarnings("ignore::datamint_like.exceptions.PatientLeakageWarning")
def test_a_leak_is_told_with_the_parts_and_the_number_of_patients(twelve: ImageDataset) -> None:
    report = twelve.split(train=0.5, val=0.5, seed=1).report()
    shared = report.overlaps[0].patients
    assert shared
    assert not report.disjoint_patients
    assert f"patients: train and val share {shared}" in str(report)


def test_the_report_of_slices_counts_slices_as_items_and_volumes_as_resources(shelf: Shelf) -> None:
    volumes = VolumeDataset(resources=[shelf.philips, shelf.ge], server_url=shelf.url)
    parts = volumes.slice("axial").split(train=0.5, val=0.5, seed=0)
    report = parts.report()
    assert sorted(part.items for part in report.parts) == [28, 32]
    assert [part.resources for part in report.parts] == [1, 1]
    assert sum(part.balance["segmentation bone"] for part in report.parts) == 1


def test_a_schema_gives_the_names_that_stratify_knows(backend: Backend, twelve: ImageDataset) -> None:
    ids = tuple(r.id for r in twelve.resources)
    spec = AnnotationSpec(type="category", identifier="view", values=("pa", "lateral", "oblique"))
    backend.create_project(NewProject(name="schema", resource_ids=ids, annotations=(spec,)))
    with pytest.warns(UserWarning, match="do not know"):
        dataset = ImageDataset(project="schema", server_url=backend.url).prepare()
    parts = dataset.split(train=0.5, val=0.5, seed=1, by_patient=True, stratify="view")
    assert parts.report().parts[0].balance["category view = oblique"] == 0
    with pytest.raises(DatamintDatasetException, match="nodule"):
        dataset.split(train=0.5, val=0.5, stratify="nodule")
