"""PyTorch datasets for annotated medical images: exact values, true geometry, splits without leakage.

    from datamint_like import VolumeDataset
    parts = VolumeDataset(project="liver-ct").slice("axial").split(train=0.8, val=0.2, seed=42, by_patient=True)
    loader = parts["train"].get_dataloader(batch_size=16, num_workers=8, shuffle=True)

Importing this package loads none of its parts: each name below is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datamint_like.api import Api
    from datamint_like.config import Settings, load_settings
    from datamint_like.dataset import (
        DatamintBaseDataset,
        ImageDataset,
        MultiFrameDataset,
        SlicedVideoDataset,
        SlicedVolumeDataset,
        VideoDataset,
        VolumeDataset,
    )
    from datamint_like.dataset.dataset import Dataset
    from datamint_like.entities import Annotation, AnnotationSpec, AnnotationWorklist, Project, Resource, User
    from datamint_like.exceptions import (
        CacheError,
        DatamintDatasetException,
        DatamintException,
        DecodeError,
        GeometryError,
        ItemNotFoundError,
        MissingExtraError,
        PatientLeakageWarning,
        PrefetchError,
        StorageError,
        ValidationError,
    )
    from datamint_like.imaging.affine import Affine

__version__ = "0.1.0"

_HOMES = {
    "datamint_like.api": ("Api",),
    "datamint_like.config": ("Settings", "load_settings"),
    "datamint_like.dataset": (
        "DatamintBaseDataset",
        "ImageDataset",
        "MultiFrameDataset",
        "SlicedVideoDataset",
        "SlicedVolumeDataset",
        "VideoDataset",
        "VolumeDataset",
    ),
    "datamint_like.dataset.dataset": ("Dataset",),
    "datamint_like.entities": ("Annotation", "AnnotationSpec", "AnnotationWorklist", "Project", "Resource", "User"),
    "datamint_like.exceptions": (
        "CacheError",
        "DatamintDatasetException",
        "DatamintException",
        "DecodeError",
        "GeometryError",
        "ItemNotFoundError",
        "MissingExtraError",
        "PatientLeakageWarning",
        "PrefetchError",
        "StorageError",
        "ValidationError",
    ),
    "datamint_like.imaging.affine": ("Affine",),
}
_LAZY = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Affine",
    "Annotation",
    "AnnotationSpec",
    "AnnotationWorklist",
    "Api",
    "CacheError",
    "DatamintBaseDataset",
    "DatamintDatasetException",
    "DatamintException",
    "Dataset",
    "DecodeError",
    "GeometryError",
    "ImageDataset",
    "ItemNotFoundError",
    "MissingExtraError",
    "MultiFrameDataset",
    "PatientLeakageWarning",
    "PrefetchError",
    "Project",
    "Resource",
    "Settings",
    "SlicedVideoDataset",
    "SlicedVolumeDataset",
    "StorageError",
    "User",
    "ValidationError",
    "VideoDataset",
    "VolumeDataset",
    "__version__",
    "load_settings",
]


def __getattr__(name: str) -> Any:
    """The lazy name, imported from its home on first use."""
    home = _LAZY.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from datamint_like._lazy import imported

    value = imported(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Every public name, loaded or not."""
    return sorted({*globals(), *__all__})
