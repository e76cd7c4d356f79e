"""What cannot work is refused where it is written, in words that mend it; what only an item shows names the item."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812
import numpy as np
import pytest
import torch

from datamint_like.annotations import merge_labels
from datamint_like.dataset import (
    ImageDataset,
    SlicedVolumeDataset,
    VideoDataset,
    VolumeDataset,
)
from datamint_like.dataset.annotation_processor import AnnotationProcessor
from datamint_like.dataset.multiframe_dataset import MultiFrameDataset
from datamint_like.exceptions import DatamintDatasetException, ValidationError
from tests.dataset.conftest import Shelf

pytestmark = pytest.mark.filterwarnings("ignore::datamint_like.exceptions.SkippedResourcesWarning")
CROP_3D = A.Compose([A.HorizontalFlip(p=1), A.OneOf([A.RandomCrop3D((4, 8, 8), p=1)], p=1)])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"compression": "zip"}, "compression is 'gzip', or None"),
        ({"compression": False}, "compression is 'gzip', or None"),
        ({"compression": "none"}, "compression is 'gzip', or None"),
        ({"cache_dir": 3}, "cache_dir is the path of a folder"),
        ({"cache_dir": b"/tmp"}, "cache_dir is the path of a folder"),
        ({"cache_dir": ""}, "cache_dir is the path of a folder"),
        ({"cache_dir": " "}, "cache_dir is the path of a folder"),
        ({"cache_dir": Path(" ")}, "cache_dir is the path of a folder"),
        ({"cache_dir": "~nobody-of-that-name/x"}, "cache_dir is the path of a folder"),
        ({"cache_dir": "one\0two"}, "cache_dir is the path of a folder"),
        ({"memory_cache": float("nan")}, "256MB"),
        ({"memory_cache": float("inf")}, "256MB"),
        ({"memory_cache": "1e300GB"}, "256MB"),
        ({"api_key": 3}, "api_key is a text"),
        ({"alb_transform": A.HorizontalFlip}, r"HorizontalFlip is a class: make one, as HorizontalFlip\(...\)"),
        ({"alb_transform": CROP_3D}, "RandomCrop3D is a transform of volumes, and these items are 2-D"),
        ({"alb_transform": A.Pad3D(2)}, "Pad3D is a transform of volumes"),
    ],
)
def test_an_option_of_another_form_is_refused_when_it_is_given(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        ImageDataset(project="mixed", **options)
    assert isinstance(caught.value, (DatamintDatasetException, ValidationError))


def test_a_key_that_is_no_text_is_not_shown() -> None:
    with pytest.raises(DatamintDatasetException) as caught:
        ImageDataset(project="mixed", api_key=b"dml_secret")  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)


def test_the_forms_that_are_right_are_taken(tmp_path: Path) -> None:
    for options in (
        {"compression": None},
        {"cache_dir": str(tmp_path)},
        {"memory_cache": 1e9},
        {"alb_transform": dict},
    ):
        ImageDataset(project="mixed", **options)
    VolumeDataset(project="mixed", alb_transform=CROP_3D)
    VideoDataset(project="mixed", alb_transform=A.Pad3D(2))


def test_a_transform_of_volumes_is_refused_when_they_are_cut_into_slices(shelf: Shelf) -> None:
    volumes = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, alb_transform=CROP_3D)
    assert volumes[0]["image"].shape == (1, 4, 8, 8)
    with pytest.raises(DatamintDatasetException, match=r"RandomCrop3D is a transform of volumes.*before they are cut"):
        volumes.slice("axial")
    assert volumes.patches(16, 1)[0]["image"].shape == (1, 4, 8, 8)
    slices = SlicedVolumeDataset(resources=[shelf.philips], server_url=shelf.url)
    for change in (slices.set_transform, slices.add_transform):
        with pytest.raises(DatamintDatasetException, match="RandomCrop3D"):
            change(CROP_3D)


def test_a_transform_that_fails_is_named_with_its_item_and_keeps_the_cause(shelf: Shelf) -> None:
    volumes = VolumeDataset(
        resources=[shelf.philips], server_url=shelf.url, alb_transform=A.Compose([A.GaussNoise(p=1)]), dtype="float32"
    )
    says = rf"Compose\(GaussNoise\) failed on resource {shelf.philips.id} \(philips.dcm\).*KeyError.*cut into 2-D items"
    with pytest.raises(DatamintDatasetException, match=says) as caught:
        volumes[0]
    assert isinstance(caught.value.__cause__, KeyError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)

    def odd(image: Any, masks: Any) -> dict[str, Any]:
        raise ZeroDivisionError("of my own")

    slices = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, alb_transform=odd).slice("coronal")
    with pytest.raises(DatamintDatasetException, match=r"odd failed on slice coronal 5 of resource .*of my own"):
        slices[5]
    with pytest.raises(DatamintDatasetException, match=r"slice coronal 2 of resource .*of my own"):
        next(iter(slices.subset([2]).get_dataloader(num_workers=1)))


def test_what_a_transform_says_itself_is_left_as_it_is(shelf: Shelf) -> None:
    def own(image: Any, masks: Any) -> dict[str, Any]:
        raise ValidationError("said well")

    with pytest.raises(ValidationError, match=r"^said well$"):
        ImageDataset(resources=[shelf.xray], server_url=shelf.url, alb_transform=own)[0]


def test_the_base_of_volumes_and_videos_is_abstract_and_names_the_classes_to_use(shelf: Shelf) -> None:
    with pytest.raises(DatamintDatasetException, match=r"MultiFrameDataset is abstract.*VolumeDataset, VideoDataset"):
        MultiFrameDataset(project="mixed", server_url=shelf.url)

    class Both(MultiFrameDataset):
        kinds = frozenset({"volume", "video"})

    assert len(Both(project="mixed", server_url=shelf.url)) == 3


def test_a_step_of_ones_own_without_boxes_is_refused_where_boxes_are_asked_for(shelf: Shelf) -> None:
    class Mine(SlicedVolumeDataset):
        def apply_alb_transform(self, img: Any, segmentations: Any) -> Any:  # type: ignore[override]
            return super().apply_alb_transform(img, segmentations)

    options: dict[str, Any] = {"resources": [shelf.philips], "server_url": shelf.url}
    assert Mine(**options)[0]["image"].ndim == 3
    says = r"Mine.apply_alb_transform takes no boxes.*segmentations, boxes=None"
    with pytest.raises(DatamintDatasetException, match=says):
        Mine(**options, return_boxes=True)
    with pytest.raises(DatamintDatasetException, match=says):
        Mine.from_dataset(VolumeDataset(**options, return_boxes=True))


def test_label_vectors_of_another_length_are_refused_by_author() -> None:
    processor = AnnotationProcessor({}, ["benign", "blurred"], {})
    votes = {"ana": torch.tensor([1, 0]), "ben": torch.tensor([1, 1, 0])}
    with pytest.raises(ValidationError, match=r"'ben' has the shape \(3,\), expected \(2,\)"):
        processor.merge_image_labels(votes, "union")
    with pytest.raises(ValidationError, match=r"'ana' has the shape \(1,\)"):
        merge_labels({"ana": torch.ones(1)}, "mode", 2)


def test_albumentations_of_images_still_go_through_volumes(shelf: Shelf) -> None:
    flip = A.Compose([A.HorizontalFlip(p=1)])
    plain = VolumeDataset(resources=[shelf.philips], server_url=shelf.url)[0]["image"]
    made = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, alb_transform=flip)[0]["image"]
    np.testing.assert_array_equal(made, plain.flip(-1).float())
