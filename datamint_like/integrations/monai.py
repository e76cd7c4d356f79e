"""MONAI: its dictionary transforms in our datasets, and our datasets as its own.

Arrays are channel first with the axes that MONAI's readers give, (C, X, Y, Z) = (C, W, H, D); 2-D items are (C, X, Y)
= (C, W, H); of a video Z is time. Volumes carry the affine of these axes to patient RAS+ mm, MONAI's default space;
2-D items one within their own plane (mm along x and y), since MONAI reads only 2 x 2 of it; without geometry it is
the identity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from datamint_like._optional import need
from datamint_like.dataset.holdings import Holdings
from datamint_like.dataset.placing import current_affine, moved_to
from datamint_like.dataset.seeds import drawn_seed
from datamint_like.dataset.transforms import refuse_class
from datamint_like.exceptions import DatamintDatasetException
from datamint_like.integrations.axes import (
    Matrix,
    in_plane_affine,
    out_of_plane,
    reversed_affine,
    reversed_axes,
)
from datamint_like.integrations.descriptions import description_of
from datamint_like.integrations.labels import binary_masks_of, columns_of, item_name, label_channels, refuse_transforms

_NEAREST = "Give mode='nearest' for {key!r}, as mode=('bilinear', 'nearest') for two keys."


@dataclass(frozen=True)
class MonaiTransform:
    """A MONAI dictionary transform with our `image=` and `masks=`; made by `from_monai`.

    Attributes:
        transform: MONAI's.
        keys: Its names of image and masks.
        description: What it was made with, for fingerprints; told at once, since some keep what they last drew.
    """

    transform: Callable[..., Any]
    keys: tuple[str, str] = ("image", "label")
    description: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "description", f"MONAI {self.keys} {description_of(self.transform)}")

    def __call__(self, image: npt.NDArray[Any], masks: npt.NDArray[Any]) -> dict[str, Any]:
        """Image and masks, channels first, after the transform.

        Args:
            image: (D, H, W, C) or (H, W, C).
            masks: (n, D, H, W) or (n, H, W).

        Raises:
            DatamintDatasetException: It returned no such dict, several samples, or masks that it interpolated.
        """
        affine = current_affine()
        flat = image.ndim == 3
        given = self._given(image, masks, _told_affine(affine, flat))
        set_state = getattr(self.transform, "set_random_state", None)
        if set_state is not None:
            set_state(seed=drawn_seed())
        made = self._sample(self.transform(given))
        if affine is not None:
            after = np.asarray(getattr(made[self.keys[0]], "affine", _told_affine(affine, flat)), dtype=np.float64)
            moved_to(out_of_plane(affine, after) if flat else reversed_affine(after))
        drawn = _plain(made[self.keys[1]])
        drawn = drawn[: len(masks)]
        advice = _NEAREST.format(key=self.keys[1])
        return {
            "image": reversed_axes(_plain(made[self.keys[0]])),
            "masks": reversed_axes(binary_masks_of("MONAI", drawn, advice)),
        }

    def _given(self, image: npt.NDArray[Any], masks: npt.NDArray[Any], affine: Matrix) -> dict[str, Any]:
        stack = masks if len(masks) else np.zeros((1, *image.shape[:-1]), np.uint8)  # MONAI takes no empty tensor
        channels = reversed_axes(np.moveaxis(image, -1, 0)), reversed_axes(stack)
        return {key: _meta_tensor(channel, affine) for key, channel in zip(self.keys, channels, strict=True)}

    def _sample(self, made: Any) -> Mapping[str, Any]:
        if isinstance(made, list) and len(made) == 1:
            made = made[0]
        if isinstance(made, list):
            raise DatamintDatasetException(
                f"The MONAI transform returned {len(made)} samples of one item; a dataset's item is one. "
                "Give num_samples=1, or use dataset.to_monai(transform)."
            )
        if not isinstance(made, Mapping) or any(key not in made for key in self.keys):
            raise DatamintDatasetException(
                f"The MONAI transform must return a dict with the keys {self.keys}, not {type(made).__name__}. "
                "Give a dictionary transform (such as Spacingd), or name its keys as keys=."
            )
        return made


def from_monai(transform: Callable[..., Any], keys: tuple[str, str] = ("image", "label")) -> MonaiTransform:
    """A MONAI dictionary transform (or `Compose` of them) as a dataset's `alb_transform=`.

    The image and all masks of an item reach it as `MetaTensor` with the item's affine, so that `Spacingd`,
    `Orientationd` and others know millimetres; see the module for axes. What is random draws from the dataset's seed
    or from torch's random numbers. The masks are the channels of one tensor; transforms that pick a class of the
    label (`RandCropByPosNegLabeld`) see the first of several channels as background.

    Args:
        transform: Takes and returns a dict.
        keys: The names of image and masks in it. For the masks its interpolation must be `"nearest"`.

    Raises:
        MissingExtraError: MONAI is not installed (extra `monai`).
        DatamintDatasetException: It is a class, or takes an array instead of a dict.

    Example:
        >>> from monai.transforms import Spacingd
        >>> spacing = Spacingd(["image", "label"], (1, 1, 3), mode=("bilinear", "nearest"))
        >>> VolumeDataset(project="head-ct", alb_transform=from_monai(spacing))[0]["image"].shape
        torch.Size([1, 11, 230, 230])
    """
    need("monai.data", extra="monai")
    refuse_class(transform, "from_monai")
    if not callable(transform):
        raise DatamintDatasetException(f"from_monai takes a MONAI dictionary transform, not {transform!r:.80}.")
    _refuse_of_arrays(transform)
    if len(tuple(keys)) != 2 or keys[0] == keys[1]:
        raise DatamintDatasetException(f"keys are the two names of image and masks, not {keys!r:.80}.")
    return MonaiTransform(transform, (str(keys[0]), str(keys[1])))


def _refuse_of_arrays(transform: Any) -> None:
    """Refuse a transform of MONAI that takes an array, also within a `Compose`; of its utilities many take anything."""
    kind = type(transform)
    inner = getattr(transform, "transforms", None)
    if any(base.__name__ == "Compose" for base in kind.__mro__) and isinstance(inner, list | tuple):
        for each in inner:
            _refuse_of_arrays(each)
    library, _, module = kind.__module__.partition(".transforms.")
    if library == "monai" and module.endswith(".array") and module != "utility.array":
        name = kind.__name__
        raise DatamintDatasetException(
            f"from_monai takes MONAI's dictionary transforms, and {name} takes an array: write "
            f"{name}d(keys=['image', 'label'], ...)."
        )


def to_monai(dataset: Holdings, transform: Callable[..., Any] | None = None) -> Any:
    """A `monai.data.Dataset` over the items of a dataset, each read when asked for; it pickles to workers.

    A dict holds `image`, `label` (the masks as channels; `label_codes` int64 (n,) names their classes, and the
    label's `meta["authors"]` who drew them) and every other tensor of the item; `meta["filename_or_obj"]` is a name
    that no other item has, so that saved results never overwrite each other. `label` is absent where the dataset
    returns no masks; merged semantic masks are one-hot, background first. For batches of equal shape merge them.

    Raises:
        MissingExtraError: MONAI is not installed (extra `monai`).
        DatamintDatasetException: The dataset has transforms, after which no affine would be true.

    Example:
        >>> import numpy, monai
        >>> to_monai(volumes)[0]["image"].shape  # (C, X, Y, Z)
        torch.Size([1, 128, 128, 32])
    """
    refuse_transforms(dataset, "MONAI")
    data: Any = need("monai.data", extra="monai")
    dataset.prepare()
    return data.Dataset(data=MonaiItems(dataset), transform=transform)


@dataclass(frozen=True)
class MonaiItems:
    """The items of a dataset as dicts in MONAI's convention."""

    dataset: Holdings

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Any]:
        item, metainfo = self.dataset[index], self.dataset.get_metainfo(index)
        affine = _told_affine(metainfo["affine"], item["image"].ndim == 3)
        name = item_name(self.dataset, index)
        made = {key: value for key, value in item.items() if isinstance(value, torch.Tensor)}
        made.pop("segmentations", None)
        made["image"] = _meta_tensor(reversed_axes(item["image"]), affine, name)
        label = label_channels(item)
        if label is not None:
            channels = made["label"] = _meta_tensor(reversed_axes(label.masks), affine, name)
            channels.meta["authors"] = list(label.authors)
            made["label_codes"] = columns_of(label.codes)
        return made


def _told_affine(affine: Matrix | None, flat: bool) -> Matrix:
    """The affine that MONAI gets for an item whose own is `affine`."""
    if flat:
        return in_plane_affine(affine)
    return np.eye(4) if affine is None else reversed_affine(affine)


def _meta_tensor(tensor: torch.Tensor, affine: Matrix, name: str | None = None) -> Any:
    data: Any = need("monai.data", extra="monai")
    matrix = torch.as_tensor(affine)
    meta: dict[str, Any] = {
        "original_affine": matrix.clone(),
        "space": "RAS",
        "spatial_shape": np.asarray(tensor.shape[1:]),
        "original_channel_dim": 0,
    }
    if name is not None:
        meta["filename_or_obj"] = name
    return data.MetaTensor(tensor, affine=matrix, meta=meta)


def _plain(made: Any) -> torch.Tensor:
    """What MONAI returned, as a tensor without metadata."""
    tensor = made.as_tensor() if hasattr(made, "as_tensor") else made
    return tensor if isinstance(tensor, torch.Tensor) else torch.as_tensor(np.ascontiguousarray(tensor))
