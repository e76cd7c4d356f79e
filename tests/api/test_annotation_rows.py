"""Annotations without a file: labels, categories, numbers, text; found, changed, approved, deleted."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from datamint_like import Api
from datamint_like.entities import Annotation
from datamint_like.exceptions import ItemNotFoundError, ValidationError


def only(api: Api, annotation_id: object) -> Annotation:
    assert isinstance(annotation_id, str)
    return api.annotations.get_by_id(annotation_id)


def test_a_label_is_about_the_image_or_a_frame_or_a_range_of_frames(api: Api, clip: str) -> None:
    image = only(api, api.annotations.add_label_annotation(clip, "normal"))
    frame = only(api, api.annotations.add_label_annotation(clip, "normal", frame_index=2))
    several = api.annotations.add_label_annotation(clip, "normal", frame_range=(1, 4))
    assert (image.scope, image.frame_index) == ("image", None)
    assert (frame.scope, frame.frame_index) == ("frame", 2)
    assert [only(api, each).frame_index for each in several] == [1, 2, 3]


def test_a_category_has_a_value_under_all_its_published_names(api: Api, xray: str) -> None:
    calls = (
        api.annotations.add_category_annotation,
        api.annotations.create_image_classification,
        api.annotations.add_image_category_annotation,
    )
    for call in calls:
        found = only(api, call(xray, "view", "pa"))
        assert (found.type, found.identifier, found.value, found.scope) == ("category", "view", "pa", "image")


def test_numbers_keep_their_type_and_units(api: Api, xray: str) -> None:
    whole = only(api, api.annotations.create_numeric_annotation(xray, "age", 7, units="years"))
    real = only(api, api.annotations.create_numeric_annotation(xray, "dose", 0.25, "mGy"))
    assert (whole.type, whole.numeric_value, whole.units) == ("integer", 7, "years")
    assert (real.type, real.numeric_value, real.units) == ("float", 0.25, "mGy")
    for bad in ("7", True, None):
        with pytest.raises(ValidationError, match="needs a number"):
            api.annotations.create_numeric_annotation(xray, "age", bad)  # type: ignore[arg-type]


def test_text_is_kept_as_it_is(api: Api, clip: str) -> None:
    found = only(api, api.annotations.add_text_annotation(clip, "report", "no change\nsince", frame_index=1))
    assert (found.type, found.text_value, found.frame_index) == ("text", "no change\nsince", 1)
    assert len(api.annotations.add_text_annotation(clip, "report", "x", frame_range=(0, 2))) == 2


@pytest.mark.parametrize("frame_range", [(3, 3), (4, 2), (-1, 2), (1,), (0.5, 2), (1, 2, 3)])
def test_a_range_without_a_frame_is_refused(api: Api, clip: str, frame_range: tuple[int, int]) -> None:
    with pytest.raises(ValidationError, match="frame_range"):
        api.annotations.add_label_annotation(clip, "a", frame_range=frame_range)
    assert api.annotations.get_list(clip) == []


def test_frames_that_the_clip_has_not_are_refused_and_none_is_stored(api: Api, clip: str) -> None:
    with pytest.raises(ValidationError, match="0 to 29"):
        api.annotations.add_label_annotation(clip, "a", frame_range=(28, 32))
    with pytest.raises(ValidationError, match="not both"):
        api.annotations.add_label_annotation(clip, "a", frame_index=1, frame_range=(0, 2))
    assert api.annotations.get_list(clip) == []


def test_dicts_of_the_wire_and_annotations_are_created_as_they_are(api: Api, clip: str, volume: str) -> None:
    ids = api.annotations.create(
        clip,
        [
            {"type": "label", "identifier": "a", "scope": "image"},
            {"type": "category", "name": "view", "value": "lat", "import_author": "b@lab.example"},
            {"annotation_type": "label", "identifier": "r", "frame_range": (0, 2), "model_id": "m", "is_model": True},
            {"type": "point", "identifier": "p", "geometry": {"points": [[1, 2, 0]]}, "frame_index": 4},
        ],
    )
    rows = [api.annotations.get_by_id(each) for each in ids]
    assert [row.identifier for row in rows] == ["a", "view", "r", "r", "p"]
    assert [row.frame_index for row in rows] == [None, None, 0, 1, 4]
    assert [row.author for row in rows][1:3] == ["b@lab.example", "m"]
    copied = api.annotations.create(volume, rows)
    assert [api.annotations.get_by_id(each).value for each in copied] == [None, "lat", None, None, None]


def test_of_several_all_are_stored_or_none(api: Api, clip: str) -> None:
    good = {"type": "label", "identifier": "a"}
    for bad in ({"type": "label"}, {"type": "tune", "identifier": "a"}, {"identifier": "a"}, {**good, "colour": 3}, 7):
        with pytest.raises(ValidationError):
            api.annotations.create(clip, [good, bad])  # type: ignore[list-item]
    assert api.annotations.get_list() == []


def test_conditions_narrow_a_listing(api: Api, two_xrays: list[str]) -> None:
    first, second = two_xrays
    a = api.annotations.add_label_annotation(first, "a", author_email="a@lab.example")
    b = api.annotations.add_category_annotation(second, "b", "x", author_email="b@lab.example", source="manual")
    api.annotations.approve(str(b))

    def ids(*args: object, **conditions: object) -> list[str]:
        return [each.id for each in api.annotations.get_list(*args, **conditions)]  # type: ignore[call-overload]

    assert ids() == ids([first, second]) == [a, b]
    assert ids(first) == ids(api.resources.get_by_id(first)) == [a]
    assert ids(annotation_type="category") == [b]
    assert ids(annotator_email="a@lab.example") == [a]
    assert ids(status="published") == [b]
    assert ids(source="manual", limit=1) == [b]
    assert ids(limit=1) == [a]
    tomorrow = date.today() + timedelta(days=2)
    assert ids(date_from=tomorrow) == ids(from_date=tomorrow) == []
    assert ids(date_to=tomorrow) == ids(to_date=tomorrow.isoformat()) == [a, b]
    for refused in ({"dataset_id": "x"}, {"load_ai_segmentations": False}):
        with pytest.raises(NotImplementedError):
            ids(**refused)


def test_groups_come_in_the_order_asked_for_and_may_be_empty(api: Api, two_xrays: list[str], volume: str) -> None:
    first, second = two_xrays
    api.annotations.add_label_annotation(first, "a")
    groups = api.annotations.get_list([volume, second, first], group_by_resource=True)
    assert [[each.identifier for each in group] for group in groups] == [[], [], ["a"]]
    assert api.annotations.get_list([], group_by_resource=True) == []
    with pytest.raises(ValidationError, match="needs resource="):
        api.annotations.get_list(group_by_resource=True)


def test_a_resource_that_is_asked_for_twice_has_two_groups(api: Api, xray: str, volume: str) -> None:
    made = str(api.annotations.add_label_annotation(xray, "a"))
    groups = api.annotations.get_list(iter([xray, volume, xray]), group_by_resource=True)
    assert [[each.id for each in group] for group in groups] == [[made], [], [made]]
    assert groups[0] is not groups[2]
    assert [each.id for each in api.annotations.get_list([xray, volume, xray])] == [made]


def test_an_approved_annotation_says_who_and_when(api: Api, xray: str) -> None:
    made = api.annotations.add_label_annotation(xray, "a")
    api.annotations.approve(str(made))
    found = only(api, made)
    assert (found.status, found.approved_by) == ("published", api.users.get_current().email)
    assert found.approved_at is not None


def test_an_annotation_changes_its_name_and_value(api: Api, xray: str) -> None:
    made = str(api.annotations.add_category_annotation(xray, "view", "pa"))
    api.annotations.patch(made, "projection", value="lat")
    assert (only(api, made).identifier, only(api, made).value) == ("projection", "lat")


def test_annotations_are_deleted_one_or_many_all_or_none(api: Api, xray: str) -> None:
    made = [str(api.annotations.add_label_annotation(xray, name)) for name in "abcd"]
    api.annotations.delete(made[0])
    api.annotations.delete_batch([only(api, made[1])])
    with pytest.raises(ItemNotFoundError):
        api.annotations.bulk_delete([made[2], "11111111-1111-1111-1111-111111111111"])
    assert [each.id for each in api.annotations.get_all()] == made[2:]
    assert [each.id for each in api.annotations.get_deleted(xray)] == made[:2]


def test_the_published_names_of_deletion_take_their_published_keywords(api: Api, xray: str) -> None:
    made = [str(api.annotations.add_label_annotation(xray, name)) for name in "abc"]
    api.annotations.delete_batch(annotation_ids=made[:1])
    api.annotations.bulk_delete(entities=[api.annotations.get_by_id(made[1])])
    assert [each.id for each in api.annotations.get_list(xray)] == made[2:]


def test_only_a_segmentation_has_a_file(api: Api, xray: str) -> None:
    made = str(api.annotations.add_label_annotation(xray, "a"))
    with pytest.raises(ValidationError, match=r"label 'a'\) has no file"):
        api.annotations.download_file(made)
