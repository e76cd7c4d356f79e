"""Splitting: the published client's parts for equal seeds, and no patient on two sides."""

from __future__ import annotations

import random
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamint_like.backends import open_backend
from datamint_like.backends.base import Backend, NewProject, NewResource
from datamint_like.dataset import ImageDataset, VolumeDataset
from datamint_like.dataset.splits import Groups, check_ratios, cut
from datamint_like.exceptions import DatamintDatasetException, PatientLeakageWarning
from tests.dataset.conftest import Shelf

PATIENTS = ["ann", "bob", "ann", None, "bob", "cy", None, "ann", "dee", "cy"]


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory, demo_images: Path) -> Backend:
    backend = open_backend((tmp_path_factory.mktemp("splits") / "store").as_uri())
    path = demo_images / "xray" / "cr_16bit.png"
    ids = [
        backend.create_resource(
            NewResource(paths=(path,), filename=f"{n}.png", metadata={"patient_id": patient} if patient else {})
        ).id
        for n, patient in enumerate(PATIENTS)
    ]
    backend.create_project(NewProject(name="ten", resource_ids=tuple(ids)))
    return backend


@pytest.fixture
def ten(backend: Backend) -> ImageDataset:
    return ImageDataset(project="ten", server_url=backend.url)


def names(dataset: Any) -> list[int]:
    return [int(resource.filename.removesuffix(".png")) for resource in dataset.resources]


@pytest.mark.parametrize(
    ("count", "seed", "order"),
    [
        (5, 42, [3, 1, 2, 4, 0]),
        (10, 42, [7, 3, 2, 8, 5, 6, 9, 4, 0, 1]),
        (10, 0, [7, 8, 1, 5, 3, 4, 2, 0, 9, 6]),
    ],
)
def test_the_shuffle_is_the_published_one(count: int, seed: int, order: list[int]) -> None:
    assert [n for chunk in cut(count, [0.5, 0.5], seed) for n in chunk] == order


def test_sizes_round_half_to_even_and_the_last_part_takes_the_rest() -> None:
    assert [len(chunk) for chunk in cut(5, [0.5, 0.25, 0.25], 1)] == [2, 1, 2]


@given(
    count=st.integers(0, 60),
    weights=st.lists(st.integers(1, 9), min_size=2, max_size=4),
    seed=st.integers(0, 2**31),
)
def test_chunks_are_a_partition_as_a_plain_reference_makes_it(count: int, weights: list[int], seed: int) -> None:
    ratios = [weight / sum(weights) for weight in weights]
    chunks = cut(count, ratios, seed)
    order = list(range(count))
    random.Random(seed).shuffle(order)
    assert [n for chunk in chunks for n in chunk] == order
    assert len(chunks) == len(ratios)


@given(
    patients=st.lists(st.sampled_from(["a", "b", "c", "d", None]), max_size=40),
    repeats=st.integers(1, 3),
)
def test_groups_are_a_partition_that_keeps_patients_together(patients: list[str | None], repeats: int) -> None:
    resource = np.repeat(np.arange(len(patients)), repeats)
    groups = Groups(np.arange(len(resource)), resource, patients)
    for by_patient in (False, True):
        units = groups.units(by_patient=by_patient)
        members = [units.of_units([n]) for n in range(len(units))]
        assert sorted(int(n) for m in members for n in m) == list(range(len(resource)))
        assert [m.tolist() for m in members] == sorted(sorted(m.tolist()) for m in members)
        assert units.of_units(range(len(units))[::-1]).tolist() == [n for m in members[::-1] for n in m.tolist()]
        side = {int(n): index for index, m in enumerate(members) for n in m}
        for one in range(len(resource)):
            for two in range(len(resource)):
                same = resource[one] == resource[two] or (
                    by_patient
                    and patients[resource[one]] is not None
                    and patients[resource[one]] == patients[resource[two]]
                )
                assert (side[one] == side[two]) == bool(same)


@pytest.mark.filterwarnings("ignore::datamint_like.exceptions.PatientLeakageWarning")
def test_equal_seeds_give_equal_parts_that_share_nothing(ten: ImageDataset) -> None:
    first, second = (ten.split(train=0.7, val=0.2, test=0.1, seed=42) for _ in range(2))
    assert {k: names(v) for k, v in first.items()} == {k: names(v) for k, v in second.items()}
    assert names(first["train"]) == [7, 3, 2, 8, 5, 6, 9]
    assert sorted(n for part in first.values() for n in names(part)) == list(range(10))
    assert first["train"].fingerprint == second["train"].fingerprint != first["val"].fingerprint
    assert (first["val"].split_name, first["val"].split_source) == ("val", "local")


def test_by_patient_puts_no_patient_on_two_sides_and_warns_of_nothing(ten: ImageDataset) -> None:
    for seed in range(20):
        parts = ten.split(train=0.5, val=0.5, seed=seed, by_patient=True)
        sides = [{r.patient_id for r in part.resources if r.patient_id} for part in parts.values()]
        assert not sides[0] & sides[1]
        assert sum(len(part) for part in parts.values()) == 10


def test_a_patient_on_two_sides_is_warned_of_with_a_count(ten: ImageDataset) -> None:
    with pytest.warns(PatientLeakageWarning, match=r"of 4 patients.*by_patient=True"):
        ten.split(train=0.5, val=0.5, seed=1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"train": 1.0}, "two parts"),
        ({"train": 0.5, "val": 0.2}, "sum to 0.7"),
        ({"train": 1.2, "val": -0.2}, "above 0"),
        ({"train": 0.5, "val": "half"}, "number"),
        ({"train": 0.5, "val": 0.5, "use_project_splits": True}, "one of them"),
        ({"train": 0.5, "val": 0.5, "as_of_timestamp": "2026-01-01"}, "one of them"),
        ({"by_patient": True}, "add train=0.8"),
        ({"train": 0.5, "val": 0.5, "use_server_splits": True}, "one of them"),
        ({"use_server_splits": True, "use_project_splits": True}, "one of them"),
        ({"use_server_splits": True, "as_of_timestamp": "2026-01-01"}, "one of them"),
        ({"stratify": "view"}, "add train=0.8"),
        ({"train": 0.5, "val": 0.5, "stratify": "no such"}, "'no such' is none"),
        ({"train": 0.5, "val": 0.5, "stratify": 5}, "stratify"),
        ({"train": 0.5, "val": 0.5, "seed": [1]}, "seed"),
        ({}, "no split assignments"),
    ],
)
def test_a_split_that_cannot_be_is_refused(ten: ImageDataset, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(DatamintDatasetException, match=says):
        ten.split(**arguments)


def test_ratios_within_a_hundredth_of_one_are_taken() -> None:
    check_ratios({"a": 0.33, "b": 0.33, "c": 0.33})


def test_project_splits_resolve_at_an_instant_and_replay(backend: Backend, ten: ImageDataset) -> None:
    project = backend.find_project("ten")
    assert project is not None
    ids = [r.id for r in ten.resources]
    fresh = backend.create_project(NewProject(name="assigned", resource_ids=tuple(ids)))
    backend.assign_split(fresh.id, [ids[0], ids[2], ids[7]], "train")
    backend.assign_split(fresh.id, [ids[1], ids[4]], "test")
    dataset = ImageDataset(project="assigned", server_url=backend.url)
    parts = dataset.split()
    assert {name: names(part) for name, part in parts.items()} == {"train": [0, 2, 7], "test": [1, 4]}
    assert parts["train"].split_source == "project_api"
    instant = parts["train"].split_as_of_timestamp
    backend.assign_split(fresh.id, [ids[2]], "test")
    with pytest.warns(PatientLeakageWarning):
        moved = dataset.split()
    assert names(moved["test"]) == [1, 2, 4]
    replayed = dataset.split(as_of_timestamp=instant)
    assert names(replayed["train"]) == [0, 2, 7]
    with pytest.raises(DatamintDatasetException, match="later than the clock of the store"):
        dataset.split(as_of_timestamp="2999-01-01")


def test_slices_of_one_volume_stay_together(shelf: Shelf) -> None:
    slices = VolumeDataset(resources=[shelf.philips, shelf.ge], server_url=shelf.url).slice("axial")
    for seed in range(6):
        parts = slices.split(train=0.5, val=0.5, seed=seed)
        held = [{r.id for r in part.resources} for part in parts.values()]
        assert len(held[0]) == len(held[1]) == 1
        assert held[0] != held[1]
        assert sorted(len(part) for part in parts.values()) == [28, 32]


def test_a_part_never_grows_back(ten: ImageDataset) -> None:
    part = ten.subset([3, 1])
    assert names(part.prepare()) == [3, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PatientLeakageWarning)
        assert len(part.split(train=0.5, val=0.5, seed=0)["train"]) == 1
    assert names(part.subset([-1])) == [1]
    assert names(ten.filter(filename_pattern="[1-3].png").filter(custom_fn=lambda r, _: r.patient_id == "ann")) == [2]
    with pytest.raises(IndexError):
        part.subset([2])


def test_a_filter_needs_a_criterion(ten: ImageDataset) -> None:
    with pytest.raises(DatamintDatasetException, match="filename_pattern"):
        ten.filter()


def test_a_subset_is_taken_by_numbers_or_by_a_mask(ten: ImageDataset) -> None:
    mask = np.zeros(10, bool)
    mask[[2, 5]] = True
    assert names(ten.subset(mask)) == names(ten.subset(np.array([2, 5]))) == [2, 5]
    assert names(ten.subset(mask.tolist())) == [2, 5]
    with pytest.raises(IndexError, match="10 items"):
        ten.subset(mask[:3])


@pytest.mark.parametrize("indices", [[1.7], "01", [None], ["1"], [[1]]])
def test_a_subset_by_anything_else_is_a_type_error(ten: ImageDataset, indices: Any) -> None:
    with pytest.raises(TypeError, match="whole number"):
        ten.subset(indices)


@pytest.mark.parametrize("index", [slice(0, 2), "0", 0.0, True, None])
def test_an_item_is_asked_for_by_a_whole_number(ten: ImageDataset, index: Any) -> None:
    with pytest.raises(TypeError, match="subset"):
        ten[index]
    assert ten[np.int64(-1)]["resource"].filename == "9.png"


@pytest.mark.parametrize(
    "criterion", [{"filename_pattern": 5}, {"has_annotations": "yes"}, {"tags": 5}, {"custom_fn": 5}], ids=str
)
def test_a_criterion_of_another_type_is_refused_by_name(ten: ImageDataset, criterion: dict[str, Any]) -> None:
    with pytest.raises(DatamintDatasetException, match=next(iter(criterion))):
        ten.filter(**criterion)


def test_filters_agree_with_the_records(shelf: Shelf) -> None:
    volumes = VolumeDataset(resources=[shelf.philips, shelf.ge], server_url=shelf.url)
    philips, ge = [shelf.philips.id], [shelf.ge.id]

    def kept(**criteria: Any) -> list[str]:
        return [r.id for r in volumes.filter(**criteria).resources]

    assert kept(tags=["even", "no such"]) == philips
    assert kept(tags="ct") == philips + ge
    assert kept(has_annotations=True) == kept(annotation_names=["bone"]) == philips
    assert kept(has_annotations=False) == kept(filename_pattern="g*.dcm") == ge
    assert kept(tags=["ct"], custom_fn=lambda r, a: r.filename == "ge.dcm" and not a) == ge
    assert kept(annotation_names=["no such"]) == []
    assert len(volumes.slice("axial").filter(filename_pattern="ge*")) == 28
