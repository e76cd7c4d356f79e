"""Downloads: the bytes that were uploaded, and frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.imaging.video_files import number_of
from tests.interop.tour.guide import PICTURES, Tour, agree, step

_UPLOADED = {"png": "chest.png", "jpeg": "chest.jpg", "deep": "deep.png", "nifti": "brain.nii.gz", "video": "clip.mp4"}


@step("after")
def equal_bytes(tour: Tour) -> None:
    for name, file in _UPLOADED.items():
        found = tour.api.resources.download_resource_file(tour.id(name), auto_convert=False)
        agree(found == Path(tour.file(file)).read_bytes(), True, file)


@step("after")
def several_to_a_folder(tour: Tour) -> None:
    folder = tour.scratch / "downloads"
    folder.mkdir(exist_ok=True)
    resources = [tour.resource("png"), tour.resource("nifti")]
    paths = tour.api.resources.download_multiple_resources(resources, str(folder), add_extension=True)
    sizes = sorted(Path(each).stat().st_size for each in paths)
    agree(sizes, sorted((tour.files / each).stat().st_size for each in ("chest.png", "brain.nii.gz")))


@step("after")
def a_whole_project(tour: Tour) -> None:
    tour.project(PICTURES).cache_resources(progress_bar=False)
    agree([each.is_cached() for each in tour.project(PICTURES).fetch_resources()], [True] * 4)


@step("after")
def converted(tour: Tour) -> None:
    api = tour.api.resources
    agree(api.download_resource_file(tour.resource("png")).size, (512, 512))
    agree(api.download_resource_file(tour.resource("dicom")).Modality, "CT")
    agree(api.download_resource_file(tour.resource("nifti")).shape, (12, 10, 6))


@step("after")
def the_series_as_one_file(tour: Tour) -> None:
    dataset = tour.api.resources.download_resource_file(tour.resource("series"))
    agree((int(dataset.NumberOfFrames), dataset.pixel_array.shape), (5, (5, 128, 128)))


@step("after")
def frames(tour: Tour) -> None:
    for index in (0, 5):
        frame = np.asarray(tour.api.resources.download_resource_frame(tour.id("video"), index).convert("RGB"))
        agree((frame.shape, number_of(np.moveaxis(frame, -1, 0))), ((48, 64, 3), index))
    frame = tour.api.resources.download_resource_frame(tour.id("series"), 4)
    agree(frame.size, (128, 128))
    agree(isinstance(tour.api.resources.download_resource_frame(tour.id("png"), 0), Image.Image), True)
