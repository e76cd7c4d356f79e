"""Codes and colours of segmentation classes: what no dataset could use is refused before it is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from datamint_like import Api
from datamint_like.entities import MAX_SEGMENTATION_CODE, Project, SegmentationClass
from datamint_like.exceptions import ValidationError

CODES = [0, -1, MAX_SEGMENTATION_CODE + 1, 10**9, 1.5, 2.0, "2", True, [1], float("nan")]
COLOURS = [[300, 0, 0], [-1, 0, 0], [1, 2], [1, 2, 3, 4, 5], [], "red", 5, [1.5, 0, 0], [None, 0, 0], ["a", 0, 0]]
BAD = [{"index": code} for code in CODES] + [{"color": colour} for colour in COLOURS]


@pytest.mark.parametrize("way", ["create", "data", "group", "definitions"])
@pytest.mark.parametrize("bad", BAD, ids=str)
def test_a_code_or_colour_that_is_none_is_refused_and_nothing_is_stored(
    api: Api, project: Project, way: str, bad: Mapping[str, Any]
) -> None:
    (default,) = api.annotationsets.get_by_project(project)
    definitions = [{"identifier": "liver", **bad}]
    data = {"definitions": definitions}
    sets = api.annotationsets
    ways: dict[str, Callable[[], Any]] = {
        "create": lambda: sets.create("w", project=project, segmentation_data=data),
        "data": lambda: sets.patch(default, {"segmentation_data": data}),
        "group": lambda: sets.patch(default, {"segmentation_group": {"liver": dict(bad)}}),
        "definitions": lambda: sets.update_segmentation_group(default, definitions),
    }
    with pytest.raises(ValidationError, match=r"[Ss]egmentation ?[Cc]lass"):
        ways[way]()
    assert api.annotationsets.get_by_project(project) == [default]


def test_a_code_that_two_classes_share_is_refused_with_both_names(api: Api, project: Project) -> None:
    (default,) = api.annotationsets.get_by_project(project)
    shared = [{"identifier": "liver", "index": 3}, {"identifier": "spleen", "index": 3}]
    with pytest.raises(ValidationError, match="'liver' and 'spleen' both have index 3"):
        api.annotationsets.update_segmentation_group(default, shared)
    with pytest.raises(ValidationError, match="needs its own identifier, found 'liver'"):
        api.annotationsets.update_segmentation_group(default, [{"identifier": "liver"}, {"identifier": "liver"}])


def test_numbers_of_numpy_are_codes_and_colours(api: Api, project: Project) -> None:
    (default,) = api.annotationsets.get_by_project(project)
    color = np.array([1, 2, 255], np.uint8)
    given = [{"identifier": "liver", "index": np.int64(MAX_SEGMENTATION_CODE), "color": color}]
    api.annotationsets.update_segmentation_group(default, given)
    stored = api.annotationsets.get_by_id(default.id).segmentation_group
    assert stored == {"liver": SegmentationClass(color=(1, 2, 255), index=MAX_SEGMENTATION_CODE)}


def test_a_group_is_taken_back_as_it_was_read(api: Api, project: Project) -> None:
    (default,) = api.annotationsets.get_by_project(project)
    api.annotationsets.update_segmentation_group(default, [{"identifier": "liver"}, {"identifier": "spleen"}])
    group = api.annotationsets.get_by_id(default.id).segmentation_group
    assert [each.index for each in group.values()] == [1, 2]
    assert api.annotationsets.patch(default, {"segmentation_group": group}).segmentation_group == group
