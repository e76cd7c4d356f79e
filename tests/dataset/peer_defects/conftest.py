"""A store for each test, and what is uploaded to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from datamint_like import Api

RNG = np.random.default_rng(7)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with Api((tmp_path / "store").as_uri()) as handle:
        yield handle


@pytest.fixture
def clip(api: Api, demo_images: Path) -> str:
    return api.resources.upload_resource(demo_images / "ultrasound" / "examples_ybr_color.dcm")


@pytest.fixture
def two_xrays(api: Api, demo_images: Path) -> list[str]:
    folder = demo_images / "xray"
    return api.resources.upload_resources([folder / "nih_00000001_000.png", folder / "nih_00027426_000.png"])


def upload_nifti(api: Api, folder: Path, array: np.ndarray, affine: Any = None) -> str:
    path = folder / "volume.nii.gz"
    nib.save(nib.Nifti1Image(array, np.diag([1.0, 2.0, 3.0, 1.0]) if affine is None else affine), path)
    return api.resources.upload_resource(path)


def of(api: Api, cls: Any, *resources: str, **options: Any) -> Any:
    return cls(resources=list(resources), server_url=api.server_url, **options)
