"""Where an annotation comes from: every call that makes one carries it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from datamint_like import Api

MASK = np.ones((512, 512), np.uint8)
LINE = ((1, 2), (3, 4))
CALLS: dict[str, Callable[..., Any]] = {
    "label": lambda make, on, **origin: make.add_label_annotation(on, "a", **origin),
    "category": lambda make, on, **origin: make.add_category_annotation(on, "a", "x", **origin),
    "classification": lambda make, on, **origin: make.create_image_classification(on, "a", "x", **origin),
    "text": lambda make, on, **origin: make.add_text_annotation(on, "a", "x", **origin),
    "number": lambda make, on, **origin: make.create_numeric_annotation(on, "a", 1, **origin),
    "line": lambda make, on, **origin: make.add_line_annotation(*LINE, on, "a", **origin),
    "box": lambda make, on, **origin: make.add_box_annotation(*LINE, on, "a", **origin),
    "point": lambda make, on, **origin: make.add_point_annotation((1, 2), on, "a", **origin),
    "polyline": lambda make, on, **origin: make.add_polyline_annotation(LINE, on, "a", **origin),
    "polygon": lambda make, on, **origin: make.add_polygon_annotation([*LINE, (5, 9)], on, "a", **origin),
    "frame mask": lambda make, on, model_id, **origin: make.upload_segmentations(
        on, MASK, "a", model_name=model_id, **origin
    )[0],
    "volume mask": lambda make, on, model_id, **origin: make.upload_volume_segmentation(
        on, MASK[None], "a", axes="dhw", model_name=model_id, **origin
    )[0],
}


@pytest.mark.parametrize("model_id", [None, "unet"])
@pytest.mark.parametrize("call", CALLS)
def test_every_call_carries_where_the_annotation_comes_from(
    api: Api, xray: str, call: str, model_id: str | None
) -> None:
    worklist = api.annotationsets.create("reading")
    made = CALLS[call](
        api.annotations,
        xray,
        worklist_id=worklist.id,
        imported_from="tool",
        author_email="a@lab.example",
        model_id=model_id,
        source="manual",
    )
    found = api.annotations.get_by_id(made)
    assert (found.annotation_worklist_id, found.imported_from, found.source) == (worklist.id, "tool", "manual")
    assert (found.created_by_model, found.author) == (model_id, "a@lab.example")
