"""The examples of the published dataset page run here with another package name, and give what it says they give."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from datamint_like import Api
from datamint_like.exceptions import DatamintWarning, PatientLeakageWarning

pytestmark = pytest.mark.filterwarnings(f"ignore::{PatientLeakageWarning.__module__}.PatientLeakageWarning")


@pytest.fixture(autouse=True)
def projects(demo_images: Path) -> Api:
    """The projects that the examples name, in the configured store."""
    api = Api()
    folder = demo_images / "xray"
    xrays = [
        api.resources.upload_resource(path, tags=[tag, f"copy{n}"], publish=True)
        for n in range(2)
        for path, tag in (
            (folder / "nih_00000001_000.png", "ultrasound"),
            (folder / "nih_00027426_000.png", "busi"),
        )
    ]
    volume = api.resources.upload_resource(demo_images / "ct_philips")
    clip = api.resources.upload_resource(demo_images / "ultrasound" / "examples_ybr_color.dcm")
    api.projects.create("my_ct_project", resource_ids=[volume])
    api.projects.create("my_ultrasound_project", resource_ids=[clip])
    chest = api.projects.create("my-project", resource_ids=xrays)
    api.projects.assign_splits(chest, xrays[:3], "train")
    api.projects.assign_splits(chest, xrays[3:], "val")
    api.annotations.add_label_annotation(xrays[1], "normal")
    return api


def run(code: str) -> tuple[dict[str, Any], list[str]]:
    """The names that the example leaves behind, and the lines that it prints."""
    names: dict[str, Any] = {}
    with redirect_stdout(io.StringIO()) as printed:
        exec(code, names)
    return names, printed.getvalue().splitlines()


def test_classes_come_from_the_dataset_module() -> None:
    names, _ = run("from datamint_like.dataset import ImageDataset, VolumeDataset, VideoDataset")
    assert {"ImageDataset", "VolumeDataset", "VideoDataset"} <= set(names)


def test_project_splits_are_replayed_and_local_ones_forced() -> None:
    names, _ = run("""
from datamint_like.dataset import ImageDataset

dataset = ImageDataset(project="my-project", include_unannotated=True)

# Project-backed datasets prefer project-scoped assignments.
project_parts = dataset.split()

# Persist and replay the exact historical snapshot later.
snapshot = project_parts["train"].split_as_of_timestamp
replayed_parts = dataset.split(as_of_timestamp=snapshot)

# Force an ad hoc local split instead.
local_parts = dataset.split(train=0.8, val=0.2, seed=42)
""")
    assert {name: len(part) for name, part in names["project_parts"].items()} == {"train": 3, "val": 1}
    for name, part in names["replayed_parts"].items():
        assert part.fingerprint == names["project_parts"][name].fingerprint
        assert (part.split_name, part.split_source) == (name, "project_api")
        assert part.split_as_of_timestamp == names["snapshot"]
    assert {part.split_source for part in names["local_parts"].values()} == {"local"}
    assert {name: len(part) for name, part in names["local_parts"].items()} == {"train": 3, "val": 1}


def test_split_modes_are_inferred_or_named() -> None:
    with pytest.warns(DatamintWarning, match="Nothing is in the part 'test'"):  # of four images
        names, _ = run("""
from datamint_like.dataset import ImageDataset
dataset = ImageDataset(project="my-project")

# Local split
parts = dataset.split(train=0.7, val=0.15, test=0.15, seed=42)
train_ds = parts['train']
local = parts

# Project-scoped split
parts = dataset.split()
inferred = parts

# Explicit override
parts = dataset.split(use_project_splits=True)
""")
    assert [len(part) for part in names["local"].values()] == [3, 1, 0]
    assert {n: part.split_source for n, part in names["inferred"].items()} == {
        n: part.split_source for n, part in names["parts"].items()
    }


def test_filters_chain_and_split() -> None:
    with pytest.warns(DatamintWarning, match="Nothing is in the part 'test'"):  # of two images
        names, _ = run("""
from datamint_like.dataset import ImageDataset
dataset = ImageDataset(project="my-project", worklists=None)
filtered = dataset.filter(tags=['busi']).filter(has_annotations=True)
parts = dataset.filter(tags=['ultrasound']).split(train=0.8, test=0.2)
""")
    assert len(names["filtered"]) == 1
    assert sum(len(part) for part in names["parts"].values()) == 2


def test_volumes_are_sliced() -> None:
    _, printed = run("""
from datamint_like.dataset import VolumeDataset
vol_ds = VolumeDataset(project='my_ct_project')
sliced = vol_ds.slice(axis='axial')
print(len(sliced))  # total number of axial slices across all volumes
item = sliced[0]
print(item['image'].shape)  # (C, H, W)
""")
    assert printed == ["32", "torch.Size([1, 128, 128])"]


def test_videos_are_taken_frame_by_frame() -> None:
    _, printed = run("""
from datamint_like.dataset import VideoDataset
ds = VideoDataset(project='my_ultrasound_project')
item = ds[0]
print(item['image'].shape)  # (C, N, H, W)

# Iterate frame-by-frame
frame_ds = ds.frame_by_frame()
print(frame_ds[0]['image'].shape)  # (C, H, W)

vid_ds = VideoDataset(project='my_ultrasound_project')
frame_ds = vid_ds.frame_by_frame()
print(len(frame_ds))  # total number of frames across all videos
item = frame_ds[0]
print(item['image'].shape)  # (C, H, W)
""")
    whole, frame, count, again = printed
    assert whole == f"torch.Size([3, {count}, 240, 320])"
    assert frame == again == "torch.Size([3, 240, 320])"


@pytest.mark.filterwarnings("ignore:DatamintDataset is deprecated:DeprecationWarning")
def test_the_deprecated_dataset_comes_from_the_root() -> None:
    names, _ = run("""
from datamint_like import Dataset
dataset = Dataset("my_ct_project")
""")
    assert len(names["dataset"]) == 1
