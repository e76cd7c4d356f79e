"""Filters, subsets, sums and iteration: the same on every class, before and after preparation, and out of a pickle."""

from __future__ import annotations

import itertools
import pickle
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import ConcatDataset, IterableDataset, TensorDataset

from datamint_like.backends import open_backend
from datamint_like.backends.base import Backend, NewAnnotation, NewProject, NewResource
from datamint_like.dataset import ImageDataset, SlicedVideoDataset, SlicedVolumeDataset, VideoDataset, VolumeDataset
from datamint_like.exceptions import DatamintDatasetException
from tests.dataset.conftest import Shelf

CLASSES: dict[str, Callable[[Shelf], Any]] = {
    "images": lambda shelf: ImageDataset(resources=[shelf.xray, shelf.plain_xray], server_url=shelf.url),
    "volumes": lambda shelf: VolumeDataset(
        resources=[shelf.philips, shelf.ge], server_url=shelf.url, irregular_spacing="keep"
    ),
    "videos": lambda shelf: VideoDataset(resources=[shelf.clip], server_url=shelf.url),
    "slices": lambda shelf: SlicedVolumeDataset(
        resources=[shelf.philips, shelf.ge], server_url=shelf.url, irregular_spacing="keep"
    ),
    "slices of a volume dataset": lambda shelf: CLASSES["volumes"](shelf).slice("axial"),
    "frames": lambda shelf: SlicedVideoDataset(resources=[shelf.clip], server_url=shelf.url),
}


@pytest.fixture(params=CLASSES)
def dataset(request: pytest.FixtureRequest, shelf: Shelf) -> Any:
    return CLASSES[request.param](shelf)


def ids(dataset: Any) -> list[str]:
    return [resource.id for resource in dataset.resources]


CRITERIA: dict[str, dict[str, Any]] = {
    "CT": {"modality": "ct"},
    "US or CR": {"modality": ["US", "CR"]},
    "nobody": {"patient": "nobody"},
    "an age ago": {"date": (None, "2001-01-01")},
    "since then": {"date": ("2001-01-01", None)},
    "large": {"size": ((257, 257), None)},
    "a few planes": {"size": (None, (30, 1000, 1000))},
    "many voxels": {"size": (512 * 512, None)},
    "by function": {"custom_fn": lambda r, _: r.filename < "p"},
}


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_filter_gives_the_same_before_and_after_preparation_and_out_of_a_pickle(dataset: Any, criterion: str) -> None:
    criteria = CRITERIA[criterion]
    before = dataset.filter(**criteria)
    copies = [before, dataset.prepare().filter(**criteria), pickle.loads(pickle.dumps(dataset)).filter(**criteria)]
    copies.append(pickle.loads(pickle.dumps(before)))
    assert len({part.fingerprint for part in copies}) == 1
    assert [ids(part) for part in copies] == [ids(before)] * 4
    everything = {r.id: r for r in dataset.resources}
    assert set(ids(before)) <= set(everything)
    assert type(before) is type(dataset)


def test_items_of_filters_and_subsets_are_those_of_the_whole(dataset: Any) -> None:
    last = len(dataset) - 1
    for part in (dataset.subset([last]), pickle.loads(pickle.dumps(dataset.subset([last])))):
        assert len(part) == 1
        assert torch.equal(part[0]["image"], dataset[last]["image"])
        assert [item["resource"].id for item in part] == [dataset.get_resource(last).id]
        assert torch.equal(part.filter(date=("2001-01-01", None))[0]["image"], dataset[last]["image"])


def test_iteration_ends_and_a_sum_holds_both(dataset: Any) -> None:
    some = dataset.subset([0, -1])
    both = some + dataset.subset([0])
    assert isinstance(both, ConcatDataset)
    assert [item["resource"].id for item in both] == [*ids(some), ids(dataset)[0]]
    assert sum(1 for _ in some) == 2
    assert torch.equal(both[2]["image"], dataset[0]["image"])


class Endless(IterableDataset[Any]):
    """A dataset whose items have no numbers."""

    def __iter__(self) -> Iterator[int]:
        return itertools.count()


@pytest.mark.parametrize("other", [5, None, "images", [1, 2], Endless()], ids=lambda other: type(other).__name__)
def test_a_sum_with_what_is_no_dataset_of_numbered_items_is_refused(shelf: Shelf, other: Any) -> None:
    with pytest.raises(TypeError, match=r"^ImageDataset \+ .*: give another dataset"):
        CLASSES["images"](shelf) + other


def test_a_sum_takes_any_dataset_of_torch(shelf: Shelf) -> None:
    both = CLASSES["images"](shelf) + TensorDataset(torch.arange(3))
    assert len(both) == 5
    assert both[4] == (torch.tensor(2),)


def test_modality_patient_and_size_are_those_of_the_records(shelf: Shelf) -> None:
    volumes, images = CLASSES["volumes"](shelf), CLASSES["images"](shelf)
    assert ids(volumes.filter(modality="CT")) == [shelf.philips.id, shelf.ge.id]
    assert ids(volumes.filter(modality="MR")) == ids(images.filter(modality="CT")) == []
    patient = shelf.ge.patient_id
    assert patient
    assert patient != shelf.philips.patient_id
    assert ids(volumes.filter(patient=patient)) == [shelf.ge.id]
    assert ids(volumes.filter(patient=[patient, str(shelf.philips.patient_id)])) == ids(volumes)
    shapes = {item["resource"].id: item["image"].shape[1:] for item in [volumes[0]]}
    assert shapes == {shelf.philips.id: (32, 128, 128)}
    assert ids(volumes.filter(size=((32, 128, 128), (32, 128, 128)))) == [shelf.philips.id]
    assert ids(volumes.filter(size=((33, 1, 1), None))) == []
    assert ids(volumes.filter(size=(32 * 128 * 128, 32 * 128 * 128))) == [shelf.philips.id]
    assert ids(images.filter(size=((512, 512), (512, 512)))) == ids(images)
    assert ids(images.filter(size=((512, 513), None))) == []
    assert len(CLASSES["slices"](shelf).filter(size=((32, 1, 1), None))) == 32


def test_size_counts_the_axes_that_items_have(shelf: Shelf) -> None:
    native = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, orientation="native")
    shape = tuple(native[0]["image"].shape[1:])
    assert len(native.filter(size=(shape, shape))) == 1


@pytest.fixture(scope="module")
def dated(tmp_path_factory: pytest.TempPathFactory, demo_images: Path) -> tuple[Backend, list[str]]:
    backend = open_backend((tmp_path_factory.mktemp("dated") / "store").as_uri())
    path = demo_images / "xray" / "cr_16bit.png"
    made = [backend.create_resource(NewResource(paths=(path,), filename=f"{n}.png")) for n in range(4)]
    backend.create_annotations(made[0].id, [NewAnnotation(type="label", identifier="nodule")])
    backend.create_project(NewProject(name="dated", resource_ids=tuple(r.id for r in made)))
    return backend, [r.created_at for r in made]


@given(
    first=st.none() | st.integers(0, 3),
    last=st.none() | st.integers(0, 3),
    before=st.integers(-1, 1),
    after=st.integers(-1, 1),
)
@settings(deadline=None, max_examples=40)
def test_dates_are_compared_to_the_microsecond_both_ends_included(
    dated: tuple[Backend, list[str]], first: int | None, last: int | None, before: int, after: int
) -> None:
    backend, created = dated
    moments = [datetime.fromisoformat(text) for text in created]
    start = None if first is None else moments[first] + timedelta(microseconds=before)
    end = None if last is None else moments[last] + timedelta(microseconds=after)
    expected = [n for n, at in enumerate(moments) if (start is None or at >= start) and (end is None or at <= end)]
    dataset = ImageDataset(project="dated", server_url=backend.url)
    if start is not None and end is not None and end < start:
        with pytest.raises(DatamintDatasetException, match="date ends before it starts"):
            dataset.filter(date=(start, end))
        return
    for bounds in ((start, end), tuple(None if at is None else at.isoformat() for at in (start, end))):
        kept = dataset.filter(date=bounds)  # type: ignore[arg-type]
        assert [int(r.filename[0]) for r in kept.resources] == expected


def test_a_bare_date_as_the_end_includes_its_day(dated: tuple[Backend, list[str]]) -> None:
    backend, created = dated
    dataset = ImageDataset(project="dated", server_url=backend.url)
    first, last = (datetime.fromisoformat(created[n]).astimezone(UTC).date() for n in (0, -1))
    assert len(dataset.filter(date=(first, last))) == 4
    assert len(dataset.filter(date=(first.isoformat(), last.isoformat()))) == 4
    assert len(dataset.filter(date=(None, first - timedelta(days=1)))) == 0


@pytest.mark.parametrize(
    "criterion",
    [
        {"date": "2026-01-01"},
        {"date": ("2026-01-01",)},
        {"date": ("yesterday", None)},
        {"date": (5, None)},
        {"size": 512},
        {"size": ((1, 2, 3, 4), None)},
        {"size": (None, "large")},
        {"size": ((1.5, 2), None)},
        {"size": (True, None)},
        {"modality": 5},
        {"patient": [1]},
    ],
    ids=str,
)
def test_a_criterion_of_another_form_is_refused_by_name(
    dated: tuple[Backend, list[str]], criterion: dict[str, Any]
) -> None:
    dataset = ImageDataset(project="dated", server_url=dated[0].url)
    with pytest.raises(DatamintDatasetException, match=next(iter(criterion))):
        dataset.filter(**criterion)


@pytest.mark.parametrize("criterion", ["tags", "annotation_names", "modality", "patient"])
def test_an_empty_list_of_names_is_refused_with_what_to_do(dated: tuple[Backend, list[str]], criterion: str) -> None:
    dataset: Any = ImageDataset(project="dated", server_url=dated[0].url)
    for empty in ([], ()):
        with pytest.raises(DatamintDatasetException, match=f"{criterion} is empty.*name at least one"):
            dataset.filter(**{criterion: empty})


@pytest.mark.parametrize(
    "size",
    [
        (512, 256),
        ((512, 512), (256, 1024)),
        ((1, 2, 3), (1, 2, 2)),
        ((512, 512), (90, 512, 511)),
        ((40, 512, 512), (512, 511)),
        ((512, 512), 512 * 512 - 1),
        (1001, (10, 10, 10)),
    ],
    ids=str,
)
def test_sizes_whose_least_is_above_their_most_are_refused(dated: tuple[Backend, list[str]], size: Any) -> None:
    dataset = ImageDataset(project="dated", server_url=dated[0].url)
    with pytest.raises(DatamintDatasetException, match=r"size is above its own limit.*smaller one first"):
        dataset.filter(size=size)


@pytest.mark.parametrize(
    "size", [(1001, (10, 10)), ((40, 512, 512), (512, 512)), ((1, 2), (1, 1, 2)), (70_000, 70_000)], ids=str
)
def test_sizes_that_some_item_could_have_are_taken(dated: tuple[Backend, list[str]], size: Any) -> None:
    assert len(ImageDataset(project="dated", server_url=dated[0].url).filter(size=size)) == 0


@pytest.mark.parametrize("size", [(512, 512), (480, 640), [5, 5]], ids=str)
def test_a_size_that_looks_like_lengths_is_not_taken_for_numbers_of_pixels(shelf: Shelf, size: Any) -> None:
    images = ImageDataset(resources=[shelf.xray], server_url=shelf.url)
    exact = rf"\(\({size[0]}, {size[1]}\), \({size[0]}, {size[1]}\)\) for exactly {size[0]} x {size[1]}"
    with pytest.raises(DatamintDatasetException, match=exact):
        images.filter(size=size)
    for numbers in ((512, None), (None, 512), (0, 512), (512, 70_000)):
        assert len(images.filter(size=numbers)) == (numbers == (512, None))


def test_dates_whose_end_lies_before_their_start_are_refused(dated: tuple[Backend, list[str]]) -> None:
    dataset = ImageDataset(project="dated", server_url=dated[0].url)
    with pytest.raises(DatamintDatasetException, match=r"date ends before it starts.*earlier one first"):
        dataset.filter(date=("2026-03-01", "2026-02-28"))
    assert len(dataset.filter(date=("2001-03-01", "2001-03-01"))) == 0


def test_a_function_that_returns_nothing_or_an_array_is_refused_with_what_to_do(
    dated: tuple[Backend, list[str]],
) -> None:
    dataset = ImageDataset(project="dated", server_url=dated[0].url)
    answers: dict[str, Any] = {
        r"None.*`return`": None,
        r"an array \(ndarray\).*\.any\(\)": np.array([True, False]),
        r"an array \(ndarray\).*one True or False": np.array([True]),
        r"an array \(Tensor\).*\.all\(\)": torch.ones(2),
    }
    for says, answer in answers.items():
        with pytest.raises(DatamintDatasetException, match=f"custom_fn returned {says}"):
            dataset.filter(custom_fn=lambda resource, annotations, answer=answer: answer)
    for one in (True, np.True_, torch.tensor(True), 1):
        assert len(dataset.filter(custom_fn=lambda resource, annotations, one=one: one)) == 4  # type: ignore[misc]


def test_a_criterion_that_there_is_not_is_refused_with_those_there_are(dated: tuple[Backend, list[str]]) -> None:
    dataset: Any = ImageDataset(project="dated", server_url=dated[0].url)
    with pytest.raises(TypeError, match=r"no criterion 'modalities'\. Did you mean 'modality'\? There are tags, "):
        dataset.filter(modalities=["CT"])
    with pytest.raises(TypeError, match=r"no criterion 'x'\. There are .*custom_fn= takes a function"):
        dataset.filter(tags=["a"], x=None)


def test_a_function_that_finds_something_or_none_keeps_what_it_finds(shelf: Shelf) -> None:
    dataset: Any = CLASSES["images"](shelf)
    first = dataset.resources[0].filename
    kept = dataset.filter(custom_fn=lambda resource, _: re.search(re.escape(first), resource.filename))
    assert [resource.filename for resource in kept.resources] == [first]
