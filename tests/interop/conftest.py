"""Both published clients, and the journey of each: made once, and looked at step by step."""

from __future__ import annotations

import ctypes.util
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.interop.files import write_files
from tests.interop.published import NotInstalledError, Traveller, install, journey


@pytest.fixture(scope="session")
def traveller(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Traveller]:
    """A traveller of a version, in a home of its own of this name; the test skips where pip cannot get the client."""

    @cache
    def packages(version: str) -> Path | str:
        if ctypes.util.find_library("magic") is None:
            return "libmagic is absent, by which the published clients know files"
        try:
            return install(version, tmp_path_factory.mktemp("client"))
        except NotInstalledError as error:
            return str(error)

    def made(version: str, home: str) -> Traveller:
        found = packages(version)
        if isinstance(found, str):
            pytest.skip(found)
        folder = tmp_path_factory.mktemp(home)
        return Traveller(version, found, write_files(folder / "files"), folder, folder / "store")

    return made


@pytest.fixture(scope="session")
def whole_tour(traveller: Callable[[str, str], Traveller]) -> Callable[[str], Traveller]:
    """What came of the whole tour of a version."""

    @cache
    def toured(version: str) -> Traveller:
        found = traveller(version, "tour")
        try:
            journey(found)
        except Exception as error:  # noqa: BLE001 -- each step tells it, rather than making the tour anew
            found.broke = repr(error)
        return found

    return toured
