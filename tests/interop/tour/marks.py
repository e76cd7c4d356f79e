"""Marks without a file: labels, categories, numbers, boxes, lines, points."""

from __future__ import annotations

from typing import Any

from tests.interop.tour.guide import ANA, BO, NEW, Tour, agree, step


def _label(identifier: str, author: str | None = None, **more: Any) -> dict[str, Any]:
    found = {"type": "label", "identifier": identifier, "scope": "image", **more}
    return found if author is None else {**found, "import_author": author}


@step()
def labels(tour: Tour) -> None:
    made = tour.api.annotations.create(tour.id("png"), [_label("benign", ANA), _label("sharp", BO)])
    agree(len(set(made)), 2)
    found = {each.name: each for each in tour.annotations("png")}
    agree({name: each.created_by for name, each in found.items()}, {"benign": ANA, "sharp": BO})
    agree(
        {name: (each.scope, each.frame_index, each.value) for name, each in found.items()}["benign"],
        ("image", None, None),
    )
    tour.note("benign", found["benign"])


@step()
def frame_label(tour: Tour) -> None:
    one = _label("motion", scope="frame", frame_index=2)
    tour.note("motion", tour.api.annotations.create(tour.id("video"), one))
    agree(tour.api.annotations.get_by_id(tour.id("motion")).frame_index, 2)


@step()
def category(tour: Tour) -> None:
    made = tour.api.annotations.create_image_classification(tour.id("png"), "view", "pa")
    found = tour.api.annotations.get_by_id(made)
    agree((str(found.type), found.name, found.value, found.scope), ("category", "view", "pa", "image"))


@step()
def box(tour: Tour) -> None:
    made = tour.api.annotations.add_box_annotation((30, 40), (90, 120), tour.id("jpeg"), "mass", author_email=ANA)
    found = tour.api.annotations.get_by_id(made)
    agree((str(found.type), found.name, found.created_by), ("square", "mass", ANA))
    corners = {tuple(point[:2]) for point in _points(found)}
    agree(corners, {(30, 40), (90, 40), (30, 120), (90, 120)})


@step()
def line(tour: Tour) -> None:
    made = tour.api.annotations.add_line_annotation((1, 2), (30, 4), tour.id("jpeg"), "edge")
    found = tour.api.annotations.get_by_id(made)
    agree(str(found.type), "line")
    agree([tuple(point[:2]) for point in _points(found)], [(1, 2), (30, 4)])


@step()
def line_in_patient_space(tour: Tour) -> None:
    made = tour.api.annotations.add_line_annotation((10, 20), (60, 20), tour.id("dicom"), "width", frame_index=0)
    found = tour.api.annotations.get_by_id(made)
    first, last = _points(found)
    agree((found.resource_id, len(first), len(last)), (tour.id("dicom"), 3, 3))


@step(clients=(NEW,))
def point_and_polyline(tour: Tour) -> None:
    api = tour.api.annotations
    point = api.add_point_annotation((3, 4), tour.id("jpeg"), "tip", value={"k": 1})
    agree([tuple(each[:2]) for each in _points(api.get_by_id(point))], [(3, 4)])
    outline = api.add_polyline_annotation([(0, 0), (3, 4), (5, 1)], tour.id("jpeg"), "outline", closed=True)
    found = api.get_by_id(outline)
    agree((str(found.type), len(_points(found))), ("region", 3))


@step(clients=(NEW,))
def numbers_and_text(tour: Tour) -> None:
    api = tour.api.annotations
    number = api.create_numeric_annotation(tour.id("spare"), "age", 3.5, units="y")
    found = api.get_by_id(number)
    agree((str(found.type), found.numeric_value, found.units), ("float", 3.5, "y"))
    text = api.add_text_annotation(tour.id("spare"), "finding", "nothing new", author_email=BO)
    agree((api.get_by_id(text).value, api.get_by_id(text).created_by), ("nothing new", BO))


@step(clients=(NEW,))
def frame_ranges(tour: Tour) -> None:
    api = tour.api.annotations
    made = api.add_label_annotation(tour.id("video"), "visible", frame_range=(1, 4))
    agree(isinstance(made, str), True)
    frames = sorted(each.frame_index for each in tour.annotations("video") if each.name == "visible")
    agree(frames, [1, 2, 3])
    answer = api.set_frame_ranges(tour.id("video"), "phase", "category", {"early": [(0, 2)], "late": [(5, 8)]})
    agree(len(answer["created"]) > 0, True)
    found = {
        each["value"]: each["frame_ranges"]
        for each in api.get_frame_ranges(tour.id("video"))
        if each["identifier"] == "phase"
    }
    agree(
        {value: [tuple(each) for each in ranges] for value, ranges in found.items()},
        {"early": [(0, 2)], "late": [(5, 8)]},
    )
    api.set_frame_ranges(tour.id("video"), "phase", "category", {})
    agree([each for each in api.get_frame_ranges(tour.id("video")) if each["identifier"] == "phase"], [])


@step()
def patch_and_approve(tour: Tour) -> None:
    made = tour.api.annotations.create(tour.id("jpeg"), _label("bening"))
    tour.api.annotations.patch(made, identifier="benign")
    tour.api.annotations.approve(made)
    found = tour.api.annotations.get_by_id(made)
    agree((found.name, found.approved_by is None, found.approved_at is None), ("benign", False, False))


@step()
def delete(tour: Tour) -> None:
    made = tour.api.annotations.create(tour.id("jpeg"), [_label("wrong 1"), _label("wrong 2"), _label("wrong 3")])
    tour.api.annotations.delete(made[0])
    tour.api.annotations.delete_batch(made[1:])
    agree([each for each in tour.annotations("jpeg") if each.name.startswith("wrong")], [])


@step()
def of_a_resource(tour: Tour) -> None:
    agree({each.name for each in tour.resource("png").fetch_annotations("label")}, {"benign", "sharp"})
    agree("view" in {each.name for each in tour.api.resources.get_annotations(tour.id("png"))}, True)


@step(clients=(NEW,))
def deleted(tour: Tour) -> None:
    made = tour.api.annotations.create(tour.id("deep"), _label("deleted"))
    tour.api.annotations.delete(made)
    agree([each.id for each in tour.api.annotations.get_deleted(resource=tour.id("deep"))], [made])
    agree(tour.annotations("deep"), [])


@step()
def grouped_by_resource(tour: Tour) -> None:
    wanted = tour.ids("png", "second jpeg", "jpeg")
    groups = tour.api.annotations.get_list(resource=wanted, group_by_resource=True)
    agree(["benign" in {each.name for each in group} for group in groups], [True, False, True])
    agree(list(groups[1]), [])


@step()
def found_by(tour: Tour) -> None:
    agree({each.name for each in tour.annotations("png", annotation_type="label")}, {"benign", "sharp"})
    agree({each.name for each in tour.annotations("png", annotator_email=BO)}, {"sharp"})
    agree(len(tour.annotations("png", limit=1)), 1)


def _points(annotation: Any) -> list[list[float]]:
    geometry = annotation.geometry
    points = geometry["points"] if isinstance(geometry, dict) else geometry.points
    return [[float(each) for each in point] for point in points]
