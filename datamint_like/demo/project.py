"""The shipped images as a project of a store: two CT series, three radiographs and an ultrasound clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamint_like.api import Api
from datamint_like.dataset import VolumeDataset
from datamint_like.demo.masks import ANNOTATOR_A, ANNOTATORS, CLASSES, COLOURS, label_map
from datamint_like.entities import AnnotationWorklist, Project

IMAGES = Path(__file__).resolve().parent / "images"
PROJECT = "demo"
_DESCRIPTION = "Shipped real images with synthetic masks. Not for clinical use."
_CT_FOLDERS = ("ct_ge", "ct_philips")


@dataclass(frozen=True)
class _Flat:
    """A shipped 2-D image, its label, and its mask where it has one."""

    file: str
    label: str
    mask: str | None = None


_RADIOGRAPHS = (
    _Flat("nih_00000001_000.png", "chest", "nih_00000001_000_mask.png"),
    _Flat("nih_00027426_000.png", "chest", "nih_00027426_000_mask.png"),
    _Flat("cr_16bit.png", "leg"),
)


@dataclass(frozen=True)
class DemoProject:
    """The demo's project.

    Attributes:
        project: The project.
        tissue: The worklist that declares the two tissue classes of the CT series.
        reused: Whether it was in the store before.
    """

    project: Project
    tissue: AnnotationWorklist
    reused: bool


def ensure_project(store_url: str, say: Callable[[str], None]) -> DemoProject:
    """The demo's project, built where the store has none.

    Resources join the project last, when all their annotations are stored: a run that was interrupted leaves an
    empty project, which the next one fills.
    """
    with Api(server_url=store_url) as api:
        project = api.projects.create(PROJECT, description=_DESCRIPTION, exists_ok=True)
        tissue = _worklists(api, project)
        if project.resource_count:
            say(f"The project {PROJECT!r} is in the store already: reusing its {project.resource_count} resources.")
        else:
            _fill(api, project, say)
        return DemoProject(project, tissue, reused=project.resource_count > 0)


def _fill(api: Api, project: Project, say: Callable[[str], None]) -> None:
    say("Importing the shipped images: two CT series, three radiographs, an ultrasound clip ...")
    volumes = _import_ct(api)
    resources = [*volumes, *_import_radiographs(api), _import_clip(api)]
    say("Making synthetic masks of soft tissue and bone for both CT series, by two annotators ...")
    _annotate_ct(api, volumes)
    api.projects.add_resources(resources, project)


def _worklists(api: Api, project: Project) -> AnnotationWorklist:
    """Declare what annotators may give, in two worklists; that of the CT series."""
    api.annotationsets.create(
        "radiographs",
        annotations=[{"type": "category", "identifier": "view", "values": ["frontal", "lateral"]}],
        image_labels=["chest", "leg"],
        segmentation_data={"definitions": [{"identifier": "lung", "index": len(CLASSES) + 1}]},
        project=project,
        exists_ok=True,
    )
    classes = [{"identifier": name, "index": code, "color": COLOURS[name]} for code, name in CLASSES.items()]
    tissue = api.annotationsets.create(
        "tissue", segmentation_data={"definitions": classes}, project=project, exists_ok=True
    )
    assert isinstance(tissue, AnnotationWorklist)
    return tissue


def _import_ct(api: Api) -> list[str]:
    """Both CT series, each one resource made of its original files."""
    ids: list[str] = []
    for folder in _CT_FOLDERS:
        made = api.resources.upload_resources(str(IMAGES / folder), tags=["ct"], publish=True, progress_bar=False)
        ids += made.resource_ids
    return ids


def _import_radiographs(api: Api) -> list[str]:
    """The radiographs, with a label, a category and, for the chest, weak masks of the lungs."""
    ids = []
    for image in _RADIOGRAPHS:
        resource = api.resources.upload_resource(
            str(IMAGES / "xray" / image.file), tags=["xray"], publish=True, modality="CR"
        )
        author = ANNOTATOR_A.email
        api.annotations.add_label_annotation(resource, image.label, author_email=author)
        api.annotations.create_image_classification(resource, "view", "frontal", author_email=author)
        if image.mask:
            mask = str(IMAGES / "xray" / image.mask)
            api.annotations.upload_segmentations(resource, mask, name="lung", frame_index=0, author_email=author)
        ids.append(resource)
    return ids


def _import_clip(api: Api) -> str:
    clip = IMAGES / "ultrasound" / "examples_ybr_color.dcm"
    return api.resources.upload_resource(str(clip), tags=["ultrasound"], publish=True)


def _annotate_ct(api: Api, resources: list[str]) -> None:
    """Masks of every annotator for every CT, made from its values in Hounsfield units."""
    volumes = VolumeDataset(
        resources=resources,
        server_url=api.server_url,
        return_segmentations=False,
        irregular_spacing="keep",
    )
    for index, resource in enumerate(resources):
        hu = np.asarray(volumes[index]["image"][0])
        for annotator in ANNOTATORS:
            api.annotations.upload_volume_segmentation(
                resource, label_map(hu, annotator), name=CLASSES, axes="dhw", author_email=annotator.email
            )
