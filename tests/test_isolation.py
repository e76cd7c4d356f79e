"""Tests, and the fixtures that many tests share, live in homes of their own."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from datamint_like.config import load_settings

_OF_THE_PERSON = Path(pwd.getpwuid(os.getuid()).pw_dir)


@pytest.fixture(scope="module")
def places_of_a_module() -> list[Path]:
    settings = load_settings()
    return [Path.home(), settings.home, settings.cache_dir]


def test_what_a_fixture_of_a_module_writes_goes_to_a_folder_of_the_run(
    places_of_a_module: list[Path], session_home: Path
) -> None:
    assert [place for place in places_of_a_module if not place.is_relative_to(session_home)] == []
    assert _OF_THE_PERSON not in places_of_a_module


def test_a_test_shares_its_home_with_no_fixture_of_a_module(
    places_of_a_module: list[Path], isolated_home: Path
) -> None:
    assert Path.home() == isolated_home
    assert not set(places_of_a_module) & {Path.home(), load_settings().home, load_settings().cache_dir}
