"""Lists that are longer than a page."""

from __future__ import annotations

from tests.interop.tour.guide import Tour, agree, step

_MANY = 5200  # a page has 5,000


@step("after")
def annotations(tour: Tour) -> None:
    labels = [{"type": "label", "identifier": f"label {n}", "scope": "image"} for n in range(_MANY)]
    made = tour.api.annotations.create(tour.id("segmented"), labels)
    found = tour.annotations("segmented", annotation_type="label")
    agree(([each.id for each in found] == made, len(made)), (True, _MANY), "each label once, in order")
