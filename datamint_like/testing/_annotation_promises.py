"""What every backend promises of annotations and masks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from datamint_like import imaging
from datamint_like.backends.base import AnnotationQuery, Backend, NewAnnotation, NewWorklist
from datamint_like.exceptions import DatamintException, GeometryError, ItemNotFoundError, ValidationError
from datamint_like.imaging.types import HeaderFacts
from datamint_like.testing.samples import CT_FILES, OTHER_XRAY, XRAY_MASK, label, project_of, upload, xray_mask

BAD: dict[str, dict[str, Any]] = {
    "an unknown type": {"type": "guess"},
    "an unknown scope": {"scope": "pixel"},
    "no identifier": {"identifier": " "},
    "a frame beyond the last": {"scope": "frame", "frame_index": 1},
    "a frame before the first": {"scope": "frame", "frame_index": -1},
    "a frame of the whole image": {"frame_index": 0},
    "a category without value": {"type": "category"},
    "a label with a value": {"value": "yes"},
    "a number that is none": {"type": "float", "value": "many"},
    "an infinite number": {"type": "float", "value": float("inf")},
    "an integer with a fraction": {"type": "integer", "value": 1.5},
    "a box without geometry": {"type": "square"},
    "a geometry that is no number": {"type": "point", "geometry": {"points": [[float("nan"), 0, 0]]}},
    "a geometry that is a number": {"type": "point", "geometry": 5},
    "a geometry that is an array": {"type": "point", "geometry": np.zeros((2, 3))},
    "a geometry that is no JSON": {"type": "point", "geometry": {"points": object()}},
    "an identifier that is no Unicode": {"identifier": "\udcff"},
    "a segmentation without file": {"type": "segmentation"},
    "a segmentation whose file is no mask": {"type": "segmentation", "payload": b"no mask"},
    "a label with a file": {"payload": b"x"},
    "a label with a geometry": {"geometry": {"points": [[0, 0, 0]]}},
    "a category with a geometry": {"type": "category", "value": "v", "geometry": {"a": 1}},
    "an integer of too many digits": {"type": "integer", "value": 2**53 + 1},
    "an integer of too many digits below zero": {"type": "integer", "value": -(2**53) - 1},
    "an integer of too many digits as text": {"type": "integer", "value": str(2**53 + 1)},
    "an integer of too many digits as a float": {"type": "integer", "value": 1e17},
    "a float that an integer does not fit in": {"type": "float", "value": 2**53 + 1},
    "an author without e-mail": {"author": "ana"},
    "an author that is none": {"author": ["a@lab.example"]},
    "a worklist that is none": {"worklist_id": ["w"]},
    "a model that is none": {"model_id": {"net": 1}},
    "units that are none": {"units": ["mm"]},
}

GOOD = {
    "integer": NewAnnotation("integer", "count", value=3),
    "category": NewAnnotation("category", "view", value="lat"),
    "label": label(),
    "distance": NewAnnotation("distance", "length", value=12.5, units="mm"),
    "square": NewAnnotation("square", "box", geometry={"points": [[0, 0, 0], [3, 4, 0]]}),
}
BAD_CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "a distance with neither number nor geometry": ("distance", {"value": None}),
    "a measure without number": ("distance", {"numeric_value": None}),
    "a box without geometry": ("square", {"geometry": None}),
    "a geometry that is no number": ("square", {"geometry": {"points": [[float("nan"), 0, 0]]}}),
    "a number's text": ("integer", {"text_value": "z"}),
    "a number's text that is one": ("integer", {"text_value": "4"}),
    "a number without value": ("integer", {"value": None}),
    "a category's number": ("category", {"numeric_value": 3}),
    "a category's number that is a text": ("category", {"numeric_value": "pa"}),
    "a category without value": ("category", {"value": None}),
    "a label's value": ("label", {"value": "yes"}),
    "two values": ("integer", {"value": 4, "numeric_value": 5}),
    "two equal values": ("category", {"value": "pa", "text_value": "pa"}),
    "a value and nothing": ("integer", {"numeric_value": 4, "text_value": None}),
    "a status that is none": ("label", {"status": ["published"]}),
    "a worklist that is none": ("label", {"annotation_worklist_id": ["w"]}),
    "a label's geometry": ("label", {"geometry": {"a": 1}}),
    "a category's geometry": ("category", {"geometry": {"points": [[0, 0, 0]]}}),
    "an integer of too many digits": ("integer", {"value": 2**53 + 1}),
    "units that are none": ("integer", {"units": ["mm"]}),
}


class AnnotationPromises:
    """Creation with its checks, listings, changes and masks."""

    def test_each_type_keeps_its_value_where_it_belongs(self, backend: Backend) -> None:
        resource = upload(backend)
        box = {"points": [[1, 2, 0], [11, 2, 0], [1, 22, 0], [11, 22, 0]]}
        new = [
            label("benign"),
            NewAnnotation("category", "view", value="lat"),
            NewAnnotation("integer", "count", value=3, units="nodules"),
            NewAnnotation("float", "age", value=3.5),
            NewAnnotation("text", "report", value="clear"),
            NewAnnotation("square", "box", scope="frame", geometry=box),
        ]
        stored = backend.create_annotations(resource.id, new)
        assert [each.identifier for each in stored] == ["benign", "view", "count", "age", "report", "box"]
        assert [each.text_value for each in stored] == [None, "lat", None, None, "clear", None]
        assert [each.numeric_value for each in stored] == [None, None, 3, 3.5, None, None]
        assert (stored[5].geometry, stored[5].frame_index) == (box, 0)
        assert {each.created_by for each in stored} == {backend.current_user().email}
        assert backend.list_annotations(AnnotationQuery(resource_ids=(resource.id,))) == stored

    def test_an_annotation_belongs_to_its_author_or_its_model(self, backend: Backend) -> None:
        new = [label(author="b@lab.example"), NewAnnotation("label", "x", model_id="net-1")]
        by_person, by_model = backend.create_annotations(upload(backend).id, new)
        assert (by_person.created_by, by_person.author) == ("b@lab.example", "b@lab.example")
        assert (by_model.created_by_model, by_model.author) == ("net-1", "net-1")
        found = backend.list_annotations(AnnotationQuery(author="b@lab.example"))
        assert [each.id for each in found] == [by_person.id]

    @pytest.mark.parametrize("fault", BAD)
    def test_a_bad_annotation_is_refused_and_nothing_of_the_request_is_stored(
        self, backend: Backend, fault: str
    ) -> None:
        resource = upload(backend)
        with pytest.raises(ValidationError):
            backend.create_annotations(resource.id, [label(), replace(label(), **BAD[fault])])
        assert backend.list_annotations(AnnotationQuery(deleted="include")) == []

    def test_an_unknown_worklist_is_refused(self, backend: Backend) -> None:
        resource = upload(backend)
        with pytest.raises(ItemNotFoundError, match="Worklist"):
            backend.create_annotations(resource.id, [replace(label(), worklist_id="none")])

    def test_a_mask_comes_back_byte_for_byte(self, backend: Backend) -> None:
        (mask,) = backend.create_annotations(upload(backend).id, [xray_mask()])
        assert backend.blobs().annotation_bytes(mask) == XRAY_MASK.read_bytes()
        assert mask.file
        assert mask.file == mask.associated_file
        assert mask.sha256

    def test_a_mask_of_another_grid_is_refused(self, backend: Backend) -> None:
        resource = upload(backend, *CT_FILES)
        with pytest.raises((GeometryError, ValidationError)):
            backend.create_annotations(resource.id, [xray_mask()])
        assert backend.list_annotations(AnnotationQuery()) == []

    def test_a_picture_is_also_the_mask_of_a_whole_image(self, backend: Backend) -> None:
        whole = replace(xray_mask(), scope="image", frame_index=None)
        (mask,) = backend.create_annotations(upload(backend).id, [whole])
        assert (mask.scope, mask.frame_index) == ("image", None)
        resource = upload(backend, *CT_FILES)
        with pytest.raises((GeometryError, ValidationError)):
            backend.create_annotations(resource.id, [whole])

    def test_a_volume_is_annotated_whole_or_by_frame(self, backend: Backend) -> None:
        resource = upload(backend, *CT_FILES)
        facts = imaging.required_facts(resource)
        labels = (label_map(facts) == 7).astype(np.uint8)
        whole = NewAnnotation("segmentation", "bone", payload=imaging.encode_volume_mask(labels, facts))
        last = facts.shape[0] - 1
        frame = NewAnnotation("segmentation", "bone", "frame", last, payload=imaging.encode_frame_mask(labels[last]))
        first, second = backend.create_annotations(resource.id, [whole, frame])
        assert (first.frame_index, second.frame_index) == (None, last)
        stored = imaging.decode_mask(backend.blobs().annotation_bytes(first), facts, name="mask")
        plane = imaging.decode_frame_mask(backend.blobs().annotation_bytes(second), facts, name="mask")
        assert np.array_equal(stored[last] != 0, plane != 0)

    def test_a_label_map_becomes_one_binary_mask_a_label(self, backend: Backend) -> None:
        resource = upload(backend, *CT_FILES)
        facts = imaging.required_facts(resource)
        labels = label_map(facts)
        payload = imaging.encode_volume_mask(labels, facts)
        template = NewAnnotation("segmentation", "ignored", author="b@lab.example")
        names = {7: "bone", 2: "fat", 9: "absent"}
        stored = backend.upload_volume_mask(resource.id, payload, names, template)
        assert [(each.identifier, each.scope, each.author) for each in stored] == [
            ("bone", "image", "b@lab.example"),
            ("fat", "image", "b@lab.example"),
        ]
        for annotation, code in zip(stored, (7, 2), strict=True):
            mask = imaging.decode_mask(backend.blobs().annotation_bytes(annotation), facts, name="mask")
            assert np.array_equal(mask != 0, labels == code)

    def test_a_label_without_a_name_is_refused_and_listed(self, backend: Backend) -> None:
        resource = upload(backend, *CT_FILES)
        facts = imaging.required_facts(resource)
        payload = imaging.encode_volume_mask(label_map(facts), facts)
        with pytest.raises(ValidationError, match="7"):
            backend.upload_volume_mask(resource.id, payload, {2: "fat"}, NewAnnotation("segmentation", "x"))
        with pytest.raises(DatamintException):
            backend.upload_volume_mask(resource.id, b"no NIfTI", {2: "fat"}, NewAnnotation("segmentation", "x"))
        assert backend.list_annotations(AnnotationQuery()) == []

    def test_a_listing_filters_and_pages_in_a_stable_order(self, backend: Backend) -> None:
        first, second = upload(backend), upload(backend, OTHER_XRAY)
        project = project_of(backend, first, second)
        worklist = backend.create_worklist(NewWorklist("Second read", project_id=project.id))
        a, b = backend.create_annotations(first.id, [label("a"), replace(label("b"), worklist_id=worklist.id)])
        (c,) = backend.create_annotations(second.id, [NewAnnotation("category", "c", value="v", source="manual")])

        def ids(query: AnnotationQuery) -> list[str]:
            return [each.id for each in backend.list_annotations(query)]

        assert ids(AnnotationQuery()) == [a.id, b.id, c.id]
        assert ids(AnnotationQuery(resource_ids=(second.id, first.id), offset=1, limit=2)) == [b.id, c.id]
        assert ids(AnnotationQuery(resource_ids=())) == []
        assert ids(AnnotationQuery(annotation_type="category")) == [c.id]
        assert ids(AnnotationQuery(worklist_id=worklist.id)) == [b.id]
        assert ids(AnnotationQuery(source="manual")) == [c.id]
        assert backend.get_annotation(b.id).annotation_worklist_name == "Second read"
        day = (c.created_at or "")[:10]
        assert ids(AnnotationQuery(from_date=day, to_date=day)) == [a.id, b.id, c.id]

    def test_an_annotation_can_be_corrected_and_approved(self, backend: Backend) -> None:
        (view,) = backend.create_annotations(upload(backend).id, [NewAnnotation("category", "view", value="pa")])
        changed = backend.update_annotation(view.id, {"identifier": "projection", "value": "lat"})
        assert (changed.identifier, changed.text_value) == ("projection", "lat")
        with pytest.raises(ValidationError):
            backend.update_annotation(view.id, {"value": 3})
        with pytest.raises(ValidationError, match="scope"):
            backend.update_annotation(view.id, {"scope": "frame"})
        backend.approve_annotation(view.id)
        approved = backend.get_annotation(view.id)
        assert approved.approved_at
        assert approved.approved_by == backend.current_user().email
        assert [each.id for each in backend.list_annotations(AnnotationQuery(status="published"))] == [view.id]

    @pytest.mark.parametrize("fault", BAD_CHANGES)
    def test_a_change_may_not_make_what_creation_refuses(self, backend: Backend, fault: str) -> None:
        kind, changes = BAD_CHANGES[fault]
        resource = upload(backend)
        project = project_of(backend, resource)
        (old,) = backend.create_annotations(resource.id, [GOOD[kind]])
        before = backend.project_revision(project.id)
        with pytest.raises(ValidationError):
            backend.update_annotation(old.id, changes)
        assert backend.get_annotation(old.id) == old
        assert backend.project_revision(project.id) == before

    def test_a_value_can_be_changed_under_each_of_its_names(self, backend: Backend) -> None:
        resource = upload(backend)
        number, view, length = backend.create_annotations(
            resource.id, [GOOD["integer"], GOOD["category"], GOOD["distance"]]
        )
        for key, value in (("value", 4), ("numeric_value", 5)):
            assert backend.update_annotation(number.id, {key: value}).numeric_value == value
        for key, text in (("value", "pa"), ("text_value", "ap")):
            assert backend.update_annotation(view.id, {key: text}).text_value == text
        drawn = {"points": [[0, 0, 0], [3, 4, 0]]}
        changed = backend.update_annotation(length.id, {"value": None, "geometry": drawn})
        assert (changed.numeric_value, changed.geometry) == (None, drawn)
        assert backend.update_annotation(length.id, {"value": 5.0}).geometry == drawn

    def test_an_integer_is_kept_to_its_last_digit(self, backend: Backend) -> None:
        for value in (2**53, -(2**53), 2**53 - 1, "9007199254740991", 0):
            new = NewAnnotation("integer", "n", value=value)
            (stored,) = backend.create_annotations(upload(backend).id, [new])
            assert stored.numeric_value is not None
            assert stored.numeric_value.is_integer()
            assert int(stored.numeric_value) == int(value)

    def test_what_is_no_email_is_not_told_in_the_error(self, backend: Backend) -> None:
        with pytest.raises(ValidationError, match="e-mail") as caught:
            backend.create_annotations(upload(backend).id, [label("x", author="Doe^Jane")])
        assert "Doe" not in str(caught.value)

    def test_a_deleted_annotation_cannot_be_changed_or_approved(self, backend: Backend) -> None:
        resource = upload(backend)
        (gone,) = backend.create_annotations(resource.id, [label()])
        backend.delete_annotations([gone.id])
        before = backend.get_annotation(gone.id)
        with pytest.raises(ItemNotFoundError, match="deleted"):
            backend.approve_annotation(gone.id)
        with pytest.raises(ItemNotFoundError, match="deleted"):
            backend.update_annotation(gone.id, {"status": "published"})
        assert backend.get_annotation(gone.id) == before
        assert before.status == "new"

    def test_an_annotation_of_a_deleted_resource_waits_for_it_to_come_back(self, backend: Backend) -> None:
        resource = upload(backend)
        (said,) = backend.create_annotations(resource.id, [label()])
        backend.delete_resources([resource.id])
        with pytest.raises(ItemNotFoundError, match=r"deleted.*Restore"):
            backend.approve_annotation(said.id)
        backend.restore_resources([resource.id])
        backend.approve_annotation(said.id)
        assert backend.get_annotation(said.id).status == "published"

    def test_a_deleted_annotation_leaves_listings(self, backend: Backend) -> None:
        kept, gone = backend.create_annotations(upload(backend).id, [label("a"), label("b")])
        backend.delete_annotations([gone.id])
        assert [each.id for each in backend.list_annotations(AnnotationQuery())] == [kept.id]
        assert [each.id for each in backend.list_annotations(AnnotationQuery(deleted="only"))] == [gone.id]

    def test_resources_with_an_annotation_are_counted_once_and_deleted_ones_not(self, backend: Backend) -> None:
        twice, gone, undone, bare = (upload(backend) for _ in range(4))
        project, other = project_of(backend, twice, gone, undone, bare), project_of(backend, bare, name="Q")
        backend.create_annotations(twice.id, [label("x"), label("y")])
        backend.create_annotations(gone.id, [label()])
        (deleted,) = backend.create_annotations(undone.id, [label()])
        assert backend.count_annotated([project.id, other.id]) == {project.id: 3, other.id: 0}
        backend.delete_resources([gone.id])
        backend.delete_annotations([deleted.id])
        assert backend.count_annotated([project.id, other.id]) == {project.id: 1, other.id: 0}


def label_map(facts: HeaderFacts) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A map (K, J, I) with two blocks, labelled 2 and 7, that no flip or transpose leaves as it is."""
    labels = np.zeros(facts.shape, dtype=np.uint8)
    labels[1:4, 5:40, 10:90] = 2
    labels[-3:, 60:70, 20:25] = 7
    return labels
