"""Groups of the shipped series, assembled once."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamint_like.imaging import Group, assemble


def only_group(folder: Path) -> Group:
    assembly = assemble(path for path in folder.rglob("*") if path.is_file())
    assert not assembly.skipped
    (group,) = assembly.groups
    return group


@pytest.fixture(scope="session")
def regular_ct(demo_images: Path) -> Group:
    """An untilted CT of 32 evenly spaced slices."""
    return only_group(demo_images / "ct_philips")


@pytest.fixture(scope="session")
def irregular_ct(demo_images: Path) -> Group:
    """A CT with gantry tilt whose 28 slices are not evenly spaced."""
    return only_group(demo_images / "ct_ge")
