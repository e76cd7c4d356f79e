"""`VideoDataset` over a project, and its frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.imaging.video_files import number_of, numbers_of
from tests.interop.tour.guide import ANA, NEW, VIDEOS, Tour, agree, raises, step
from tests.interop.tour.images import masks_of


def _dataset(**options: Any) -> Any:
    from datamint.dataset import VideoDataset

    return VideoDataset(project=VIDEOS, **options)


@step("after")
def items(tour: Tour) -> None:
    item = _dataset()[0]
    image = np.asarray(item["image"])
    agree((image.shape, image.dtype, numbers_of(image)), ((3, 8, 48, 64), np.uint8, list(range(8))))
    masks = np.asarray(masks_of(tour, item)[ANA])
    if tour.is_old:  # which takes a mask of a frame for one of the whole image
        agree((masks.shape, masks.sum(axis=(1, 2, 3)).tolist()), ((2, 1, 48, 64), [40, 80]))
    else:
        agree((masks.shape, masks.sum(axis=(0, 2, 3)).tolist()), ((1, 8, 48, 64), [0, 40, 0, 80, 0, 0, 0, 0]))


@step("after", clients=(NEW,))
def frames(tour: Tour) -> None:
    """Items of frames lack an attribute in both clients, whatever the server."""
    frames = _dataset().frame_by_frame()
    agree(len(frames), 8)
    raises(AttributeError, lambda: frames[3])
    agree(number_of(np.asarray(frames.resources[3].fetch_frame_data())), 3)
