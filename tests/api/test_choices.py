"""Arguments that take one of a few texts, and authors: a typing error is told, and nothing is stored or left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from datamint_like import Api
from datamint_like.entities import Project
from datamint_like.exceptions import ValidationError

CHOICES: dict[str, tuple[Callable[[Api, str], Any], str]] = {
    "a status of resources": (
        lambda api, xray: api.resources.get_list(status="publishd"),  # type: ignore[arg-type]
        r"status is one of inbox, published, deleted, not 'publishd'\. Did you mean 'published'\?",
    ),
    "a status of annotations": (
        lambda api, xray: api.annotations.get_list(status="nwe"),  # type: ignore[call-overload]
        r"status is one of new, published, not 'nwe'\. Did you mean 'new'\?",
    ),
    "a status of work": (
        lambda api, xray: api.projects.get_annotation_statuses("chest", status="closd"),
        r"one of opened, annotated, closed, not 'closd'\. Did you mean 'closed'\?",
    ),
    "a type of annotations": (
        lambda api, xray: api.annotations.get_list(annotation_type="segmentatoin"),
        r"annotation_type is one of angle, .*not 'segmentatoin'\. Did you mean 'segmentation'\?",
    ),
    "a type of a resource's annotations": (
        lambda api, xray: api.resources.get_annotations(xray, "7"),
        r"annotation_type is one of .*text, not '7'\.$",
    ),
    "a type that is a number": (
        lambda api, xray: api.annotations.get_list(annotation_type=7),  # type: ignore[call-overload]
        "annotation_type is one of .*not 7",
    ),
    "a source to look for": (
        lambda api, xray: api.annotations.get_list(source="manul"),
        r"source is one of imported, manual, model_pipeline, model_deploy, not 'manul'\. Did you mean 'manual'\?",
    ),
    "a source of a label": (
        lambda api, xray: api.annotations.add_label_annotation(xray, "a", source="bogus"),
        "source is one of imported, manual, model_pipeline, model_deploy, not 'bogus'",
    ),
    "a source in a dict": (
        lambda api, xray: api.annotations.create(xray, {"type": "label", "identifier": "a", "source": "bogus"}),
        "source is one of imported, manual, model_pipeline, model_deploy, not 'bogus'",
    ),
}


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("case", CHOICES)
def test_a_word_that_is_none_of_the_choices_is_told_with_all_and_the_nearest(api: Api, xray: str, case: str) -> None:
    call, message = CHOICES[case]
    with pytest.raises(ValidationError, match=message):
        call(api, xray)
    assert api.annotations.get_all() == []


def test_any_status_is_asked_for_by_none_or_an_empty_text(api: Api, project: Project, xray: str) -> None:
    assert [each.id for each in api.resources.get_list(status="")] == [xray]
    assert [each.id for each in api.resources.get_list(status="inbox")] == [xray]
    assert api.resources.get_list(status="published") == []


AUTHORS: dict[str, Callable[[Api, str, Any], Any]] = {
    "a label": lambda api, xray, who: api.annotations.add_label_annotation(xray, "a", author_email=who),
    "a mask": lambda api, xray, who: api.annotations.upload_segmentations(
        xray, np.ones((440, 440)), "a", author_email=who
    ),
    "a point": lambda api, xray, who: api.annotations.add_point_annotation((1, 2), xray, "a", author_email=who),
    "a dict": lambda api, xray, who: api.annotations.create(
        xray, {"type": "label", "identifier": "a", "created_by": who}
    ),
    "a user": lambda api, xray, who: api.users.create(who),
}


@pytest.mark.parametrize("case", AUTHORS)
@pytest.mark.parametrize("who", ["Erika Mustermann", "", " ", "@", "Erika Mustermann <e@lab.example>", 5])
def test_a_person_without_an_address_is_refused_and_not_named(api: Api, xray: str, case: str, who: Any) -> None:
    before = api.users.get_all()
    with pytest.raises(ValidationError, match="is named by an e-mail address") as caught:
        AUTHORS[case](api, xray, who)
    assert "Erika" not in str(caught.value)
    assert api.annotations.get_all() == []
    assert api.users.get_all() == before
