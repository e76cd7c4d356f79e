"""Boxes as records: which coordinates they are in, and which geometry is none."""

from __future__ import annotations

from typing import Any

import pytest

from datamint_like.annotations import NamesInUse, is_box, resolve_label_space, stored_box
from datamint_like.entities import Annotation, AnnotationSpec, AnnotationWorklist
from datamint_like.exceptions import DatamintDatasetException

CORNERS = [[1, 2, 0], [11, 2, 0], [1, 22, 0], [11, 22, 0]]


def square(geometry: Any, **more: Any) -> Annotation:
    fields = {"scope": "image", **more}
    return Annotation(
        id="a1", identifier="mass", annotation_type="square", resource_id="r1", geometry=geometry, **fields
    )


@pytest.mark.parametrize(
    ("geometry", "system", "width"),
    [
        ({"points": CORNERS, "coordinate_system": "pixel"}, "pixel", 2),
        ({"points": CORNERS, "coordinate_system": "patient"}, "patient", 3),
        ({"points": CORNERS}, "pixel", 2),
        ({"points": CORNERS, "viewPlaneNormal": [0, 0, 1]}, "patient", 3),
        ({"points": [[1, 2], [11, 22]]}, "pixel", 2),
        (CORNERS, "pixel", 2),
    ],
)
def test_a_box_says_or_shows_its_coordinates(geometry: Any, system: str, width: int) -> None:
    box = stored_box(square(geometry))
    assert (box.system, box.corners.shape[1]) == (system, width)
    assert box.corners[:, :2].min(axis=0).tolist() == [1, 2]
    assert box.corners[:, :2].max(axis=0).tolist() == [11, 22]


@pytest.mark.parametrize(
    "geometry",
    [
        [],
        {},
        {"points": None},
        {"points": "(1, 2)"},
        {"points": [[1, 2]]},
        {"points": [[1], [2]]},
        {"points": [[1, 2], ["x", 3]]},
        {"points": [[1, 2], [float("nan"), 3]]},
        {"points": [[1, 2], [1e300, 3]]},
        {"points": [[1, 2], [10**400, 3]]},
        {"points": [[1, 2], 5]},
        {"points": [[1, 2], {"x": 3}]},
        {"points": [[1, 2], [3, 4]], "coordinate_system": "patient"},
        {"points": [[1, 2], [3, 4]], "coordinate_system": "screen"},
    ],
    ids=str,
)
def test_a_geometry_that_is_no_box_names_the_annotation(geometry: Any) -> None:
    with pytest.raises(DatamintDatasetException, match=r"'mass' \(annotation a1\) of resource r1.*Delete or correct"):
        stored_box(square(geometry))


def test_only_a_box_of_frame_scope_is_of_a_frame() -> None:
    assert stored_box(square(CORNERS, scope="frame", frame_index=3)).frame == 3
    assert stored_box(square(CORNERS)).frame is None
    assert is_box(square(CORNERS))


def test_names_of_boxes_are_those_of_the_schema_then_those_in_use() -> None:
    specs = tuple(
        AnnotationSpec(type=kind, identifier=name, scope=scope)
        for kind, name, scope in [
            ("square", "mass", "image"),
            ("label", "benign", "image"),
            ("square", "clip", "frame"),
            ("square", "mass", "frame"),
        ]
    )
    schema = AnnotationWorklist(id="w", name="w", annotations=specs)
    names = NamesInUse(boxes=("scar", "mass", "calcification"))
    for external in (False, True):
        space = resolve_label_space([schema], names, allow_external=external)
        assert space.box_codes == {"mass": 1, "clip": 2, "calcification": 3, "scar": 4}
        assert space.image_labels == ("benign",)
    assert resolve_label_space(None, names, allow_external=False).box_labels == ("calcification", "mass", "scar")
    without = resolve_label_space([schema], NamesInUse(), allow_external=False)
    assert without.fingerprint() != space.fingerprint()
