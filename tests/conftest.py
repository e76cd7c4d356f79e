"""What every test gets: a home of its own, the shipped images, and the larger real data where it is there."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

pytest_plugins = ["tests.servers.fixtures"]

REPOSITORY = Path(__file__).resolve().parent.parent
NO_REAL_DATA = "the folder of real test data is absent (DATAMINT_LIKE_TEST_DATA)"
_NUMBERS = itertools.count()
_OUR_PREFIXES = ("DATAMINT_LIKE_", "DATAMINT_API")


@cache
def real_data_folder() -> Path:
    """Where the larger real data is expected: `DATAMINT_LIKE_TEST_DATA`, else `shared/data` beside the checkout."""
    named = os.environ.get("DATAMINT_LIKE_TEST_DATA")
    return Path(named) if named else REPOSITORY.parent / "shared" / "data"


_REAL_DATA = real_data_folder()  # looked up before the tests get an environment of their own


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark in the report which tests need the real data, so that a skipped one can be told whatever its reason."""
    for item in items:
        if "real_data" in getattr(item, "fixturenames", ()):
            item.user_properties.append(("needs", "real data"))


@pytest.fixture(scope="session", autouse=True)
def session_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home for what fixtures of a module or session do: the one of the person who runs the tests is never touched."""
    root = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        _live_in(root, patch)
        yield root


@pytest.fixture(autouse=True)
def isolated_home(session_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a home, store and cache that nobody else sees, and no settings of the person who runs it."""
    root = session_home / f"test{next(_NUMBERS)}"  # the factory's names would each take a look at all that are there
    root.mkdir()
    _live_in(root, monkeypatch)
    return root


def _live_in(root: Path, patch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(_OUR_PREFIXES)]:
        patch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        patch.delenv(name, raising=False)
    patch.setenv("HOME", str(root))
    patch.setenv("DATAMINT_LIKE_HOME", str(root / "store"))
    patch.setenv("DATAMINT_LIKE_CACHE", str(root / "cache"))
    patch.setenv("NO_ALBUMENTATIONS_UPDATE", "1")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the larger real data; the test skips only where that folder is absent."""
    if not _REAL_DATA.is_dir():
        pytest.skip(NO_REAL_DATA)
    return _REAL_DATA


@pytest.fixture(scope="session")
def demo_images() -> Path:
    """The folder of the small real images that the package ships."""
    return REPOSITORY / "datamint_like" / "demo" / "images"
