"""The examples in the docstrings of the handle and of the command line run."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from datamint_like.api import annotations, client, projects, resources
from datamint_like.cli import main


@pytest.mark.parametrize("module", [annotations, client, main, projects, resources], ids=lambda module: module.__name__)
def test_examples_run(module: ModuleType) -> None:
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert failed == 0
