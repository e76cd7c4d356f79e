"""A server that speaks Datamint's protocol and nothing of ours: what is read, what is sent, what cannot be done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch

from datamint_like import ImageDataset, VideoDataset, VolumeDataset
from datamint_like.backends import open_backend
from datamint_like.backends.base import NewAnnotation, NewProject, NewResource, NewWorklist, ResourceQuery
from datamint_like.backends.remote.protocol_only import ProtocolBackend
from datamint_like.entities import AnnotationSpec, SegmentationClass
from datamint_like.exceptions import ItemNotFoundError
from datamint_like.testing.contents import whole
from datamint_like.testing.fault_server import OURS, AsDatamint, FaultServer
from datamint_like.testing.samples import CT_FILES, IMAGES, XRAY, XRAY_MASK, label, xray_mask
from tests import serving
from tests.remote.file_server import KEY, FileServer

CLIP = IMAGES / "ultrasound" / "examples_ybr_color.dcm"
pytestmark = pytest.mark.filterwarnings("ignore::datamint_like.exceptions.SkippedResourcesWarning")


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[FaultServer]:
    with serving.served(tmp_path / "store") as server, FaultServer(server.url, AsDatamint()) as running:
        running.hide(*OURS)
        yield running


@pytest.fixture
def backend(proxy: FaultServer) -> ProtocolBackend:
    found = open_backend(proxy.url, api_key=serving.ADMIN_KEY)
    assert isinstance(found, ProtocolBackend)
    return found


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A volume of another orientation than canonical, compressed."""
    values = np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7)
    path = tmp_path / "volume.nii.gz"
    nibabel.save(nibabel.Nifti1Image(values, np.diag([-2.0, 1.0, 3.0, 1.0])), path)
    return path


def stored(tmp_path: Path, volume: Path) -> str:
    """The id of a project with an image, a volume, a series and a clip, put into the store behind the server."""
    store = open_backend(str(tmp_path / "store"))
    files = [(XRAY,), (volume,), CT_FILES, (CLIP,)]
    made = [store.create_resource(NewResource(each, each[0].name)) for each in files]
    group = {"lung": SegmentationClass(color=(1, 2, 3), index=1)}
    spec = AnnotationSpec(type="label", identifier="benign")
    new = NewProject(
        "mixed", resource_ids=tuple(each.id for each in made), annotations=(spec,), segmentation_group=group
    )
    project = store.create_project(new)
    store.create_annotations(made[0].id, [label(), xray_mask()])
    return project.id


@pytest.mark.parametrize("kind", [ImageDataset, VolumeDataset, VideoDataset])
def test_items_are_those_of_the_store(tmp_path: Path, volume: Path, proxy: FaultServer, kind: Any) -> None:
    stored(tmp_path, volume)
    options = {"irregular_spacing": "keep"} if kind is VolumeDataset else {}
    here = kind("mixed", server_url=str(tmp_path / "store"), cache_dir=tmp_path / "a", **options)
    there = kind("mixed", server_url=proxy.url, api_key=serving.ADMIN_KEY, cache_dir=tmp_path / "b", **options)
    assert len(here) == len(there) > 0
    for one, two in zip(here, there, strict=True):
        assert torch.equal(one["image"], two["image"])
        assert one["image"].dtype == two["image"].dtype
        assert {key: each.tolist() for key, each in one["segmentations"].items()} == {
            key: each.tolist() for key, each in two["segmentations"].items()
        }
        assert one["image_labels"].keys() == two["image_labels"].keys()
        assert np.array_equal(one["metainfo"]["affine"], two["metainfo"]["affine"])


def test_of_a_nifti_the_first_bytes_tell_and_the_rest_stays_there(
    tmp_path: Path, backend: ProtocolBackend, volume: Path, proxy: FaultServer
) -> None:
    content = whole(backend.read_project(stored(tmp_path, volume)))
    shapes = [each.metadata["shape"] for each in content.resources]
    assert shapes[1] == [7, 6, 5]
    name = content.parts[content.resources[1].id][0].sha256
    assert not backend.blobs().cache.path(name).exists()
    assert backend.blobs().cache.path(content.parts[content.resources[0].id][0].sha256).exists()


def test_a_revision_is_a_digest_of_what_is_listed(tmp_path: Path, backend: ProtocolBackend, volume: Path) -> None:
    project = stored(tmp_path, volume)
    store = open_backend(str(tmp_path / "store"))
    revisions = [backend.project_revision(project)]
    assert whole(backend.read_project(project)).revision == backend.project_revision(project) == revisions[0]
    members = store.list_project_resources(project)
    store.create_annotations(members[1].id, [label()])
    revisions.append(backend.project_revision(project))
    store.add_tags([members[1].id], ["x"])
    revisions.append(backend.project_revision(project))
    store.remove_project_resources(project, [members[2].id])
    revisions.append(backend.project_revision(project))
    assert len(set(revisions)) == 4


def test_resources_are_read_in_the_order_asked_for(tmp_path: Path, backend: ProtocolBackend, volume: Path) -> None:
    members = [each.id for each in backend.list_project_resources(stored(tmp_path, volume))]
    content = whole(backend.read_resources(members[:2][::-1]))
    assert [each.id for each in content.resources] == members[:2][::-1]
    assert len(content.annotations[members[0]]) == 2
    backend.delete_resources([members[0]])
    with pytest.raises(ItemNotFoundError, match=r"deleted.*restore"):
        whole(backend.read_resources([members[0]]))


def test_the_time_is_that_of_the_date_header(backend: ProtocolBackend) -> None:
    now = backend.now()
    assert now.endswith(".000000Z")
    assert abs(datetime.fromisoformat(now).timestamp() - datetime.now().timestamp()) < 3600


def test_uploads_annotations_and_masks_go_by_forms(backend: ProtocolBackend, volume: Path) -> None:
    project = backend.create_project(NewProject("p", annotations=(AnnotationSpec(type="label", identifier="benign"),)))
    new = NewResource(
        (XRAY,), "one.png", tags=("a", "b"), metadata={"view": "pa"}, project_id=project.id, annotations=(label(),)
    )
    made = backend.create_resource(new)
    assert (made.filename, made.tags, made.published) == ("one.png", ("a", "b"), True)
    assert [each.id for each in backend.list_project_resources(project.id)] == [made.id]
    with backend.open_resource_file(made.id) as file:
        assert file.read() == XRAY.read_bytes()
    category = NewAnnotation("category", "view", value="pa")
    mask, view = backend.create_annotations(made.id, [xray_mask(), category])
    assert (mask.identifier, mask.frame_index, view.text_value) == ("lung", 0, "pa")
    assert backend.blobs().annotation_bytes(mask) == XRAY_MASK.read_bytes()
    nifti = backend.create_resource(NewResource((volume,), volume.name))
    labels = np.zeros((5, 6, 7), np.uint8)
    labels[1:3], labels[3] = 1, 2
    payload = nibabel.Nifti1Image(labels, nibabel.load(volume).affine).to_bytes()
    masks = backend.upload_volume_mask(nifti.id, payload, {1: "a", 2: "b"}, NewAnnotation("segmentation", "x"))
    assert [each.identifier for each in masks] == ["a", "b"]
    found = backend.list_resources(ResourceQuery(tags=("a",)))
    assert [each.id for each in found] == [made.id]
    backend.add_tags([made.id], ["c", "a"])
    assert backend.get_resource(made.id).tags == ("a", "b", "c")
    assert backend.count_annotated([project.id]) == {project.id: 1}


def test_worklists_come_with_their_classes(backend: ProtocolBackend) -> None:
    group = {"lung": SegmentationClass(color=(1, 2, 3), index=4)}
    project = backend.create_project(NewProject("p", segmentation_group=group))
    (first,) = backend.list_worklists(project.id)
    assert first.segmentation_group["lung"].index == 4
    made = backend.create_worklist(NewWorklist("second", project_id=project.id, segmentation_group=group))
    assert made.segmentation_group["lung"].index == 4
    assert backend.update_worklist(made.id, {"name": "third"}).name == "third"


def test_splits_are_assigned_and_replayed(tmp_path: Path, backend: ProtocolBackend, volume: Path) -> None:
    project = stored(tmp_path, volume)
    first, second, *_ = [each.id for each in backend.list_project_resources(project)]
    instant = backend.assign_splits(project, {first: "train", second: "val"})
    backend.assign_split(project, [second], "train")
    assert {each.resource_id: each.split_name for each in backend.list_splits(project, as_of=instant)} == {
        first: "train",
        second: "val",
    }


def test_nulls_and_texts_where_others_have_objects_are_taken(server: FileServer) -> None:
    resource = {
        **dict.fromkeys(("id", "resource_uri", "storage", "location", "filename", "mimetype", "created_by"), "x"),
        "status": "published",
        "created_at": "2026-01-01",
        "user_info": "Ana",
        "metadata": None,
        "tags": None,
        "size": None,
        "modality": None,
        "published": None,
        "novelty": {"a": 1},
    }
    project = {
        **dict.fromkeys(("id", "name", "created_at", "created_by", "dataset_id"), "p"),
        "closed_resources_count": None,
        "resource_count": "36",
        "annotators": None,
    }
    spec = {"type": "label", "identifier": "a", "scope": "image", "values": None, "color": None}
    worklist = {"worklist_id": "w", "worklist_name": "Default", "annotations": [spec], "annotators": None}
    server.values |= {
        "/projects/p": project,
        "/projects/p/resources": [resource, {**resource, "id": "y", "user_info": {"firstname": None, "lastname": "B"}}],
        "/projects/p/worklists": [worklist],
        "/annotationsets/w/segmentation-group": {"groups": {"lung": {"color": [1, 2, 3, 255], "index": "2"}}},
    }
    backend = ProtocolBackend(server.url, KEY)
    assert backend.get_project("p").resource_count == 36
    assert [each.user_info for each in backend.list_project_resources("p")] == [{}, {"lastname": "B"}]
    (found,) = backend.list_worklists("p")
    assert (found.id, found.name, found.annotations[0].values) == ("w", "Default", ())
    assert found.segmentation_group["lung"].index == 2


def test_what_such_a_server_cannot_do_is_said(backend: ProtocolBackend) -> None:
    calls = [
        backend.current_user,
        lambda: backend.create_resource_once(NewResource((XRAY,), "one.png", project_id="p")),
        lambda: backend.create_resources("p", [NewResource((XRAY,), "one.png")]),
        lambda: backend.create_resource(NewResource(CT_FILES, "ct")),
        lambda: backend.assign_splits("p", {"r": None}),
        lambda: backend.update_annotation("a", {"value": "x"}),
    ]
    for call in calls:
        with pytest.raises(NotImplementedError, match=r"Datamint's protocol alone and cannot"):
            call()
