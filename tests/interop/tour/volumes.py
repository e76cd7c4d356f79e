"""`VolumeDataset` over a project, and its slices."""

from __future__ import annotations

from typing import Any

import nibabel as nib
import numpy as np

from tests.interop.tour.guide import VOLUMES, Tour, agree, step
from tests.interop.tour.images import codes_of, masks_of

_PLACES = {"dicom": 0, "series": 1, "nifti": 2}


def _dataset(**options: Any) -> Any:
    from datamint.dataset import VolumeDataset

    dataset = VolumeDataset(project=VOLUMES, **options)
    agree(len(dataset) >= len(_PLACES), True)  # a subset taken before anything was read would be forgotten
    return dataset


def _mine(tour: Tour, item: dict[str, Any]) -> np.ndarray:
    """The masks of the key's own user, who is the only author."""
    (masks,) = masks_of(tour, item).values()
    return np.asarray(masks)


def _brain(tour: Tour, name: str = "brain.nii.gz") -> np.ndarray:
    """A file's voxels as datasets order their axes: (D, H, W)."""
    return np.asarray(nib.load(tour.file(name)).dataobj).transpose(2, 1, 0)


@step("after")
def nifti(tour: Tour) -> None:
    item = _dataset()[_PLACES["nifti"]]
    image = np.asarray(item["image"])
    agree((image.shape, bool((image[0] == _brain(tour)).all())), ((1, 6, 10, 12), True))
    masks = _mine(tour, item)
    agree((masks.shape, masks.dtype), ((3, 6, 10, 12), np.uint8))
    labels = _brain(tour, "brain_mask.nii.gz")
    (codes,) = codes_of(tour, item).values()
    agree(codes, [1, 2, 2])
    agree([bool((masks[n] == (labels == n + 1)).all()) for n in (0, 1)], [True, True], "voxels of the masks")
    agree(np.argwhere(masks[2]).tolist(), [[5, 5, 5]])


@step("after")
def dicom(tour: Tour) -> None:
    image = np.asarray(_dataset()[_PLACES["dicom"]]["image"])
    agree((image.shape, image.min() < 0), ((1, 1, 128, 128), True), "Hounsfield units")


@step("after")
def series(tour: Tour) -> None:
    item = _dataset()[_PLACES["series"]]
    agree(np.asarray(item["image"]).shape, (1, 5, 128, 128))
    masks = _mine(tour, item)
    if tour.is_old:  # which takes a mask of a frame for one of the whole image
        agree(masks.shape, (2, 1, 128, 128))
    else:
        agree((masks.shape, masks.sum(axis=(0, 2, 3)).tolist()), ((1, 5, 128, 128), [6, 0, 0, 0, 6]))


@step("after")
def slices(tour: Tour) -> None:
    sliced = _dataset().subset([_PLACES["nifti"]]).slice("axial")
    agree(len(sliced), 6)
    agree([np.asarray(sliced[n]["image"]).shape for n in (0, 5)], [(1, 10, 12)] * 2)
    agree(bool((np.asarray(sliced[3]["image"])[0] == _brain(tour)[3]).all()), True, "pixels of a slice")
    masks = _mine(tour, sliced[3])
    agree(masks.shape, (3, 10, 12))
    agree(np.argwhere(masks[0]).tolist(), [[2, 1]])


@step("after")
def slices_of_another_axis(tour: Tour) -> None:
    sliced = _dataset().subset([_PLACES["nifti"]]).slice("sagittal")
    agree((len(sliced), np.asarray(sliced[1]["image"]).shape), (12, (1, 6, 10)))
    agree(bool((np.asarray(sliced[1]["image"])[0] == _brain(tour)[:, :, 1]).all()), True, "pixels of a slice")


@step("after")
def slices_of_dicom(tour: Tour) -> None:
    sliced = _dataset().subset([_PLACES["dicom"], _PLACES["series"]]).slice("axial")
    agree((len(sliced), np.asarray(sliced[0]["image"]).shape), (6, (1, 128, 128)))
    if not tour.is_old:  # which finds no slice in its masks of the whole image
        agree(int(_mine(tour, sliced[5]).sum()), 6)
