"""One store of real images, annotated by two people, that the dataset tests read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamint_like.backends import open_backend
from datamint_like.backends.base import Backend, NewAnnotation, NewProject, NewResource
from datamint_like.dataset import SlicedVolumeDataset, VolumeDataset
from datamint_like.entities import AnnotationSpec, Resource, SegmentationClass
from datamint_like.imaging import encode_frame_mask, encode_volume_mask, facts_of, reading, turn_of

ANA, BEN = "ana@lab.example", "ben@lab.example"
TEMPLATE = NewAnnotation(type="segmentation", identifier="")


@dataclass(frozen=True)
class Shelf:
    """The store, its two projects and their resources.

    `mixed` holds everything: an even CT series, an uneven CT series, two radiographs, an ultrasound clip.
    """

    url: str
    backend: Backend
    philips: Resource
    ge: Resource
    xray: Resource
    plain_xray: Resource
    clip: Resource


def canonical_mask(resource: Resource, fill: Callable[[np.ndarray], None]) -> bytes:
    """A mask payload drawn in canonical (D, H, W) axes."""
    facts = facts_of(resource)
    assert facts is not None
    stored = np.zeros(facts.shape, np.uint8)
    fill(turn_of(facts).array(stored))
    return encode_volume_mask(stored, facts)


def slices_of(shelf: Shelf, cache: Path, **options: Any) -> SlicedVolumeDataset:
    """The axial slices of the even CT series, packed in `cache`."""
    return VolumeDataset(resources=[shelf.philips], server_url=shelf.url, cache_dir=cache, **options).slice("axial")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files of every decoding in this process."""
    names: list[str] = []
    plain = reading._decoded

    def counted(files: Any, *rest: Any) -> Any:
        names.append(files[0].name)
        return plain(files, *rest)

    monkeypatch.setattr(reading, "_decoded", counted)
    return names


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory, demo_images: Path) -> Shelf:
    """A store with the project `mixed`, annotated by Ana and Ben."""
    backend = open_backend((tmp_path_factory.mktemp("shelf") / "store").as_uri())

    def upload(*paths: Path, name: str, tags: tuple[str, ...] = ()) -> Resource:
        return backend.create_resource(NewResource(paths=paths, filename=name, publish=True, tags=tags))

    philips = upload(*sorted((demo_images / "ct_philips").iterdir()), name="philips.dcm", tags=("ct", "even"))
    ge = upload(*sorted((demo_images / "ct_ge").iterdir()), name="ge.dcm", tags=("ct",))
    xray = upload(demo_images / "xray" / "nih_00000001_000.png", name="one.png", tags=("xray",))
    plain = upload(demo_images / "xray" / "nih_00027426_000.png", name="two.png", tags=("xray",))
    clip = upload(demo_images / "ultrasound" / "examples_ybr_color.dcm", name="clip.dcm")
    backend.create_project(
        NewProject(
            name="mixed",
            resource_ids=tuple(r.id for r in (philips, ge, xray, plain, clip)),
            annotations=(
                AnnotationSpec(type="label", identifier="contrast", scope="image"),
                AnnotationSpec(type="label", identifier="artefact", scope="image"),
                AnnotationSpec(type="label", identifier="motion", scope="frame"),
                AnnotationSpec(type="category", identifier="view", scope="image", values=("pa", "lateral")),
            ),
            segmentation_group={
                "soft": SegmentationClass(color=(200, 80, 60), index=1),
                "bone": SegmentationClass(color=(240, 230, 200), index=2),
            },
        )
    )
    _annotate(backend, philips, xray)
    return Shelf(backend.url, backend, philips, ge, xray, plain, clip)


def _annotate(backend: Backend, philips: Resource, xray: Resource) -> None:
    def box(array: np.ndarray) -> None:
        array[4:20, 30:60, 40:90] = 1
        array[10:14, 70:100, 20:30] = 2

    def smaller_box(array: np.ndarray) -> None:
        array[6:18, 35:55, 45:85] = 1

    ana = NewAnnotation(type="segmentation", identifier="", author=ANA)
    ben = NewAnnotation(type="segmentation", identifier="", author=BEN)
    names = {1: "soft", 2: "bone"}
    backend.upload_volume_mask(philips.id, canonical_mask(philips, box), names, ana)
    backend.upload_volume_mask(philips.id, canonical_mask(philips, smaller_box), {1: "soft"}, ben)
    left = np.zeros((512, 512), np.uint8)
    left[100:300, 50:200] = 1
    backend.create_annotations(
        philips.id,
        [
            NewAnnotation(type="label", identifier="contrast", author=ANA),
            NewAnnotation(type="label", identifier="contrast", author=BEN),
            NewAnnotation(type="label", identifier="artefact", author=BEN),
            NewAnnotation(type="label", identifier="motion", scope="frame", frame_index=3, author=ANA),
        ],
    )
    backend.create_annotations(
        xray.id,
        [
            NewAnnotation(
                type="segmentation",
                identifier="soft",
                scope="frame",
                frame_index=0,
                author=ANA,
                payload=encode_frame_mask(left),
                payload_name="soft",
            ),
            NewAnnotation(type="category", identifier="view", value="pa", author=ANA),
            NewAnnotation(type="category", identifier="view", value="lateral", author=BEN),
        ],
    )
