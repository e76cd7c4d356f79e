"""Limits of listings: how many at most, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from datamint_like import Api
from datamint_like.exceptions import ValidationError

LISTINGS: dict[str, Callable[..., list[Any]]] = {
    "projects": lambda api, limit: api.projects.get_list(limit),
    "all projects": lambda api, limit: api.projects.get_all(limit),
    "resources": lambda api, limit: api.resources.get_list(limit=limit),
    "all resources": lambda api, limit: api.resources.get_all(limit),
    "annotations": lambda api, limit: api.annotations.get_list(limit=limit),
    "annotations of one source": lambda api, limit: api.annotations.get_list(limit=limit, source="imported"),
    "users": lambda api, limit: api.users.get_list(limit),
}


@pytest.fixture
def filled(api: Api, two_xrays: list[str]) -> Api:
    for n, resource in enumerate(two_xrays):
        api.projects.create(f"p{n}")
        api.annotations.add_label_annotation(resource, "a")
    api.users.create("b@lab.example")
    return api


@pytest.mark.parametrize("listing", LISTINGS)
def test_a_limit_is_how_many_to_list(filled: Api, listing: str) -> None:
    call = LISTINGS[listing]
    assert len(call(filled, None)) == len(call(filled, 2)) == len(call(filled, 2**70)) == 2
    assert call(filled, np.int64(1)) == call(filled, 1) == call(filled, None)[:1]
    assert call(filled, 0) == []


@pytest.mark.parametrize("listing", LISTINGS)
@pytest.mark.parametrize("limit", [-1, "1", 1.0, True])
def test_another_limit_is_refused_and_drops_nothing_silently(filled: Api, listing: str, limit: Any) -> None:
    with pytest.raises(ValidationError, match=r"limit is how many to list, a whole number from 0"):
        LISTINGS[listing](filled, limit)
