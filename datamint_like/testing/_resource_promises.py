"""What every backend promises of resources and their files."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamint_like import imaging
from datamint_like.backends.base import AnnotationQuery, Backend, NewResource, NewVolumeMask, ResourceQuery
from datamint_like.exceptions import DatamintException, GeometryError, ItemNotFoundError, ValidationError
from datamint_like.testing.contents import whole
from datamint_like.testing.samples import CT_FILES, OTHER_XRAY, XRAY, label, nifti_pair, project_of, upload, xray_mask

#: For each fault the error, and the fields of a new series that hold it.
FAULTY: dict[str, tuple[type[DatamintException], dict[str, Any]]] = {
    "a mask of another grid": ((GeometryError), {"annotations": (label(), xray_mask())}),
    "a label map that is none": (ValidationError, {"volume_masks": (NewVolumeMask(b"x", {1: "fat"}, label()),)}),
    "names that are none": (ValidationError, {"volume_masks": (NewVolumeMask(b"x", 5, label()),)}),  # type: ignore[arg-type]
    "an annotation that makes no sense": (ValidationError, {"annotations": (label(), label(" "))}),
    "an annotation that is none": (ValidationError, {"annotations": (label(), "fat")}),
    "an unknown worklist": (ItemNotFoundError, {"annotations": (replace(label(), worklist_id="none"),)}),
}


class ResourcePromises:
    """Uploads, listings, tags, deletion and the original bytes."""

    def test_an_image_is_stored_whole_with_its_header_facts(self, backend: Backend) -> None:
        resource = upload(backend)
        (part,) = backend.list_parts([resource.id])[resource.id]
        assert backend.blobs().part_path(part, resource.filename).read_bytes() == XRAY.read_bytes()
        assert (resource.filename, resource.mimetype, resource.storage) == (XRAY.name, "image/png", "ImageResource")
        assert resource.sha256 == part.sha256 == hashlib.sha256(XRAY.read_bytes()).hexdigest()
        assert resource.size == XRAY.stat().st_size
        assert resource.metadata["frame_count"] == 1
        assert resource.resource_uri == f"/resources/{resource.id}/file"
        assert backend.get_resource(resource.id) == resource

    def test_a_series_is_one_resource_whose_original_files_come_out_again(self, backend: Backend) -> None:
        resource = upload(backend, *reversed(CT_FILES), name="ct")
        parts = backend.list_parts([resource.id])[resource.id]
        out = [backend.blobs().part_path(part, resource.filename).read_bytes() for part in parts]
        assert sorted(out) == sorted(path.read_bytes() for path in CT_FILES)
        assert [part.index for part in parts] == list(range(len(CT_FILES)))
        assert (resource.modality, resource.metadata["frame_count"]) == ("CT", len(CT_FILES))
        assert resource.size == sum(path.stat().st_size for path in CT_FILES)
        assert resource.series_uid
        assert resource.patient_id

    def test_a_series_opens_as_one_multi_frame_file(self, backend: Backend) -> None:
        resource = upload(backend, *CT_FILES)
        with backend.open_resource_file(resource.id) as first, backend.open_resource_file(resource.id) as second:
            data = first.read()
            assert data[128:132] == b"DICM"
            assert data == second.read()

    def test_a_nifti_header_and_its_image_keep_their_order_and_open_as_one_file(
        self, backend: Backend, tmp_path: Path
    ) -> None:
        header, image = nifti_pair(tmp_path)
        resource = upload(backend, image, header, name="volume.nii")
        parts = backend.list_parts([resource.id])[resource.id]
        out = [backend.blobs().part_path(part, resource.filename).read_bytes() for part in parts]
        assert [part.filename for part in parts] == [header.name, image.name]
        assert out == [header.read_bytes(), image.read_bytes()]
        with backend.open_resource_file(resource.id) as file:
            data = file.read()
        assert data[344:348] == b"n+1\0"
        assert data.endswith(image.read_bytes())

    def test_a_single_file_opens_as_it_is(self, backend: Backend) -> None:
        with backend.open_resource_file(upload(backend).id) as file:
            assert file.read() == XRAY.read_bytes()

    def test_equal_bytes_uploaded_twice_are_two_resources(self, backend: Backend) -> None:
        first, second = upload(backend), upload(backend)
        assert first.id != second.id
        assert first.sha256 == second.sha256
        backend.delete_resources([first.id])
        with backend.open_resource_file(second.id) as file:
            assert file.read() == XRAY.read_bytes()

    def test_what_the_uploader_states_counts_and_header_facts_are_not_overridden(self, backend: Backend) -> None:
        given = {"Modality": "DX", "PatientID": "p1", "width": 3, "view": "pa"}
        resource = backend.create_resource(NewResource((XRAY,), XRAY.name, metadata=given))
        assert (resource.modality, resource.patient_id) == ("DX", "p1")
        assert resource.metadata["width"] == upload(backend).metadata["width"] != 3
        assert resource.metadata["view"] == "pa"
        assert resource.metadata["user"] == {"width": 3}

    def test_no_folder_of_the_users_disk_is_kept(self, backend: Backend) -> None:
        resource = upload(backend)
        assert resource.source_filepath == XRAY.name
        assert str(XRAY.parent) not in str(resource.to_dict())
        assert str(XRAY.parent) not in repr(resource)

    def test_files_that_are_not_one_resource_are_refused_with_reasons(self, backend: Backend, tmp_path: Path) -> None:
        text = tmp_path / "notes.txt"
        text.write_text("no image at all")
        with pytest.raises(ValidationError, match=r"notes\.txt"):
            upload(backend, text)
        with pytest.raises(ValidationError, match="found 2"):
            upload(backend, XRAY, OTHER_XRAY)
        with pytest.raises(ValidationError, match=r"gone\.png"):
            upload(backend, tmp_path / "gone.png")
        with pytest.raises(ValidationError, match="no files"):
            backend.create_resource(NewResource((), "nothing.png"))
        assert backend.list_resources(ResourceQuery(deleted="include")) == []

    @pytest.mark.parametrize("value", [object(), float("nan"), "\udcff", {1, 2}])
    def test_metadata_that_json_cannot_hold_is_refused(self, backend: Backend, value: object) -> None:
        with pytest.raises(ValidationError, match="JSON-ready"):
            backend.create_resource(NewResource((XRAY,), XRAY.name, metadata={"key": value}))
        assert backend.list_resources(ResourceQuery()) == []

    def test_a_resource_may_join_a_project_as_it_is_stored(self, backend: Backend) -> None:
        project = project_of(backend, upload(backend))
        before = backend.project_revision(project.id)
        resource = backend.create_resource(NewResource((XRAY,), XRAY.name, project_id=project.id))
        assert backend.list_project_resources(project.id)[-1] == resource
        assert (resource.status, resource.published) == ("published", True)
        assert backend.project_revision(project.id) != before

    def test_a_resource_for_an_unknown_project_is_not_stored(self, backend: Backend) -> None:
        with pytest.raises(ItemNotFoundError, match="Project nowhere not found"):
            backend.create_resource(NewResource((XRAY,), XRAY.name, project_id="nowhere"))
        assert backend.list_resources(ResourceQuery(deleted="include")) == []

    def test_a_resource_may_have_its_annotations_and_masks_as_it_is_stored(self, backend: Backend) -> None:
        project = project_of(backend, upload(backend))
        facts = imaging.required_facts(upload(backend, *CT_FILES))
        labels = np.zeros(facts.shape, dtype=np.uint8)
        labels[1:4, 5:40, 10:90], labels[-3:, 60:70, 20:25] = 2, 7
        mask = NewVolumeMask(imaging.encode_volume_mask(labels, facts), {7: "bone", 2: "fat"}, label(author="b@x.org"))
        resource = backend.create_resource(
            NewResource(CT_FILES, "ct", project_id=project.id, annotations=(label(),), volume_masks=(mask,))
        )
        stored = whole(backend.read_project(project.id)).annotations[resource.id]
        assert [(each.identifier, each.annotation_type) for each in stored] == [
            ("benign", "label"),
            ("bone", "segmentation"),
            ("fat", "segmentation"),
        ]
        assert [each.author for each in stored[1:]] == ["b@x.org", "b@x.org"]
        bone = imaging.decode_mask(backend.blobs().annotation_bytes(stored[1]), facts, name="mask")
        assert np.array_equal(bone != 0, labels == 7)

    @pytest.mark.parametrize("fault", FAULTY)
    def test_a_resource_whose_annotations_do_not_fit_is_not_stored(self, backend: Backend, fault: str) -> None:
        project = project_of(backend, upload(backend), name="k")
        before = whole(backend.read_project(project.id))
        with pytest.raises(FAULTY[fault][0]):
            backend.create_resource(
                NewResource(CT_FILES, "ct", project_id=project.id, publish=True, **FAULTY[fault][1])
            )
        assert whole(backend.read_project(project.id)) == before
        assert len(backend.list_resources(ResourceQuery(deleted="include"))) == 1
        assert backend.list_annotations(AnnotationQuery(deleted="include")) == []

    def test_a_listing_filters_orders_and_pages(self, backend: Backend) -> None:
        a = upload(backend, name="b_scan.png", tags=("chest", "old"))
        b = upload(backend, OTHER_XRAY, name="a_scan.png", tags=("chest",))
        c = backend.create_resource(NewResource((XRAY,), "c.png", modality="DX", channel="night", publish=True))
        project = project_of(backend, a, name="Only a")

        def ids(query: ResourceQuery) -> list[str]:
            return [each.id for each in backend.list_resources(query)]

        assert ids(ResourceQuery()) == [a.id, b.id, c.id]
        assert ids(ResourceQuery(status="published")) == [a.id, c.id]
        assert ids(ResourceQuery(tags=("chest", "old"))) == [a.id, b.id]
        assert ids(ResourceQuery(tags=("chest", "old"), tags_mode="intersection")) == [a.id]
        assert ids(ResourceQuery(modality="DX", channel="night", mimetype="image/png")) == [c.id]
        assert ids(ResourceQuery(filename="_scan")) == [a.id, b.id]
        assert ids(ResourceQuery(project_names=(project.name,))) == [a.id]
        assert ids(ResourceQuery(order_field="filename")) == [b.id, a.id, c.id]
        assert ids(ResourceQuery(order_field="filename", order_ascending=False, offset=1, limit=1)) == [a.id]
        assert ids(ResourceQuery(from_date=b.created_at, to_date=c.created_at)) == [b.id]
        assert ids(ResourceQuery(limit=0)) == []

    @pytest.mark.parametrize(
        "query",
        [
            ResourceQuery(order_field="size"),
            ResourceQuery(offset=-1),
            ResourceQuery(from_date="yesterday"),
            ResourceQuery(deleted="maybe"),  # type: ignore[arg-type]
        ],
    )
    def test_a_query_that_makes_no_sense_is_refused(self, backend: Backend, query: ResourceQuery) -> None:
        with pytest.raises(ValidationError):
            backend.list_resources(query)

    def test_a_deleted_resource_leaves_listings_and_comes_back_with_its_membership(self, backend: Backend) -> None:
        first, second = upload(backend, tags=("t",)), upload(backend)
        project = project_of(backend, first, second)
        backend.delete_resources([first.id])
        backend.delete_resources([first.id])
        gone = backend.get_resource(first.id)
        assert (gone.status, gone.deleted) == ("deleted", True)
        assert [each.id for each in backend.list_project_resources(project.id)] == [second.id]
        assert backend.get_project(project.id).resource_count == 1
        assert [each.id for each in backend.list_resources(ResourceQuery(deleted="only"))] == [first.id]
        with pytest.raises(ValidationError, match="deleted"):
            backend.add_project_resources(project.id, [first.id])
        (back,) = backend.restore_resources([first.id])
        assert (back.status, back.deleted, back.tags) == ("published", False, ("t",))
        assert [each.id for each in backend.list_project_resources(project.id)] == [first.id, second.id]

    def test_a_deleted_resource_is_not_read_until_it_is_restored(self, backend: Backend) -> None:
        kept, gone = upload(backend), upload(backend)
        backend.delete_resources([gone.id])
        with pytest.raises(ItemNotFoundError, match=rf"{gone.id}.*deleted.*restore"):
            whole(backend.read_resources([kept.id, gone.id]))
        backend.restore_resources([gone.id])
        assert [each.id for each in whole(backend.read_resources([kept.id, gone.id])).resources] == [kept.id, gone.id]

    def test_publishing_twice_changes_nothing(self, backend: Backend) -> None:
        resource = upload(backend)
        backend.publish_resources([resource.id])
        once = backend.get_resource(resource.id)
        backend.publish_resources([resource.id])
        assert backend.get_resource(resource.id) == once

    def test_tags_are_added_after_those_there_and_set_in_their_place(self, backend: Backend) -> None:
        resource = upload(backend, tags=("b", "a", "b"))
        backend.add_tags([resource.id], ["c", "a"])
        assert backend.get_resource(resource.id).tags == ("b", "a", "c")
        backend.set_tags([resource.id], ["z"])
        assert backend.get_resource(resource.id).tags == ("z",)

    def test_one_text_is_no_list_of_ids_or_tags(self, backend: Backend) -> None:
        resource = upload(backend)
        with pytest.raises(ValidationError):
            backend.set_tags(resource.id, ["x"])
        with pytest.raises(ValidationError):
            backend.set_tags([resource.id], "chest")
        assert backend.get_resource(resource.id).tags == ()

    def test_resources_come_in_the_order_asked_for(self, backend: Backend) -> None:
        first, second = upload(backend), upload(backend)
        assert [each.id for each in backend.get_resources([second.id, first.id])] == [second.id, first.id]
