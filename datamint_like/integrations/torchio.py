"""TorchIO: its transforms in our datasets, and our datasets as its subjects.

Tensors are (C, X, Y, Z) = (C, W, H, D), as TorchIO's own readers give, 2-D items with Z of 1, with the affine of
these axes to patient RAS+ mm; of a video Z is time. Without geometry the affine is the identity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from datamint_like._optional import need
from datamint_like.dataset.holdings import Holdings
from datamint_like.dataset.placing import current_affine, moved_to
from datamint_like.dataset.transforms import refuse_class
from datamint_like.exceptions import DatamintDatasetException
from datamint_like.integrations.axes import Matrix, reversed_affine, reversed_axes
from datamint_like.integrations.descriptions import description_of
from datamint_like.integrations.labels import binary_masks_of, refuse_transforms


@dataclass(frozen=True)
class TorchioTransform:
    """A TorchIO transform with our `image=` and `masks=`; made by `from_torchio`.

    Attributes:
        transform: TorchIO's.
        description: What it was made with, for fingerprints.
    """

    transform: Callable[..., Any]
    description: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "description", f"TorchIO {description_of(self.transform)}")

    def __call__(self, image: npt.NDArray[Any], masks: npt.NDArray[Any]) -> dict[str, Any]:
        """Image and masks, channels first, after the transform.

        Args:
            image: (D, H, W, C) or (H, W, C).
            masks: (n, D, H, W) or (n, H, W).

        Raises:
            DatamintDatasetException: It returned no subject, or masks that it interpolated.
        """
        tio: Any = need("torchio", extra="torchio")
        affine, flat = current_affine(), image.ndim == 3
        channels = np.moveaxis(image, -1, 0)
        told = world_affine(affine)
        images = {"image": tio.ScalarImage(tensor=xyz(channels), affine=told)}
        if len(masks):
            images["masks"] = tio.LabelMap(tensor=xyz(masks), affine=told)
        made = self.transform(tio.Subject(images))
        if not isinstance(made, tio.Subject) or set(images) - set(made):
            raise DatamintDatasetException(f"The TorchIO transform must return the subject, not {type(made).__name__}.")
        if affine is not None:
            moved_to(reversed_affine(made["image"].affine))
        result = _back(made["image"].data, flat)
        if not len(masks):
            return {"image": result, "masks": torch.zeros(0, *result.shape[1:], dtype=torch.uint8)}
        drawn = binary_masks_of("TorchIO", _back(made["masks"].data, flat), "Give label_interpolation='nearest'.")
        return {"image": result, "masks": drawn}


def from_torchio(transform: Callable[..., Any]) -> TorchioTransform:
    """A TorchIO transform (or `Compose`) as a dataset's `alb_transform=`.

    The image reaches it as `ScalarImage`, all masks as the channels of one `LabelMap`, both with the item's affine:
    so masks are interpolated by nearest neighbour, and intensity transforms leave them alone. What is random draws
    from the dataset's seed, or from torch's random numbers.

    Raises:
        MissingExtraError: TorchIO is not installed (extra `torchio`).
        DatamintDatasetException: It is a class, or cannot be called.

    Example:
        >>> import torchio
        >>> VolumeDataset(project="head-ct", alb_transform=from_torchio(torchio.RandomAffine()))[0]["image"].shape
        torch.Size([1, 32, 128, 128])
    """
    need("torchio", extra="torchio")
    refuse_class(transform, "from_torchio")
    if not callable(transform):
        raise DatamintDatasetException(f"from_torchio takes a TorchIO transform, not {transform!r:.80}.")
    return TorchioTransform(transform)


def to_torchio(dataset: Holdings, transform: Callable[..., Any] | None = None) -> Any:
    """A `torchio.SubjectsDataset` over the items of a dataset, each read when asked for; it pickles to workers.

    A subject holds `image` (`ScalarImage`), `label` (`LabelMap`, the masks as channels; `label_codes` int64 (n,)
    names their classes, `label_authors` who drew them), `name` (that no other item has), and every other tensor of
    the item. `label` is absent where the dataset returns no masks.

    Raises:
        MissingExtraError: TorchIO is not installed (extra `torchio`).
        DatamintDatasetException: The dataset is empty, or has transforms, after which no affine would be true.

    Example:
        >>> to_torchio(volumes)[0]["image"].shape  # (C, X, Y, Z)
        (1, 128, 128, 32)
    """
    refuse_transforms(dataset, "TorchIO")
    need("torchio", extra="torchio")
    dataset.prepare()
    if not len(dataset):
        raise DatamintDatasetException(f"This {type(dataset).__name__} is empty, and TorchIO takes no empty dataset.")
    from datamint_like.integrations._torchio_subjects import ItemSubjects, ItemSubjectsDataset

    return ItemSubjectsDataset(ItemSubjects(dataset), transform)


def xyz(array: Any) -> torch.Tensor:
    """(n, X, Y, Z) of (n, D, H, W) or (n, H, W), with Z of 1."""
    tensor = reversed_axes(array)
    return tensor if tensor.ndim == 4 else tensor[..., None]


def world_affine(affine: Matrix | None) -> Matrix:
    """The affine that TorchIO gets for an item whose own is `affine`."""
    return np.eye(4) if affine is None else reversed_affine(affine)


def _back(tensor: torch.Tensor, flat: bool) -> torch.Tensor:
    """(n, D, H, W) or, of a 2-D item, (n, H, W) of (n, X, Y, Z)."""
    made = reversed_axes(tensor)
    if not flat:
        return made
    if made.shape[1] != 1:
        raise DatamintDatasetException(
            f"The TorchIO transform made {made.shape[1]} planes of a 2-D item. Let it leave the third axis alone."
        )
    return made[:, 0]
