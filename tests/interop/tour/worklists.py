"""Worklists: the schema of a project, and worklists of their own."""

from __future__ import annotations

from tests.interop.tour.guide import ANA, BO, NEW, PICTURES, VIDEOS, VOLUMES, Tour, agree, step

_RED, _GREEN, _BLUE = [255, 0, 0], [0, 255, 0], [0, 0, 255]
_SCHEMA = [
    {"type": "label", "identifier": "benign", "scope": "image", "required": False},
    {"type": "label", "identifier": "sharp", "scope": "image", "required": False},
    {"type": "label", "identifier": "motion", "scope": "frame", "required": False},
    {"type": "category", "identifier": "view", "scope": "image", "required": False, "values": ["pa", "lat"]},
    {"type": "segmentation", "identifier": "lung", "scope": "frame", "required": False},
    {"type": "segmentation", "identifier": "lesion", "scope": "frame", "required": True},
]


@step()
def default_worklists(tour: Tour) -> None:
    for name in (PICTURES, VOLUMES, VIDEOS):
        (worklist,) = tour.api.projects.get_worklists(tour.id(name))
        tour.note(f"worklist of {name}", worklist)
        agree(worklist.id, tour.project(name).worklist_id)


@step()
def schema(tour: Tour) -> None:
    tour.api.annotationsets.patch(tour.id(f"worklist of {PICTURES}"), {"annotations": _SCHEMA})
    found = tour.api.annotationsets.get_by_id(tour.id(f"worklist of {PICTURES}"))
    agree(
        [(str(each.type), each.identifier, each.scope) for each in found.annotations], [_key(each) for each in _SCHEMA]
    )
    agree(list(found.annotations[3].values), ["pa", "lat"])


def _key(spec: dict[str, object]) -> tuple[object, ...]:
    return spec["type"], spec["identifier"], spec["scope"]


@step()
def segmentation_group(tour: Tour) -> None:
    pictures = [("lung", _RED, 1), ("lesion", _GREEN, 3)]
    others = [("lesion", _RED, 1), ("vessel", _BLUE, 2)]
    for name, classes in ((PICTURES, pictures), (VOLUMES, others), (VIDEOS, others)):
        worklist = tour.id(f"worklist of {name}")
        definitions = [{"identifier": each, "color": color, "index": index} for each, color, index in classes]
        tour.api.annotationsets.update_segmentation_group(worklist, definitions, "multi_label")
        groups = tour.api.annotationsets.get_segmentation_group(worklist)["groups"]
        agree({each: group["index"] for each, group in groups.items()}, {each: index for each, _, index in classes})


@step()
def create(tour: Tour) -> None:
    annotators = [ANA, BO] if tour.is_old else [{"email": ANA, "expertise_level": "expert"}, {"email": BO}]
    made = tour.api.annotationsets.create(
        "Second look",
        tour.ids("png", "jpeg"),
        description="of two",
        annotations=[
            {"type": "category", "identifier": "quality", "scope": "image", "required": True, "values": ["a"]}
        ],
        annotators=annotators,
        image_labels=["urgent"],
        frame_labels=["blurred"],
    )
    found = tour.api.annotationsets.get_by_id(tour.note("second look", made).id)
    agree((found.name, found.description, found.resource_ids), ("Second look", "of two", tour.ids("png", "jpeg")))
    agree({each.email for each in found.annotators}, {ANA, BO})
    specs = {(str(each.type), each.identifier, each.scope) for each in found.annotations}
    wanted = {("category", "quality", "image"), ("label", "urgent", "image"), ("label", "blurred", "frame")}
    agree(specs, wanted)


@step(clients=(NEW,))
def create_in_project(tour: Tour) -> None:
    room = tour.note("Reading room", tour.api.projects.create("Reading room", "", resource_ids=tour.ids("png", "jpeg")))
    made = tour.api.annotationsets.create(
        "Lesions",
        tour.ids("png"),
        annotators=[{"email": ANA}],
        project=room,
        segmentation_data={
            "segmentationValueType": "single_label",
            "definitions": [{"identifier": "lesion", "color": _RED, "index": 1}],
        },
        viewable_ai_segmentations=["lesion"],
    )
    tour.note("lesions", made)
    agree(made.id in {each.id for each in tour.api.projects.get_worklists(room)}, True)
    groups = tour.api.annotationsets.get_segmentation_group(made.id)["groups"]
    agree(groups["lesion"]["index"], 1)


@step(clients=(NEW,))
def change(tour: Tour) -> None:
    api, worklist = tour.api.annotationsets, tour.id("lesions")
    definitions = [
        {"identifier": name, "color": color, "index": index}
        for index, (name, color) in enumerate({"lesion": _RED, "vessel": _BLUE}.items(), start=1)
    ]
    specs = [
        {"type": "segmentation", "identifier": each["identifier"], "scope": "frame", "required": False}
        for each in definitions
    ]
    segmentation_data = {"segmentationValueType": "single_label", "definitions": definitions}
    api.patch(worklist, {"annotations": specs, "segmentation_data": segmentation_data})  # what `add_segments` sends
    agree({each.identifier for each in api.get_by_id(worklist).annotations}, {"lesion", "vessel"})
    agree(set(api.get_segmentation_group(worklist)["groups"]), {"lesion", "vessel"})
    api.add_ai_segmentations(worklist, ["vessel"], editable=True)
    api.delete_segmentation_group(worklist, "vessel")
    agree(set(api.get_segmentation_group(worklist)["groups"]), {"lesion"})
    api.update_resources(worklist, resource_ids_to_add=tour.ids("jpeg"))
    agree(set(api.get_by_id(worklist).resource_ids), set(tour.ids("png", "jpeg")))
    api.update_resources(worklist, resource_ids_to_delete=tour.ids("jpeg"))
    agree(api.get_by_id(worklist).resource_ids, tour.ids("png"))


@step(clients=(NEW,))
def annotators(tour: Tour) -> None:
    api, worklist = tour.api.annotationsets, tour.id("lesions")
    api.set_annotator(worklist, BO, status="active", expertise_level="learner")
    agree({each.email for each in api.get_by_id(worklist).annotators}, {ANA, BO})
    api.remove_annotator(worklist, BO)
    agree({each.email for each in api.get_by_id(worklist).annotators}, {ANA})
    agree(isinstance(api.get_annotator_status(worklist, ANA), dict), True)


@step(clients=(NEW,))
def segmentation_group_file(tour: Tour) -> None:
    path = tour.scratch / "group.csv"
    path.write_text("identifier,index,color\nlesion,1,#ff0000\nvessel,2,#0000ff\n")
    with path.open("rb") as file:
        tour.api.annotationsets.upload_segmentation_group(tour.id("lesions"), file)
    groups = tour.api.annotationsets.get_segmentation_group(tour.id("lesions"))["groups"]
    agree({name: each["index"] for name, each in groups.items()}, {"lesion": 1, "vessel": 2})
