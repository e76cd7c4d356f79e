"""A frame is exactly the cut of its video: pixels, masks and labels, whichever class or part it is reached by."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datamint_like.api import Api
from datamint_like.dataset import ImageDataset, SlicedVideoDataset, VideoDataset
from datamint_like.exceptions import DatamintDatasetException, PatientLeakageWarning
from tests.dataset.conftest import ANA, BEN, Shelf


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, demo_images: Path) -> dict[str, Any]:
    """Two copies of the ultrasound clip, the first with frame masks and labels of two people."""
    api = Api(server_url=(tmp_path_factory.mktemp("clips") / "store").as_uri())
    clip = demo_images / "ultrasound" / "examples_ybr_color.dcm"
    first, _ = (api.resources.upload_resource(clip, tags=[tag], publish=True) for tag in ("a", "b"))
    api.projects.create("echo", resources_ids=[each.id for each in api.resources.get_list()])
    left = np.zeros((240, 320), np.uint8)
    left[50:90, 20:70] = 1
    for frame in (3, 4, 9):
        api.annotations.upload_segmentations(
            first, left * (1 + frame % 2), {1: "wall", 2: "lumen"}, frame_index=frame, author_email=ANA
        )
    api.annotations.upload_segmentations(first, left[::-1].copy(), "wall", frame_index=4, author_email=BEN)
    api.annotations.add_label_annotation(first, "blurred", frame_index=4, author_email=ANA)
    return {"project": "echo", "server_url": api.server_url}


def test_frames_equal_the_cut_of_their_video(clips: dict[str, Any]) -> None:
    videos = VideoDataset(**clips, worklists=None)
    frames, whole = videos.frame_by_frame(), videos[0]
    assert len(frames) == 60
    assert whole["segmentations"][ANA].shape == (2, 30, 240, 320)
    for n in (0, 3, 4, 9, 29):
        item = frames[n]
        assert torch.equal(item["image"], whole["image"][:, n])
        assert item["image"].dtype == torch.uint8
        assert item["resource"].frame_index == n
        assert item["resource"].slice_index is None
        for author in (ANA, BEN):
            assert item["segmentations"][author].dtype == torch.uint8
            assert torch.equal(item["segmentations"][author], whole["segmentations"][author][:, n])
            assert torch.equal(item["seg_labels"][author], whole["seg_labels"][author])
        assert item["frame_labels"][ANA].tolist() == whole["frame_labels"][ANA][n].tolist() == [int(n == 4)]
    assert [a.frame_index for a in frames[9]["annotations"]] == [9]
    assert frames[34]["segmentations"] == {}


def test_a_dataset_of_frames_can_be_made_directly_split_filtered_and_pickled(clips: dict[str, Any]) -> None:
    frames = SlicedVideoDataset(**clips)
    assert len(frames) == 60
    assert "SlicedVideoDataset" in repr(frames)
    with pytest.warns(PatientLeakageWarning):  # both clips are of one patient
        parts = frames.split(train=0.5, val=0.5, seed=1)
    assert sorted(len(part) for part in parts.values()) == [30, 30]
    assert len({item["resource"].id for item in parts["train"].subset([0, 29])}) == 1
    assert len(frames.filter(tags=["b"])) == 30
    twin = pickle.loads(pickle.dumps(frames))
    assert torch.equal(twin[31]["image"], frames[31]["image"])
    assert torch.equal(frames[-1]["image"], frames[59]["image"])


@pytest.mark.parametrize("workers", [0, 2])
def test_frames_feed_a_loader(clips: dict[str, Any], workers: int) -> None:
    semantic = {"return_as_semantic_segmentation": True, "semantic_seg_merge_strategy": "union", "worklists": None}
    frames = SlicedVideoDataset(**clips, **semantic)
    batch = next(iter(frames.get_dataloader(batch_size=8, num_workers=workers)))
    assert batch["image"].shape == (8, 3, 240, 320)
    assert batch["segmentations"].shape == (8, 3, 240, 320)
    assert torch.equal(batch["segmentations"][4], VideoDataset(**clips, **semantic)[0]["segmentations"][:, 4])


def test_only_videos_have_frames(shelf: Shelf) -> None:
    images = ImageDataset(resources=[shelf.xray], server_url=shelf.url)
    with pytest.raises(DatamintDatasetException, match="Only a dataset of videos can be cut into a SlicedVideoDataset"):
        SlicedVideoDataset.from_dataset(images)
    videos = VideoDataset(resources=[shelf.clip], server_url=shelf.url)
    with pytest.raises(DatamintDatasetException, match="not a SlicedVideoDataset"):
        SlicedVideoDataset.from_dataset(videos.frame_by_frame())
