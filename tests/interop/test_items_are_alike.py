"""What a published client made and reads, our datasets read alike, over HTTP from the same server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from datamint_like import ImageDataset, VideoDataset, VolumeDataset
from datamint_like.exceptions import DatamintWarning, SkippedResourcesWarning
from tests.interop.published import Traveller
from tests.interop.tour.guide import NEW, OLD, PICTURES, VIDEOS, VOLUMES
from tests.serving import ADMIN_KEY, served

pytestmark = pytest.mark.soak


@pytest.fixture(params=[OLD, NEW])
def toured(request: pytest.FixtureRequest, whole_tour: Callable[[str], Traveller]) -> Traveller:
    return whole_tour(request.param)


@pytest.fixture
def url(toured: Traveller, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("DATAMINT_LIKE_API_KEY", ADMIN_KEY)
    with served(toured.store) as server:
        yield server.url


def _theirs(toured: Traveller, item: dict[str, Any]) -> dict[str, np.ndarray]:
    return dict(np.load(toured.home / "items" / f"{item['resource'].id}.npz"))


def _masks(item: dict[str, Any]) -> dict[str, np.ndarray]:
    """The masks of one of our items in the form in which the client's were kept."""
    found = {}
    for author, masks in item["segmentations"].items():
        codes = item["seg_labels"][author].numpy()
        order = np.argsort(codes, kind="stable")
        found |= {f"masks of {author}": masks.numpy()[order], f"codes of {author}": codes[order]}
    return found


def _assert_alike(found: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> None:
    assert set(found) == set(theirs) - {"image"}
    for name, array in found.items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)


def test_pictures(toured: Traveller, url: str) -> None:
    dataset = ImageDataset(project=PICTURES, server_url=url)
    assert len(dataset) == 4
    for item in dataset:
        theirs = _theirs(toured, item)
        if toured.version == OLD or item["resource"].filename != "deep.png":  # of which the newer client makes bytes
            np.testing.assert_array_equal(item["image"].numpy(), theirs["image"])
        _assert_alike(_masks(item), theirs)


def test_volumes_in_the_order_of_the_file(toured: Traveller, url: str) -> None:
    dataset = VolumeDataset(project=VOLUMES, server_url=url, orientation="native")
    with pytest.warns(SkippedResourcesWarning, match="another kind"):  # single planes of DICOM
        assert len(dataset) == 2
    kinds = []
    for item in dataset:
        theirs = _theirs(toured, item)
        np.testing.assert_array_equal(item["image"].numpy(), theirs["image"])
        if toured.version == NEW or item["resource"].filename == "brain.nii.gz":  # masks of frames lose their frame
            _assert_alike(_masks(item), theirs)
        kinds.append(item["resource"].mimetype)
    assert kinds == ["application/dicom", "application/nifti"]


def test_videos(toured: Traveller, url: str) -> None:
    with pytest.warns(DatamintWarning, match="'motion'"):  # a label that the tour gave and no worklist knows
        (item,) = VideoDataset(project=VIDEOS, server_url=url)
    theirs = _theirs(toured, item)
    np.testing.assert_array_equal(item["image"].numpy(), theirs["image"])
    if toured.version == NEW:
        _assert_alike(_masks(item), theirs)
