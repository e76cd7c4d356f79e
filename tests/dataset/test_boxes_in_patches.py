"""Boxes of patches: those of the planes that a patch crosses, clipped to what it holds of its volume."""

from __future__ import annotations

from typing import Any

import albumentations as A  # noqa: N812 -- its users' name for it
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datamint_like import Api
from datamint_like.dataset import VolumeDataset
from datamint_like.dataset.boxes import box_targets, patch_box_targets
from datamint_like.dataset.locations import Location, at
from datamint_like.exceptions import DatamintDatasetException
from datamint_like.imaging import place_of, turn_of
from datamint_like.imaging.affine import Affine
from datamint_like.imaging.types import HeaderFacts, Orientation
from tests.dataset.conftest import ANA, BEN
from tests.dataset.drawn_boxes import AFFINES, BOXES, SHAPE, SPACE, pixel_boxes, square

ORIENTATIONS = st.sampled_from(["canonical", "native"])
#: Where a patch starts and how far it reaches; with `fitting` it may also enclose the volume.
PLACES = st.tuples(st.tuples(*[st.integers(0, 8)] * 3), st.tuples(*[st.integers(1, 13)] * 3))


def fitting(place: Any, shape: tuple[int, ...]) -> Location:
    """A patch that lies in the volume along each axis, or encloses it there."""
    starts, size = place
    return at(
        [
            -((n - whole) // 2) if n >= whole else min(start, whole - n)
            for start, n, whole in zip(starts, size, shape, strict=True)
        ],
        size,
    )


def cropped(array: np.ndarray, location: Location) -> np.ndarray:
    """The patch of an array, background beyond it."""
    padded = np.pad(array, 20)
    return padded[tuple(slice(start + 20, stop + 20) for start, stop in location)]


def pixels_of(item: dict[str, Any], number: int, shape: tuple[int, ...]) -> np.ndarray:
    """The voxels of a patch whose centres lie in one of its boxes."""
    axis, index = item["box_planes"][ANA][number].tolist()
    x1, y1, x2, y2 = item["boxes"][ANA][number].tolist()
    grid = np.moveaxis(np.indices(shape), 0, -1)
    y, x = (n for n in range(3) if n != axis)
    in_plane = (grid[..., axis] == index) | (index == -1)
    inside = (x1 <= grid[..., x]) & (grid[..., x] <= x2) & (y1 <= grid[..., y]) & (grid[..., y] <= y2)
    found: np.ndarray = in_plane & inside
    return found


@given(affine=AFFINES, box=pixel_boxes(), orientation=ORIENTATIONS, place=PLACES, framed=st.booleans())
@settings(deadline=None, max_examples=200)
def test_a_box_of_a_patch_has_the_voxels_that_the_patch_has_of_its_mask(
    affine: Affine, box: tuple[int, int, int, int, int], orientation: Orientation, place: Any, framed: bool
) -> None:
    frame, x1, y1, x2, y2 = box
    facts = HeaderFacts("nifti", "volume", "application/nifti", 1, SHAPE, "int16", affine)
    mask = np.zeros(SHAPE, np.uint8)
    mask[slice(frame, frame + 1) if framed else slice(None), y1 : y2 + 1, x1 : x2 + 1] = 1
    turned = turn_of(facts, orientation).array(mask)
    location = fitting(place, turned.shape)
    drawn = [square([(x1, y1), (x2, y2)], "pixel", frame if framed else None)]
    item = patch_box_targets(drawn, SPACE, BOXES, place_of(facts, orientation), orientation, location=location)
    there = cropped(turned, location)
    assert len(item["boxes"][ANA]) == len(item["box_labels"][ANA]) == len(item["box_planes"][ANA]) == there.any()
    if there.any():
        volume = cropped(np.ones_like(turned), location)  # a box of every plane says so of padding too
        np.testing.assert_array_equal(pixels_of(item, 0, there.shape) & (volume > 0), there > 0)


@given(affine=AFFINES, orientation=ORIENTATIONS, place=PLACES, axis=st.integers(0, 2), data=st.data())
@settings(deadline=None, max_examples=200)
def test_boxes_of_patches_are_those_of_the_volume_cut_at_the_edges_of_its_voxels(
    affine: Affine, orientation: Orientation, place: Any, axis: int, data: st.DataObject
) -> None:
    facts = HeaderFacts("nifti", "volume", "application/nifti", 1, SHAPE, "int16", affine)
    lies = place_of(facts, orientation)
    assert lies.affine is not None
    shape = turn_of(facts, orientation).shape(SHAPE)
    drawn = []
    for _ in range(3):
        ends = [sorted(data.draw(st.tuples(*[st.floats(-3, n + 2)] * 2))) for n in shape]
        low, high = np.array(ends).T
        low[axis] = high[axis] = data.draw(st.integers(0, shape[axis] - 1))
        rest = [n for n in range(3) if n != axis]
        if any(high[n] - low[n] < 0.2 or high[n] < 0 or low[n] > shape[n] - 1 for n in rest):
            continue
        corners = [(lies.affine.matrix @ [*corner, 1])[:3] * (-1, -1, 1) for corner in (low, high)]
        drawn.append(square([corner.tolist() for corner in corners], "patient"))
    location = fitting(place, shape)
    whole = box_targets(drawn, SPACE, BOXES, lies, orientation)
    item = patch_box_targets(drawn, SPACE, BOXES, lies, orientation, location=location)
    expected_boxes, expected_planes = [], []
    for box, (across, index) in zip(
        whole["boxes"].get(ANA, np.zeros((0, 4))).tolist(),
        whole["box_planes"].get(ANA, np.zeros((0, 2))).tolist(),
        strict=True,
    ):
        rows, columns = (n for n in range(3) if n != across)
        edges = [(max(0, start) - 0.5, min(shape[n], stop) - 0.5) for n, (start, stop) in enumerate(location)]
        x1, x2 = max(box[0], edges[columns][0]), min(box[2], edges[columns][1])
        y1, y2 = max(box[1], edges[rows][0]), min(box[3], edges[rows][1])
        if edges[across][0] < index < edges[across][1] and x1 < x2 and y1 < y2:
            first = [start for start, _ in location]
            expected_boxes.append(
                [x1 - first[columns], y1 - first[rows], x2 - first[columns], y2 - first[rows]],
            )
            expected_planes.append([across, index - first[across]])
    if drawn:
        assert item["box_planes"][ANA].tolist() == expected_planes
        np.testing.assert_allclose(item["boxes"][ANA], np.reshape(expected_boxes, (-1, 4)), atol=1e-5)
    assert list(item["boxes"]) == list(whole["boxes"])


def test_a_box_that_a_patch_only_touches_leaves() -> None:
    facts = HeaderFacts("nifti", "volume", "application/nifti", 1, SHAPE, "int16")
    drawn = [square([(1, 1), (3.5, 5.5)], "pixel", 2)]
    for start, held in ((3, [[-0.5, 0, 0.5, 4.5]]), (4, [])):
        location = at((0, 1, start), (5, 6, 4))
        item = patch_box_targets(drawn, SPACE, BOXES, place_of(facts), "canonical", location=location)
        assert item["boxes"][ANA].tolist() == held


# --- of a dataset


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory, demo_images: Any) -> tuple[str, str]:
    """A store with one CT, and its id; boxes of Ana with masks of equal pixels, and one of Ben in a corner."""
    api = Api((tmp_path_factory.mktemp("patched") / "store").as_uri())
    resource = api.resources.upload_resource(demo_images / "ct_philips")
    for frame, (x1, y1, x2, y2) in ((3, (40, 20, 60, 35)), (20, (5, 70, 90, 110)), (21, (30, 30, 31, 31))):
        api.annotations.add_box_annotation((x1, y1), (x2, y2), resource, f"mass {frame}", frame, author_email=ANA)
        mask = np.zeros((128, 128), np.uint8)
        mask[y1 : y2 + 1, x1 : x2 + 1] = 255
        api.annotations.upload_segmentations(resource, mask, f"mass {frame}", frame_index=frame, author_email=ANA)
    api.annotations.add_box_annotation((100, 100), (140, 140), resource, "corner", 0, author_email=BEN)
    return api.server_url, resource


def volumes(drawn: tuple[str, str], **options: Any) -> VolumeDataset:
    return VolumeDataset(resources=[drawn[1]], server_url=drawn[0], return_boxes=True, **options)


def voxels_by_code(item: dict[str, Any]) -> dict[int, list[list[int]]]:
    """The voxels of Ana's boxes in a patch, by the number in their name."""
    shape = tuple(item["image"].shape[1:])
    return {
        int(code): np.argwhere(pixels_of(item, n, shape)).tolist() for n, code in enumerate(item["box_labels"][ANA])
    }


@pytest.mark.parametrize("orientation", ["canonical", "native"])
@pytest.mark.parametrize("cut", ["random", "grid", "larger than the volume"])
def test_boxes_and_masks_of_the_same_voxels_stay_alike_in_patches(
    drawn: tuple[str, str], orientation: Orientation, cut: str
) -> None:
    dataset = volumes(drawn, orientation=orientation)
    patches = dataset.patch_grid((10, 50, 60), 3) if cut == "grid" else dataset.patches((12, 64, 40), 12, seed=1)
    if cut == "larger than the volume":
        patches = dataset.patches((40, 140, 70), 3, seed=1)
    masks = {dataset.seglabel2code[name]: code for name, code in dataset.boxlabel2code.items() if name != "corner"}
    seen = 0
    for item in patches:
        assert item["boxes"][ANA].dtype == torch.float32
        assert item["box_planes"][ANA].dtype == item["box_labels"][ANA].dtype == torch.int64
        alike = {
            masks[int(code)]: mask.nonzero().tolist()
            for code, mask in zip(item["seg_labels"][ANA], item["segmentations"][ANA], strict=True)
            if mask.any()
        }
        assert voxels_by_code(item) == alike
        assert list(item["boxes"]) == list(item["box_labels"]) == list(item["box_planes"]) == [ANA, BEN]
        seen += len(alike)
    assert seen >= 3


def test_a_box_that_leaves_the_volume_ends_with_it_also_in_padding(drawn: tuple[str, str]) -> None:
    (item,) = volumes(drawn).patches((32, 140, 128), 1, seed=0)
    assert item["location"][1].tolist() == [-6, 134]
    assert item["boxes"][BEN].tolist() == [[100, 106, 127.5, 133.5]]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_of_patches_hold_the_boxes_of_every_patch(drawn: tuple[str, str], workers: int) -> None:
    patches = volumes(drawn, seed=2).patches((16, 100, 100), 6)
    expected = [item["boxes"][ANA].tolist() for item in patches]
    batches = list(patches.get_dataloader(batch_size=3, num_workers=workers))
    assert [boxes[ANA].tolist() for batch in batches for boxes in batch["boxes"]] == expected
    assert any(expected)


def test_boxes_of_patches_follow_transforms_within_their_planes_and_no_others(drawn: tuple[str, str]) -> None:
    params = {"bbox_params": A.BboxParams(format="pascal_voc")}
    plain = volumes(drawn, seed=4).patches((12, 64, 40), 12)
    flip = A.Compose([A.HorizontalFlip(p=1.0)], **params)
    followed = 0
    for before, after in zip(plain, volumes(drawn, seed=4, alb_transform=flip).patches((12, 64, 40), 12), strict=True):
        x1, y1, x2, y2 = before["boxes"][ANA].T
        np.testing.assert_allclose(after["boxes"][ANA], torch.stack([39 - x2, y1, 39 - x1, y2], 1), atol=1e-3)
        assert torch.equal(after["box_planes"][ANA], before["box_planes"][ANA])
        followed += len(x1)
    assert followed
    deep = A.Compose([A.HorizontalFlip(p=1.0), A.CenterCrop3D((4, 32, 32))], **params)
    for transform, says in ((deep, "changes the depth"), (lambda **given: given, "through albumentations only")):
        with pytest.raises(DatamintDatasetException, match=says):
            volumes(drawn, alb_transform=transform).patches(16, 1)[0]
