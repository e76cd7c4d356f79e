"""Transforms of items: one call with the image and all masks, whoever drew them, in the layout that transforms take.

A transform is an albumentations `Compose` or single transform, or any callable that takes `image=` and `masks=` and
returns a dict with both; where boxes are returned they are part of the same call (`bboxes=`).

2-D items enter as `image` (H, W, C) and `masks` (n, H, W); volumes enter albumentations as
`volume` (D, H, W, C) and `mask3d` (D, H, W, n), any other callable as `image` (D, H, W, C) and `masks` (n, D, H, W).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from datamint_like.dataset.box_transforms import (
    Boxes,
    box_arguments,
    boxes_of_callable,
    boxes_returned,
    check_is_given_boxes,
    check_takes_boxes,
    name_of_3d,
)
from datamint_like.dataset.one_stack import one_stack
from datamint_like.dataset.placing import current_item
from datamint_like.dataset.seeds import current_seed, drawn_seed, seeded
from datamint_like.exceptions import DatamintDatasetException, DatamintException
from datamint_like.imaging._layout import channels_first, channels_last
from datamint_like.imaging._option_forms import stable_repr

Transform = Callable[..., Any]
Array = npt.NDArray[Any]
Masks = Mapping[str, Array]
#: What comes back of a transform: image and masks as arrays or tensors, channels first, and the boxes that are left.
Transformed = tuple[Any, dict[str, Any], Boxes | None]
_RENAME = "Rename its arguments, or wrap it in a function that takes these and returns a dict of both."
#: What makes a transform of another library one of ours, by the name of that library.
_WRAPPED_BY = {library: f"Wrap it with datamint_like.integrations.from_{library}." for library in ("monai", "torchio")}
_SCALED = (
    ", as an interpolation leaves them or a scaling. Move masks by nearest neighbour, and change the values of the "
    "image alone."
)


def is_albumentations(transform: object) -> bool:
    """Whether this is one of albumentations' own, told without importing it."""
    return any(kind.__module__.partition(".")[0] == "albumentations" for kind in type(transform).__mro__)


def refuse_class(transform: Any, keyword: str) -> None:
    """Refuse the class of transforms where one of them is meant; a class of dicts makes what a transform returns.

    Raises:
        DatamintDatasetException: It is a class.
    """
    if isinstance(transform, type) and not issubclass(transform, Mapping):
        name = transform.__name__
        raise DatamintDatasetException(f"{keyword} takes a transform, and {name} is a class: make one, as {name}(...).")


def checked_transform(transform: Any, *, boxes: bool = False, flat: bool = False) -> Transform:
    """The transform, where it can be called (and, with `boxes`, knows what they look like).

    Args:
        transform: What was given.
        boxes: Whether items have boxes.
        flat: Whether items are 2-D.

    Raises:
        DatamintDatasetException: It cannot, or is one for volumes and items are 2-D.
    """
    refuse_class(transform, "alb_transform=")
    if not callable(transform):
        raise DatamintDatasetException(
            "alb_transform= takes an albumentations transform, or a callable with image= and masks=, "
            f"not {transform!r:.80}."
        )
    if is_albumentations(transform):
        if flat and (name := name_of_3d(transform)):
            raise DatamintDatasetException(
                f"{name} is a transform of volumes, and these items are 2-D. Give one of images; slices and frames "
                "take over that of their volumes and videos, so set_transform(None) on those before they are cut."
            )
        if boxes:
            check_takes_boxes(transform)
    else:
        if boxes:
            check_is_given_boxes(transform)
        _check_arguments(transform, ("image", "masks", "bboxes", "bbox_ids") if boxes else ("image", "masks"))
    return transform  # type: ignore[no-any-return]


def _check_arguments(transform: Transform, names: Sequence[str]) -> None:
    """Refuse a callable that cannot be called with these keywords, where its signature tells.

    Raises:
        DatamintDatasetException: It cannot; the message says how it was written and how it is called.
    """
    try:
        signature = inspect.signature(transform)
    except (TypeError, ValueError):  # one written in C tells no signature
        return
    try:
        signature.bind(**dict.fromkeys(names))
    except TypeError as error:
        called = ", ".join(f"{name}=..." for name in names)
        plain = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
        written = signature.replace(parameters=plain, return_annotation=signature.empty)
        name = getattr(transform, "__qualname__", type(transform).__name__)
        raise DatamintDatasetException(
            f"alb_transform= is called as transform({called}), but {name}{written} cannot be: {error}. "
            f"{_WRAPPED_BY.get(type(transform).__module__.partition('.')[0], _RENAME)}"
        ) from error


def transformed_by_all(
    transforms: Sequence[Transform], image: Array, masks: Masks, boxes: Boxes | None = None
) -> Transformed:
    """Image, masks and boxes after each transform in turn, drawing from the seed of the item that is made."""
    if not transforms:
        return image, dict(masks), boxes
    made: Any = image
    drawn: dict[str, Any] = dict(masks)
    seed = current_seed()
    for number, transform in enumerate(transforms):
        arrays = {author: np.asarray(own) for author, own in drawn.items()}
        own = None if seed is None else seed + number
        array = np.asarray(made)
        try:
            made, drawn, boxes = transformed(transform, array, arrays, boxes, seed=own)
        except (DatamintException, MemoryError):
            raise
        except Exception as error:  # of another library or the caller's own: any; what it was is kept as the cause
            raise _failed(transform, array, error) from error
    return made, drawn, boxes


def _failed(transform: Transform, image: Array, error: Exception) -> DatamintDatasetException:
    """The error that says which transform failed on which item."""
    advice = ""
    if image.ndim == 4 and is_albumentations(transform) and isinstance(error, KeyError):  # it looked for a 2-D image
        advice = (
            " Not every transform of albumentations takes volumes: use one that does, or cut into 2-D items "
            "(.slice(...), .frame_by_frame())."
        )
    return DatamintDatasetException(
        f"The transform {_called(transform)} failed on {current_item()}, an image {image.shape} of {image.dtype}: "
        f"{type(error).__name__}: {' '.join(str(error).split()):.300}.{advice}"
    )


def _called(transform: Any) -> str:
    """The name of a transform, with those of the transforms in it."""
    name = getattr(transform, "__qualname__", type(transform).__name__)
    inner = getattr(transform, "transforms", ())
    return f"{name}({', '.join(map(_called, inner))})" if inner and isinstance(inner, list | tuple) else str(name)


def stable_name(transform: Transform) -> str:
    """What a fingerprint says of a transform: equal for equal ones, `unknown` where that cannot be said.

    Albumentations' say it by their repr, others by a text `description` that they may have, functions by their name.
    """
    if is_albumentations(transform):
        return repr(transform)
    told = getattr(transform, "description", None)
    return told if isinstance(told, str) else stable_repr(transform)


def transformed(
    transform: Transform, image: Array, masks: Masks, boxes: Boxes | None = None, *, seed: int | None
) -> Transformed:
    """Image, masks and boxes of an item after one call of a transform.

    Args:
        transform: See the module.
        image: (C, H, W) or (C, D, H, W). What is not uint8 enters as float32.
        masks: Author to uint8 (n, H, W) or (n, D, H, W).
        boxes: The item's, None where it returns none.
        seed: Where the draws start; None follows torch's random numbers.

    Returns:
        The image, channels first, in the type that the transform gives it; for each author the masks; the boxes
        that are left.

    Raises:
        DatamintDatasetException: The transform returned no image, or not the masks it was given, or takes no boxes.
    """
    flat = image.ndim == 3
    stacks = [own for own in masks.values() if len(own)]
    given = channels_last(image if image.dtype == np.uint8 else image.astype(np.float32, copy=False))
    if is_albumentations(transform):
        result = _by_albumentations(transform, given, stacks, boxes, drawn_seed() if seed is None else seed)
        made = _first(_image_of(result, "image" if flat else "volume"), flat)
        drawn = _masks_of(result, flat) if stacks else ()
        boxes = boxes_returned(transform, boxes, result, made.shape[-2:])
    else:
        stacked = one_stack(stacks) if stacks else np.zeros((0, *image.shape[1:]), np.uint8)
        made, drawn, boxes = _by_callable(transform, given, stacked, boxes, seed)
        made = _first(made, flat)
    return made, _by_author(drawn, masks, tuple(made.shape[1:])), boxes


def _by_albumentations(transform: Any, given: Array, stacks: Sequence[Array], boxes: Boxes | None, seed: int) -> Any:
    """What one call in albumentations' names returned; masks of no item are left out, for it cannot stack none."""
    if hasattr(transform, "set_random_seed"):
        transform.set_random_seed(seed)
    flat = given.ndim == 3
    targets = {"image" if flat else "volume": given}
    if stacks:
        targets |= {"masks": one_stack(stacks)} if flat else {"mask3d": channels_last(*stacks)}
    height, width = given.shape[-3:-1]
    return transform(**targets, **box_arguments(transform, boxes, (height, width), flat=flat))


def _masks_of(result: Any, flat: bool) -> Any:
    return result.get("masks", ()) if flat else _first(result["mask3d"], flat)


def _by_callable(
    transform: Transform, given: Array, stacked: Array, boxes: Boxes | None, seed: int | None
) -> tuple[Any, Any, Boxes | None]:
    """One call of any callable, with every global source of random numbers seeded where a seed is given."""
    if boxes is not None and given.ndim == 4:
        raise DatamintDatasetException(
            "Boxes of a volume, video or patch go through albumentations only: cut it into slices (.slice(...), "
            ".frame_by_frame()), or leave return_boxes at False."
        )
    more = {} if boxes is None else {"bboxes": boxes.xyxy + 0.5, "bbox_ids": np.arange(len(boxes.xyxy))}
    with nullcontext() if seed is None else seeded(seed):
        result = transform(image=given, masks=stacked, **more)
    made = _image_of(result, "image")
    drawn = result.get("masks", ())
    if len(drawn):
        drawn = binary_masks(_stacked(drawn), "The transform", _SCALED)
    return made, drawn, None if boxes is None else boxes_of_callable(boxes, result)


def binary_masks(masks: Any, who: str, advice: str) -> Any:
    """Masks that a transform returned, an array or tensor, as uint8 0 and 1.

    Raises:
        DatamintDatasetException: They hold other values.
    """
    if bool(((masks != 0) & (masks != 1)).any()):
        raise DatamintDatasetException(f"{who} returned masks with values other than 0 and 1{advice}")
    return masks.to(torch.uint8) if isinstance(masks, torch.Tensor) else masks.astype(np.uint8, copy=False)


def _image_of(result: Any, key: str) -> Any:
    image = result.get(key) if isinstance(result, Mapping) else None
    if not isinstance(image, np.ndarray | torch.Tensor):
        raise DatamintDatasetException(
            f"The transform must return a dict with {key!r} as an array or tensor, and 'masks'; "
            f"it returned {type(result).__name__ if not isinstance(result, Mapping) else type(image).__name__}."
        )
    return image


def _first(array: Any, flat: bool) -> Any:
    """(C, ...) of what a transform returned: a tensor is that already, an array may have lost a single channel."""
    if isinstance(array, torch.Tensor):
        return array
    return array[None] if array.ndim == (2 if flat else 3) else channels_first(array)


def _by_author(drawn: Any, masks: Masks, spatial: tuple[int, ...]) -> dict[str, Any]:
    """The masks of each author, out of all in one stack."""
    expected = sum(len(own) for own in masks.values())
    if len(drawn) != expected:
        raise DatamintDatasetException(
            f"The transform was given {expected} masks and returned {len(drawn)}. It must return every mask, in order."
        )
    if not masks:
        return {}
    if not expected:
        return {author: np.zeros((0, *spatial), np.uint8) for author in masks}
    stack = _stacked(drawn)
    if tuple(stack.shape[1:]) != spatial:
        raise DatamintDatasetException(
            f"The transform made an image of size {spatial} and masks of size {tuple(stack.shape[1:])}. "
            "It must change both alike."
        )
    result, first = {}, 0
    for author, own in masks.items():
        result[author] = stack[first : first + len(own)]
        first += len(own)
    return result


def _stacked(drawn: Any) -> Any:
    """The masks as one array or tensor."""
    if isinstance(drawn, np.ndarray | torch.Tensor):
        return drawn
    return torch.stack(list(drawn)) if isinstance(drawn[0], torch.Tensor) else np.stack(list(drawn))
