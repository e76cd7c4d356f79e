"""Optional packages: there, or an error that says how to install them."""

from __future__ import annotations

import json

import pytest

from datamint_like._optional import need
from datamint_like.exceptions import MissingExtraError


def test_a_package_that_is_there_is_imported() -> None:
    assert need("json", extra="plots") is json


def test_a_package_that_is_missing_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(MissingExtraError, match="'no_such_package'") as error:
        need("no_such_package.part", extra="plots")
    assert str(error.value).endswith('pip install "datamint-like[plots]"')
    assert isinstance(error.value, ImportError)
