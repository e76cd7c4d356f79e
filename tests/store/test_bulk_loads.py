"""Many resources at once: checked as single ones are, each batch whole or not at all, and gone on with."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from datamint_like import Api, ImageDataset
from datamint_like.api import _bulk
from datamint_like.backends.base import AnnotationQuery, NewAnnotation, NewResource, ResourceQuery
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.entities import Part
from datamint_like.exceptions import DatamintException, ItemNotFoundError, StorageError, ValidationError
from datamint_like.imaging import probe
from datamint_like.testing.contents import whole
from datamint_like.testing.samples import CT_FILES, OTHER_XRAY, XRAY, label, project_of, upload, xray_mask

FACTS, CT_FACTS = probe([XRAY]), probe(CT_FILES)


def part(path: Path, **more: Any) -> Part:
    """A file in place, as whoever took its digest knows it."""
    found = {"size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    return Part(**{"index": 0, "filename": path.name, "linked_path": str(path), **found, **more})


PART = part(XRAY)
CT_PARTS = tuple(part(path, index=n) for n, path in enumerate(CT_FILES))


def row(path: Path = XRAY, **more: Any) -> NewResource:
    """A resource that is known by its part."""
    own = {key: more.pop(key) for key in ("sha256", "size", "mtime_ns", "linked_path") if key in more}
    return NewResource(**{"paths": (), "filename": path.name, "facts": FACTS, "parts": (part(path, **own),), **more})


def made_up(count: int) -> Iterator[NewResource]:
    """Different resources, whose digests are those of no file."""
    for n in range(count):
        digest = hashlib.sha256(str(n).encode()).hexdigest()
        yield row(filename=f"{n}.png", parts=(msgspec.structs.replace(PART, sha256=digest),), annotations=(label(),))


@pytest.fixture
def api(store: LocalBackend) -> Iterator[Api]:
    with Api(server_url=store.url) as handle:
        yield handle


def test_what_was_loaded_is_what_single_creates_would_have_made(store: LocalBackend, api: Api, tmp_path: Path) -> None:
    said = (label(author="ana@lab.example"), NewAnnotation("category", "view", value="pa"), xray_mask())
    given = {"tags": ("a", " b "), "metadata": {"PatientID": "P1", "site": 3}, "annotations": said, "channel": "night"}
    one, many = project_of(store, name="one"), project_of(store, name="many")
    single = store.create_resource(NewResource((XRAY,), XRAY.name, link=True, project_id=one.id, **given))
    report = api.resources.bulk_load([row(**given)], "many")
    assert (report.made, report.present, str(report)) == (1, 0, "1 resource made, 0 there already.")
    (left, right) = (whole(store.read_project(each.id)) for each in (one, many))
    passing = ("id", "resource_uri", "location", "created_at", "published_on")
    first, second = (
        {key: value for key, value in each.resources[0].to_dict().items() if key not in passing}
        for each in (left, right)
    )
    assert first == second
    assert list(left.parts.values()) == list(right.parts.values())
    hidden = ("id", "resource_id", "created_at")
    plain = [
        [{k: v for k, v in each.to_dict().items() if k not in hidden} for each in annotations]
        for content in (left, right)
        for annotations in content.annotations.values()
    ]
    assert plain[0] == plain[1]
    assert [each.annotation_type for each in left.annotations[single.id]] == ["label", "category", "segmentation"]
    items = [ImageDataset(name, server_url=store.url, cache_dir=tmp_path / "cache")[0] for name in ("one", "many")]
    assert np.array_equal(items[0]["image"], items[1]["image"])
    assert store.verify() == []


def test_rows_come_in_the_order_given_whatever_the_batch(store: LocalBackend, api: Api) -> None:
    project = project_of(store)
    assert api.resources.bulk_load(made_up(150), project, batch_size=40).made == 150
    names = [f"{n}.png" for n in range(150)]
    assert [each.filename for each in store.list_project_resources(project.id)] == names
    content = whole(store.read_project(project.id))
    assert [each.filename for each in content.resources] == names
    assert [len(said) for said in content.annotations.values()] == [1] * 150


def test_loading_again_passes_over_what_is_there(store: LocalBackend, api: Api) -> None:
    project = project_of(store, name="p")
    api.resources.bulk_load(made_up(10), project)
    before = whole(store.read_project(project.id))
    report = api.resources.bulk_load(made_up(25), project, batch_size=7)
    assert (report.made, report.present) == (15, 10)
    after = whole(store.read_project(project.id))
    assert after.resources[:10] == before.resources
    assert len(after.resources) == 25
    twice = api.resources.bulk_load([row(), row(filename="other.png")], project)
    assert (twice.made, twice.present) == (1, 1)
    other = project_of(store, name="q")
    assert api.resources.bulk_load([row()], other).made == 1


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "two parts of one image": ({"parts": (PART, msgspec.structs.replace(part(OTHER_XRAY), index=1))}, "1 at most"),
    "parts of one index": ({"parts": (PART, PART)}, r"index counts from 0: it is \[0, 0\]"),
    "an index of another place": ({"parts": (msgspec.structs.replace(PART, index=1),)}, r"it is \[1\]"),
    "more parts than planes": ({"facts": replace(CT_FACTS, shape=(2, 512, 512)), "parts": CT_PARTS}, "2 at most"),
    "digest": ({"sha256": "ABC"}, "64 lower-case"),
    "size": ({"size": 3}, "changed since its digest was taken"),
    "time": ({"mtime_ns": 5}, "changed since its digest was taken"),
    "place": ({"linked_path": "/nowhere/x.png"}, "cannot be read"),
    "not stored": ({"linked_path": None}, "nothing is there"),
    "facts": ({"facts": None}, "give facts"),
    "paths too": ({"paths": (XRAY,)}, "no paths"),
    "parts": ({"parts": ("x.png",)}, "tuple of Part"),
    "project": ({"project_id": "another"}, "another project"),
    "tag": ({"tags": ("",)}, "tag"),
    "name": ({"filename": " "}, "filename"),
    "annotation": ({"annotations": (NewAnnotation("label", "x", "frame", 9),)}, "frame_index"),
    "worklist": ({"annotations": (replace(label(), worklist_id="nowhere"),)}, "nowhere"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_row_that_does_not_fit_leaves_its_batch_out_and_earlier_ones_in(
    store: LocalBackend, api: Api, fault: str
) -> None:
    project, (more, says) = project_of(store), FAULTS[fault]
    rows = [*made_up(4), row(OTHER_XRAY, annotations=(xray_mask(),)), row(**more)]
    with pytest.raises(DatamintException, match=f"^Row 5 .*{says}") as caught:
        api.resources.bulk_load(rows, project, batch_size=4)
    assert "4 rows of earlier batches are stored" in caught.value.__notes__[0]
    assert [each.filename for each in store.list_project_resources(project.id)] == [f"{n}.png" for n in range(4)]
    assert len(store.list_annotations(AnnotationQuery(deleted="include"))) == 4
    assert store.blobs().digests() == []


def test_parts_whose_bytes_the_store_has_are_taken_by_their_digest(store: LocalBackend, api: Api) -> None:
    stored = upload(store)
    project = project_of(store)
    api.resources.bulk_load([row(linked_path=None)], project)
    (made,) = store.list_project_resources(project.id)
    assert made.sha256 == stored.sha256
    with store.open_resource_file(made.id) as file:
        assert file.read() == XRAY.read_bytes()


def test_rows_of_files_are_read_stored_and_linked(store: LocalBackend, api: Api) -> None:
    project = project_of(store)
    rows = [NewResource((XRAY,), "stored.png"), NewResource((OTHER_XRAY,), "linked.png", link=True)]
    assert api.resources.bulk_load(rows, project).made == 2
    first, second = store.list_project_resources(project.id)
    assert store.list_parts([first.id])[first.id][0].linked_path is None
    assert store.list_parts([second.id])[second.id][0].linked_path == str(OTHER_XRAY)
    assert store.verify() == []


def test_a_series_is_known_by_its_parts(store: LocalBackend, api: Api, tmp_path: Path) -> None:
    project = project_of(store, name="p")
    rows = [NewResource((), "ct", CT_FACTS, parts=CT_PARTS), NewResource(CT_FILES, "again", CT_FACTS)]
    assert str(api.resources.bulk_load(rows, project)) == "1 resource made, 1 there already."
    assert store.list_project_resources(project.id)[0].metadata["frame_count"] == len(CT_FILES)


def test_a_batch_of_much_that_is_moved_ends_early(
    store: LocalBackend, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, batches = project_of(store), []
    create = LocalBackend.create_resources

    def counted(self: LocalBackend, project_id: str, new: Any, **more: Any) -> list[str | None]:
        batches.append(len(new))
        return create(self, project_id, new, **more)

    monkeypatch.setattr(LocalBackend, "create_resources", counted)
    monkeypatch.setattr(_bulk, "_MOST_BYTES", CT_FILES[0].stat().st_size + 1)
    copied = [NewResource((path,), path.name) for path in CT_FILES[:3]]
    linked = [replace(each, link=True) for each in copied]
    masks = [replace(row(path), annotations=(xray_mask(),)) for path in (XRAY, OTHER_XRAY)]
    assert api.resources.bulk_load([*copied, *linked, *made_up(5)], project).made == 8
    assert batches == [1, 1, 9]
    monkeypatch.setattr(_bulk, "_MOST_BYTES", 1)
    api.resources.bulk_load(masks, project)
    assert batches == [1, 1, 9, 1, 1]


def test_a_digest_that_is_not_the_files_is_noticed_when_it_is_read(
    store: LocalBackend, api: Api, tmp_path: Path
) -> None:
    project = project_of(store, name="p")
    api.resources.bulk_load([row(sha256="0" * 64)], project)
    with pytest.raises(StorageError, match="bytes are not those"):
        ImageDataset("p", server_url=store.url, cache_dir=tmp_path / "cache")[0]


@pytest.mark.parametrize("size", [0, -1, True, 2.5, "9"])
def test_a_batch_is_a_whole_number_of_rows(store: LocalBackend, api: Api, size: Any) -> None:
    with pytest.raises(ValidationError, match="batch_size"):
        api.resources.bulk_load([], project_of(store), batch_size=size)


@pytest.mark.parametrize("rows", [["x.png"], [XRAY], [None]])
def test_rows_are_new_resources(store: LocalBackend, api: Api, rows: Any) -> None:
    with pytest.raises(ValidationError, match="NewResource"):
        api.resources.bulk_load(rows, project_of(store))


def test_an_unknown_project_is_named(api: Api) -> None:
    with pytest.raises(ItemNotFoundError, match="nowhere"):
        api.resources.bulk_load(made_up(1), "nowhere")


def load_slowly(url: str, project_id: str) -> None:
    Api(server_url=url).resources.bulk_load(made_up(5000), project_id, batch_size=50)


def test_a_load_that_is_killed_leaves_whole_batches_and_is_gone_on_with(store: LocalBackend, api: Api) -> None:
    project = project_of(store)
    loader = multiprocessing.get_context("fork").Process(target=load_slowly, args=(store.url, project.id))
    loader.start()
    deadline = time.monotonic() + 60
    while len(store.list_resources(ResourceQuery(limit=60))) < 60 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(loader.pid or 0, signal.SIGKILL)
    loader.join()
    there = store.list_project_resources(project.id)
    assert len(there) >= 50
    assert len(there) % 50 == 0
    assert [each.filename for each in there] == [f"{n}.png" for n in range(len(there))]
    assert len(store.list_annotations(AnnotationQuery())) == len(there)
    report = api.resources.bulk_load(made_up(len(there) + 5), project)
    assert (report.made, report.present) == (5, len(there))


def test_ids_of_what_is_made_together_lie_together(store: LocalBackend, api: Api) -> None:
    project = project_of(store)
    api.resources.bulk_load(made_up(50), project)
    ids = [each.id for each in store.list_project_resources(project.id)]
    assert len(set(ids)) == 50
    assert len({each[:8] for each in ids}) <= 2  # 65 seconds share these digits
