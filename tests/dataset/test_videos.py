"""From a video file to a batch: import, masks of frames, items, workers, and the same bytes again."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from datamint_like import Api, VideoDataset
from datamint_like.cli.main import main
from tests.imaging.video_files import numbered, numbers_of

KINDS = (("clip.mp4", "libx264", {"encode": {"bf": "3"}}), ("clip.avi", "mjpeg", {"pixels": "yuvj420p"}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "videos").mkdir()
    for name, codec, options in KINDS:
        numbered(tmp_path / "videos" / name, codec, 12, **options)
    return tmp_path / "videos"


@pytest.fixture
def project(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["import", str(folder), "--project", "cine"]) == 0
    assert "2" in capsys.readouterr().out
    return "cine"


def test_an_imported_video_is_an_item_of_all_its_frames(project: str) -> None:
    dataset = VideoDataset(project=project)
    assert len(dataset) == 2
    for item in dataset:
        image = item["image"]
        assert (image.shape, image.dtype) == ((3, 12, 48, 64), torch.uint8)
        assert numbers_of(image.numpy()) == list(range(12))
        assert item["metainfo"]["kind"] == "video"
        assert item["metainfo"]["header"]["frame_rate"] == pytest.approx(25)


def test_a_video_has_the_metadata_and_names_that_clients_read(project: str) -> None:
    with Api() as api:
        found = {each.filename: each for each in api.projects.get_project_resources(project)}
    for name, mimetype in (("clip.mp4", "video/mp4"), ("clip.avi", "video/x-msvideo")):
        resource = found[name]
        assert (resource.mimetype, resource.storage) == (mimetype, "VideoResource")
        assert [resource.metadata[key] for key in ("frame_count", "width", "height")] == [12, 64, 48]


def test_masks_of_frames_lie_on_their_frames(project: str) -> None:
    with Api() as api:
        resource = next(each for each in api.projects.get_project_resources(project) if each.filename == "clip.mp4")
        for frame in (2, 11):
            mask = np.zeros((48, 64), np.uint8)
            mask[frame : frame + 3, 5:9] = 1
            api.annotations.upload_segmentations(
                resource, mask, name="vessel", frame_index=frame, author_email="ana@lab.example"
            )
    dataset = VideoDataset(project=project, include_unannotated=False)
    masks = dataset[0]["segmentations"]["ana@lab.example"]
    assert masks.shape == (1, 12, 48, 64)
    assert [frame for frame in range(12) if masks[0, frame].any()] == [2, 11]
    for frame in (2, 11):
        assert masks[0, frame].sum() == masks[0, frame, frame : frame + 3, 5:9].sum() == 12


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_return_what_the_main_process_returns(project: str, start: str) -> None:
    dataset = VideoDataset(project=project)
    expected = torch.stack([item["image"] for item in dataset])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork of a process with threads
        loader = dataset.get_dataloader(batch_size=1, num_workers=2, multiprocessing_context=start)
        found = torch.cat([batch["image"] for batch in loader])
    assert torch.equal(found, expected)


def test_a_video_downloads_byte_for_byte_or_as_its_frames(project: str, folder: Path, tmp_path: Path) -> None:
    with Api() as api:
        for resource in api.projects.get_project_resources(project):
            frames, saved = api.resources.download_resource_file(resource, tmp_path / "again", add_extension=True)
            assert saved.endswith(Path(resource.filename).suffix)
            assert Path(saved).read_bytes() == (folder / resource.filename).read_bytes()
            assert (frames.shape, frames.dtype) == ((12, 48, 64, 3), np.uint8)
            assert numbers_of(np.moveaxis(frames, -1, 0)) == list(range(12))


def test_the_masks_of_the_real_clip_lie_on_what_is_bright(real_data: Path, tmp_path: Path) -> None:
    packed = np.load(real_data / "derived" / "video" / "us_cine_mask.npz")
    masks = np.unpackbits(packed["mask"], axis=-1)[..., : packed["shape"][-1]]
    with Api() as api:
        api.projects.create("ultrasound", "cine")
        resource = api.resources.upload_resource(real_data / "derived" / "video" / "us_cine.mp4")
        api.projects.add_resources([resource], "ultrasound")
        for frame, mask in enumerate(masks):
            api.annotations.upload_segmentations(resource, mask, name="tissue", frame_index=frame)
    item = VideoDataset(project="ultrasound")[0]
    (found,) = item["segmentations"].values()
    assert torch.equal(found[0], torch.from_numpy(masks))
    brightness = item["image"].amax(dim=0).float()
    assert brightness[found[0] == 1].mean() > 2 * brightness[found[0] == 0].mean()
