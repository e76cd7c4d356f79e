"""Arguments with two published names: either will do, both only when they say the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pytest

from datamint_like import Api
from datamint_like.exceptions import ValidationError

MASK = np.ones((512, 512))
PAIRS: dict[str, tuple[Callable[..., Any], str, str, Any, Any]] = {
    "resources of a new project": (
        lambda api, xray, **more: api.projects.create("p", **more),
        *("resources_ids", "resource_ids", [], ["11111111-1111-1111-1111-111111111111"]),
    ),
    "the first day of a listing": (
        lambda api, xray, **more: api.annotations.get_list(**more),
        *("from_date", "date_from", "2024-01-01", date(2024, 1, 2)),
    ),
    "the last day of a listing": (
        lambda api, xray, **more: api.annotations.get_list(**more),
        *("to_date", "date_to", date(2024, 1, 1), "2024-01-02"),
    ),
    "the model of masks of frames": (
        lambda api, xray, **more: api.annotations.upload_segmentations(xray, MASK, "a", **more),
        *("ai_model_name", "model_name", "unet", "vnet"),
    ),
    "the model of masks of a volume": (
        lambda api, xray, **more: api.annotations.upload_volume_segmentation(xray, MASK[None], "a", axes="dhw", **more),
        *("ai_model_name", "model_name", "unet", "vnet"),
    ),
    "the model of masks of an upload": (
        lambda api, xray, **more: api.resources.upload_resources("lost.png", **more),
        *("ai_model", "model_name", "unet", "vnet"),
    ),
    "the author of an annotation": (
        lambda api, xray, **more: api.annotations.create(xray, {"type": "label", "identifier": "a", **more}),
        *("import_author", "author_email", "a@lab.example", "b@lab.example"),
    ),
}


@pytest.mark.parametrize("case", PAIRS)
def test_two_names_with_two_values_are_refused_and_both_are_named(api: Api, xray: str, case: str) -> None:
    call, one, other, first, second = PAIRS[case]
    with pytest.raises(ValidationError, match=f"{one}=.* and {other}=.* are two names of one argument"):
        call(api, xray, **{one: first, other: second})
    assert api.projects.get_all() == []
    assert api.annotations.get_all() == []


def test_two_names_with_one_value_are_that_value(api: Api, two_xrays: list[str]) -> None:
    made = api.projects.create("p", resources_ids=two_xrays, resource_ids=two_xrays)
    assert made.resource_count == 2
    day = date(2000, 1, 1)
    api.annotations.upload_segmentations(two_xrays[0], MASK, "a", ai_model_name="unet", model_name="unet")
    found = api.annotations.get_list(from_date=day, date_from=day.isoformat())
    assert [each.created_by_model for each in found] == ["unet"]
