"""A store of its own for each test, and the shipped images in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from datamint_like import Api
from datamint_like.entities import Project


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with Api((tmp_path / "store").as_uri()) as handle:
        yield handle


@pytest.fixture
def project(api: Api) -> Project:
    return api.projects.create("chest", "pilot")


@pytest.fixture
def xray(api: Api, demo_images: Path) -> str:
    return api.resources.upload_resource(demo_images / "xray" / "nih_00000001_000.png")


@pytest.fixture
def two_xrays(api: Api, demo_images: Path) -> list[str]:
    folder = demo_images / "xray"
    return api.resources.upload_resources([folder / "nih_00000001_000.png", folder / "nih_00027426_000.png"])


@pytest.fixture
def volume(api: Api, demo_images: Path) -> str:
    return api.resources.upload_resource(demo_images / "ct_ge")


@pytest.fixture
def clip(api: Api, demo_images: Path) -> str:
    return api.resources.upload_resource(demo_images / "ultrasound" / "examples_ybr_color.dcm")
