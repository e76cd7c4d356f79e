"""The examples in the docstrings of the annotations layer run as they are written."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from datamint_like.annotations import labelspace, selection, semantic


@pytest.mark.parametrize("module", [labelspace, selection, semantic])
def test_the_examples_give_what_they_say(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
