"""Masks of real images, as a published client sends them, in the items that a dataset gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import httpx
import nibabel as nib
import numpy as np
import pytest

from datamint_like import VideoDataset, VolumeDataset
from datamint_like.testing.samples import project_of, upload
from tests.serving import Served

NAMES = {"1": "gray matter", "2": "white matter"}


@pytest.mark.parametrize("bare", [False, True], ids=["a file with its place", "an array"])
def test_an_oblique_label_map_lies_where_its_volume_lies(
    server: Served, admin: httpx.Client, real_data: Path, bare: bool
) -> None:
    folder = real_data / "derived" / "nifti"
    volume = upload(server.store, folder / "mni_2mm_oblique_t1.nii.gz")
    project_of(server.store, volume, name="Brain")
    image: Any = nib.load(folder / "mni_2mm_oblique_label.nii.gz")  # type: ignore[attr-defined]
    labels = np.asarray(image.dataobj).astype(np.uint8)
    sent = nib.Nifti1Image(labels, np.eye(4) if bare else image.affine).to_bytes()
    answer = admin.post(
        f"/annotations/{volume.id}/segmentations/file",
        files={"file": ("segmentation.nii", sent, "application/nifti")},
        data={"segmentation_map": json.dumps(NAMES)},
    )
    assert answer.status_code == 201, answer.text
    item = VolumeDataset(project="Brain", server_url=server.store.url, orientation="native")[0]
    (masks,) = item["segmentations"].values()
    assert [int(mask.sum()) for mask in masks] == [int((labels == 1).sum()), int((labels == 2).sum())]
    np.testing.assert_array_equal(masks[0].numpy(), (labels == 1).transpose(2, 1, 0))


def test_masks_of_frames_of_a_video_come_back_frame_by_frame(
    server: Served, admin: httpx.Client, real_data: Path
) -> None:
    folder = real_data / "derived" / "video"
    video = upload(server.store, folder / "us_cine.mp4")
    project_of(server.store, video, name="Heart")
    expected = _packed_masks(folder / "us_cine_mask.npz")[:4]
    for frame, mask in enumerate(expected):
        item = {"type": "segmentation", "identifier": "tissue", "scope": "frame", "frame_index": frame}
        (made,) = admin.post(f"/annotations/{video.id}/annotations", json=[item]).json()
        content = cv2.imencode(".png", mask.astype(np.uint8) * 255)[1].tobytes()
        place = f"/annotations/{video.id}/annotations/{made}/file"
        assert admin.post(place, files={"file": ("tissue", content, "image/png")}).status_code == 200
    (masks,) = VideoDataset(project="Heart", server_url=server.store.url)[0]["segmentations"].values()
    np.testing.assert_array_equal(masks[0, :4].numpy(), expected)
    assert not masks[0, 4:].any()


def _packed_masks(file: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with np.load(file) as saved:
        frames, rows, columns = saved["shape"]
        return np.unpackbits(saved["mask"], axis=2)[:frames, :rows, :columns]
