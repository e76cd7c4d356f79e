"""Classes of one's own: whoever cuts one is told of the steps of an item that its pieces do not pass."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

from datamint_like.dataset import (
    PatchDataset,
    PatchGrid,
    SlicedVideoDataset,
    SlicedVolumeDataset,
    VideoDataset,
    VolumeDataset,
)
from datamint_like.exceptions import DatamintWarning
from tests.dataset.conftest import Shelf


class Raised:
    """The half of a class of one's own that adds a thousand to every value."""

    def _get_raw_item(self, index: int) -> dict[str, Any]:
        item: dict[str, Any] = super()._get_raw_item(index)  # type: ignore[misc]
        return item | {"image": item["image"] + 1000}


class RaisedVolumes(Raised, VolumeDataset):
    """Volumes of it."""


class RaisedVideos(Raised, VideoDataset):
    """Videos of it."""


class RaisedSlices(Raised, SlicedVolumeDataset):
    """Slices of it."""


class RaisedPatches(Raised, PatchDataset):
    """Patches of it."""


CUTS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "slice": (lambda own: own.slice("axial"), r"SlicedVolumeDataset as well, made as Mine\.from_dataset\(volumes, "),
    "from_dataset": (SlicedVolumeDataset.from_dataset, "subclass of SlicedVolumeDataset"),
    "parent_dataset": (lambda own: SlicedVolumeDataset(parent_dataset=own), "subclass of SlicedVolumeDataset"),
    "patches": (lambda own: own.patches(8, 1), r"PatchDataset as well, made as Mine\(volumes, size, n\)"),
    "patch_grid": (lambda own: own.patch_grid(8), r"PatchGrid as well, made as Mine\(volumes, size, overlap\)"),
    "frame_by_frame": (lambda own: own.frame_by_frame(), r"SlicedVideoDataset as well, made as Mine\.from_dataset"),
}


def own_of(shelf: Shelf, cut: str) -> Any:
    if cut == "frame_by_frame":
        return RaisedVideos(resources=[shelf.clip], server_url=shelf.url)
    return RaisedVolumes(resources=[shelf.philips], server_url=shelf.url)


@pytest.mark.parametrize("cut", CUTS)
def test_cutting_a_class_that_overrides_a_step_says_what_to_override_instead(shelf: Shelf, cut: str) -> None:
    make, says = CUTS[cut]
    with pytest.warns(DatamintWarning, match=rf"overrides _get_raw_item, which .* cut from the files.*{says}") as told:
        pieces = make(own_of(shelf, cut))
    assert [warning.filename for warning in told] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(pieces.subset([0])) == 1  # a part of pieces is cut already


def test_every_step_of_an_item_is_told_of_by_name(shelf: Shelf) -> None:
    class Mine(VolumeDataset):
        def __getitem__(self, index: int) -> dict[str, Any]:
            return super().__getitem__(index)

        def apply_alb_transform(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
            return super().apply_alb_transform(*args, **kwargs)

    with pytest.warns(DatamintWarning, match="Mine overrides __getitem__ and apply_alb_transform, which"):
        Mine(resources=[shelf.philips], server_url=shelf.url).slice()


def test_a_class_of_pieces_that_overrides_the_step_as_well_is_not_warned_of_and_passes_it(shelf: Shelf) -> None:
    own = own_of(shelf, "slice")
    plain = VolumeDataset(resources=[shelf.philips], server_url=shelf.url)
    assert (RaisedSlices.from_dataset(own, "axial")[3]["image"] == plain[0]["image"][:, 3] + 1000).all()
    patches = RaisedPatches(own, 8, 1, seed=1)
    assert (patches[0]["image"] == plain.patches(8, 1, seed=1)[0]["image"] + 1000).all()


def test_the_librarys_own_classes_are_cut_without_a_warning(shelf: Shelf) -> None:
    volumes = VolumeDataset(resources=[shelf.philips], server_url=shelf.url)
    videos = VideoDataset(resources=[shelf.clip], server_url=shelf.url)
    cut = (volumes.slice(), volumes.patches(8, 1), volumes.patch_grid(8), videos.frame_by_frame())
    assert [type(each) for each in cut] == [SlicedVolumeDataset, PatchDataset, PatchGrid, SlicedVideoDataset]
