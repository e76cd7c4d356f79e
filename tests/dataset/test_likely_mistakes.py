"""What is likely a mistake is told where it is written, in a sentence: not at the first item, and not in silence."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from datamint_like.dataset import ImageDataset, VideoDataset, VolumeDataset
from datamint_like.exceptions import DatamintDatasetException, DatamintWarning
from tests.dataset.conftest import Shelf


@pytest.fixture
def images(shelf: Shelf) -> ImageDataset:
    """Two radiographs."""
    return ImageDataset(resources=[shelf.xray, shelf.plain_xray], server_url=shelf.url)


@pytest.fixture
def volumes(shelf: Shelf) -> VolumeDataset:
    """One CT of 32 slices."""
    return VolumeDataset(resources=[shelf.philips], server_url=shelf.url)


def test_a_loader_names_the_argument_that_it_does_not_have_and_the_one_meant(images: ImageDataset) -> None:
    with pytest.raises(
        TypeError, match=r"get_dataloader\(\) has no argument 'batchsize'\. Did you mean 'batch_size'\?"
    ):
        images.get_dataloader(batchsize=2)
    with pytest.raises(TypeError, match=r"get_dataloader\(\) has no argument 'nofoo'\. It takes batch_size, shuffle,"):
        images.get_dataloader(nofoo=1)
    with pytest.raises(TypeError, match=r"get_dataloader\(\) has no argument 'seed'"):  # that is the dataset's
        images.get_dataloader(seed=1)


def test_a_loader_is_not_given_its_dataset_or_an_argument_twice(images: ImageDataset) -> None:
    with pytest.raises(TypeError, match=r"get_dataloader\(\) has no argument 'dataset'"):
        images.get_dataloader(dataset=images)
    with pytest.raises(TypeError, match=r"get_dataloader\(\): multiple values for argument 'batch_size'"):
        images.get_dataloader(2, batch_size=2)


def test_a_split_warns_of_a_part_that_is_empty_and_tells_all_sizes(images: ImageDataset) -> None:
    expected = r"part 'val' of this split: 2 resources by train=0.9, val=0.1 give train 2, val 0"
    with pytest.warns(DatamintWarning, match=expected):
        parts = images.split(train=0.9, val=0.1, seed=1)
    assert {name: len(part) for name, part in parts.items()} == {"train": 2, "val": 0}


def test_a_split_by_patient_counts_patients(volumes: VolumeDataset) -> None:
    slices = volumes.slice("axial")  # 32 items, but of one patient
    with pytest.warns(
        DatamintWarning, match=r"parts 'a', 'c' of this split: 1 patient by a=0.2, b=0.6, c=0.2 give a 0"
    ):
        slices.split(a=0.2, b=0.6, c=0.2, by_patient=True, seed=1)


def test_a_split_in_which_every_part_has_something_says_nothing(images: ImageDataset) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images.split(train=0.5, val=0.5, seed=1)


def renamed(img: Any, mask: Any) -> dict[str, Any]:
    return {"image": img, "masks": mask}


def positional(image: Any, masks: Any, /) -> dict[str, Any]:
    return {"image": image, "masks": masks}


def greedy(image: Any, masks: Any, strength: float) -> dict[str, Any]:
    return {"image": image * strength, "masks": masks}


@pytest.mark.parametrize("transform", [renamed, positional, greedy])
def test_a_transform_that_cannot_be_called_as_it_will_be_is_refused_when_it_is_given(
    shelf: Shelf, images: ImageDataset, transform: Callable[..., Any]
) -> None:
    expected = rf"called as transform\(image=\.\.\., masks=\.\.\.\), but {transform.__name__}\(.*\) cannot be: "
    with pytest.raises(DatamintDatasetException, match=expected):
        ImageDataset(resources=[shelf.xray], server_url=shelf.url, alb_transform=transform)
    with pytest.raises(DatamintDatasetException, match=expected):
        images.set_transform(transform)
    with pytest.raises(DatamintDatasetException, match=expected):
        images.add_transform(transform)


def test_a_transform_of_another_library_is_told_what_makes_it_one_of_ours(images: ImageDataset) -> None:
    transforms = pytest.importorskip("monai.transforms")
    with pytest.raises(DatamintDatasetException, match=r"Wrap it with datamint_like\.integrations\.from_monai"):
        images.set_transform(transforms.Rotate90d(["image", "label"]))


def test_a_transform_may_take_more_than_it_is_given_and_name_nothing(images: ImageDataset) -> None:
    def doubled(image: Any, masks: Any, times: int = 2) -> dict[str, Any]:
        return {"image": image * np.uint8(times), "masks": masks}

    def named(**given: Any) -> dict[str, Any]:
        return given

    for transform in (doubled, named):
        images.set_transform(transform)
        assert images[0]["image"].shape == (1, 512, 512)


def test_neighbours_beyond_both_ends_of_every_slice_are_warned_of(volumes: VolumeDataset) -> None:
    expected = r"neighbors=32 reaches beyond both ends of 1 of 1 volume \(the shortest has 32 slices\)"
    with pytest.warns(DatamintWarning, match=expected):
        volumes.slice("axial", neighbors=32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        volumes.slice("axial", neighbors=31)
        volumes.slice("coronal", neighbors=32)


def test_neighbours_of_frames_are_warned_of_as_frames(shelf: Shelf) -> None:
    videos = VideoDataset(resources=[shelf.clip], server_url=shelf.url)
    with pytest.warns(DatamintWarning, match=r"1 of 1 video \(the shortest has 30 frames\)"):
        videos.frame_by_frame(neighbors=30)


@pytest.mark.parametrize(
    ("options", "pad_value"),
    [({}, 0.5), ({}, -40_000), ({"dtype": "float16"}, 1e6), ({"dtype": "int32"}, 2**31), ({"dtype": "float32"}, 1e39)],
)
def test_a_padding_that_the_image_cannot_hold_is_refused_when_it_is_given(
    shelf: Shelf, options: dict[str, Any], pad_value: float
) -> None:
    volumes = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, **options)
    expected = r"pad_value=.* does not fit the image's type, .*, of philips\.dcm, which is smaller than the patch"
    with pytest.raises(DatamintDatasetException, match=expected):
        volumes.patches((40, 8, 8), 1, pad_value=pad_value)
    with pytest.raises(DatamintDatasetException, match=expected):
        volumes.patch_grid((40, 8, 8), pad_value=pad_value)


def test_a_padding_counts_only_where_something_is_padded_and_by_the_values_that_come_out(
    shelf: Shelf, volumes: VolumeDataset
) -> None:
    assert volumes.patches((32, 8, 8), 1, seed=1, pad_value=0.5)[0]["image"].shape == (1, 32, 8, 8)
    windowed = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, intensity=("window", 40, 400))
    assert windowed.patches((40, 8, 8), 1, seed=1, pad_value=0.5)[0]["image"][0, 0, 0, 0] == 0.5


def test_a_padding_is_held_against_what_a_function_returned_when_it_did(shelf: Shelf) -> None:
    def halved(array: Any) -> Any:
        return array.astype(np.float32) / 2

    volumes = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, intensity=halved)
    assert volumes.patches((40, 8, 8), 1, seed=1, pad_value=0.5)[0]["image"][0, 0, 0, 0] == 0.5
    with pytest.raises(DatamintDatasetException, match="does not fit the image's type, float32"):
        volumes.patches((40, 8, 8), 1, seed=1, pad_value=1e39)[0]


def test_one_is_not_counted_in_the_plural(images: ImageDataset, shelf: Shelf) -> None:
    one = images.subset([0])
    assert repr(one.resources).startswith("<1 item: [Resource(")
    assert repr(images.resources).startswith("<2 items: [")
    assert repr(one) == "ImageDataset(2 resources, 1 item)"
    assert repr(ImageDataset(resources=[shelf.xray], server_url=shelf.url)) == "ImageDataset(1 resource, not prepared)"
    with pytest.raises(IndexError, match="Item 3 of a ImageDataset with 1 item"):
        one[3]
