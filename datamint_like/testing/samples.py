"""The small real images that the package ships, as uploads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np

import datamint_like
from datamint_like.backends.base import Backend, NewAnnotation, NewProject, NewResource
from datamint_like.entities import Project, Resource
from datamint_like.imaging._nibabel import Nifti1Pair

IMAGES = Path(datamint_like.__file__).parent / "demo" / "images"
XRAY = IMAGES / "xray" / "nih_00000001_000.png"
XRAY_MASK = IMAGES / "xray" / "nih_00000001_000_mask.png"
OTHER_XRAY = IMAGES / "xray" / "nih_00027426_000.png"
CT_FILES = tuple(sorted((IMAGES / "ct_ge").glob("*.dcm")))


def upload(backend: Backend, *paths: Path, name: str | None = None, tags: tuple[str, ...] = ()) -> Resource:
    """A resource made of these files (an X-ray by default)."""
    files = paths or (XRAY,)
    return backend.create_resource(NewResource(paths=files, filename=name or files[0].name, tags=tags))


def nifti_pair(folder: Path) -> tuple[Path, Path]:
    """A small volume as a NIfTI header and its image."""
    image: Any = cast("Any", Nifti1Pair)(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.diag([1, 2, 3, 1]))
    image.to_filename(folder / "volume.img")
    return folder / "volume.hdr", folder / "volume.img"


def project_of(backend: Backend, *resources: Resource, name: str = "Chest pilot") -> Project:
    """A project that holds these resources."""
    return backend.create_project(NewProject(name=name, resource_ids=tuple(each.id for each in resources)))


def label(identifier: str = "benign", author: str | None = None) -> NewAnnotation:
    """A label of the whole image."""
    return NewAnnotation(type="label", identifier=identifier, author=author)


def xray_mask(author: str | None = None) -> NewAnnotation:
    """The lung mask that belongs to the X-ray."""
    payload = XRAY_MASK.read_bytes()
    return NewAnnotation("segmentation", "lung", scope="frame", frame_index=0, author=author, payload=payload)
