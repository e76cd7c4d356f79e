"""Masks of frames, read from a file, bytes or an array, as frames on the grid of their resource."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from datamint_like._files import opened, reason_of
from datamint_like.api._mask_sources import is_palette, palette_as_grey
from datamint_like.config import DEFAULT_MAX_VOXELS
from datamint_like.exceptions import GeometryError, ValidationError
from datamint_like.imaging.types import HeaderFacts


def name_of(source: Any) -> str:
    """What to call the mask in a message."""
    if isinstance(source, str | Path):
        return f"The mask {Path(source).name}"
    return f"The mask array {source.shape}" if isinstance(source, np.ndarray) else "The mask"


def frames_of(
    source: Any, facts: HeaderFacts, resource: str, transpose: bool, *, by_index: bool = False
) -> list[npt.NDArray[Any]]:
    """The frames of a mask, each (J, I), or (J, I, 3) where it is in colour, of the resource's size.

    Arrays are (H, W), (H, W, frames), or in colour (3, H, W, frames); (H, W, 3 or 4) is a colour mask where the
    resource has one frame. With `by_index` a PNG or TIFF with a palette gives its indices instead of its colours.

    Raises:
        ValidationError: The array has another number of axes, or values that are no labels.
        GeometryError: The frames have another size than the resource's.
        DecodeError: The file is no image.
    """

    def refuse_other(size: tuple[int, ...]) -> None:
        if (found := size[::-1] if transpose else size) != facts.shape[1:]:
            raise GeometryError(_other_grid(name_of(source), found, facts, resource, source))

    is_array = isinstance(source, np.ndarray)
    frames = _frames_of_array(source, facts.shape[0]) if is_array else _frames_of_file(source, by_index, refuse_other)
    mask = f"{name_of(source)} (for {resource})"
    for frame in frames:
        refuse_other(frame.shape[:2])
    return [_plain(frame.swapaxes(0, 1) if transpose else frame, mask) for frame in frames]


def _frames_of_array(array: npt.NDArray[Any], planes: int) -> list[npt.NDArray[Any]]:
    """The frames of an array, each (H, W) or (H, W, channels)."""
    if array.ndim == 2:
        return [array]
    if array.ndim == 3 and planes == 1 and array.shape[2] in (3, 4):
        return [array]
    if array.ndim == 3:
        return [array[:, :, n] for n in range(array.shape[2])]
    if array.ndim == 4 and array.shape[0] in (3, 4):
        return [np.moveaxis(array[..., n], 0, -1) for n in range(array.shape[3])]
    raise ValidationError(f"A mask array is (H, W), (H, W, frames) or in colour (3, H, W, frames), not {array.shape}.")


def _frames_of_file(
    source: Any, by_index: bool, refuse_other: Callable[[tuple[int, ...]], None]
) -> list[npt.NDArray[Any]]:
    """The frames of an image file, each (J, I, channels), whose size `refuse_other` has seen before they are read."""
    from datamint_like.imaging import decode_stored, probe
    from datamint_like.imaging.tiff.decoder import palette_indices

    with TemporaryDirectory(prefix="datamint-like-") as folder:
        path = Path(folder) / (Path(source).name if isinstance(source, str | Path) else "mask")
        data, step = bytes_of(source), 1
        path.write_bytes(data)
        facts = probe([path])
        refuse_other(facts.shape[1:])
        stored = decode_stored([path], facts).array  # also where indices are wanted: it tells whether the file is whole
        if by_index and is_palette(data):
            data, step = palette_as_grey(data)
            path.write_bytes(data)
            stored = decode_stored([path], probe([path])).array // step
        elif by_index and facts.format == "tiff":
            indices = palette_indices(data, max_voxels=DEFAULT_MAX_VOXELS)
            stored = stored if indices is None else indices
    return list(np.moveaxis(stored, 0, -1))


def bytes_of(source: Any, limit: int = -1, *, image: tuple[int, int, int] | None = None) -> bytes:
    """The bytes of a mask that is a file or its bytes; the first `limit` of them where that is not negative.

    With `image`, the shape (K, J, I) of the resource, a NIfTI pair that is too large for it is not read.

    Raises:
        ValidationError: The file cannot be read, or it is neither.
        DecodeError: It is the header of a NIfTI pair whose image is missing or damaged.
        GeometryError: It is one that is too large for `image`.
    """
    if isinstance(source, bytes):
        return source[:limit] if limit >= 0 else source
    if not isinstance(source, str | Path):
        raise ValidationError(
            f"A mask is a file, its bytes or a numpy array, not a {type(source).__name__}. "
            "A torch tensor or a nibabel image will do, too."
        )
    if not str(source).strip():
        raise ValidationError("The path of a mask is empty (a variable that is not set?). Give the file of the mask.")
    try:
        path = Path(source).expanduser()
        with opened(path) as file:
            data = file.read(limit)
    except (OSError, RuntimeError, ValueError) as error:  # no such file; no such user's home; no path at all
        reason = reason_of(error)
        raise ValidationError(f"{name_of(source)} cannot be read: {reason}. Check the path.") from error
    return data if limit >= 0 else _with_image(path, data, image)


def _with_image(path: Path, data: bytes, image: tuple[int, int, int] | None) -> bytes:
    """The mask's bytes; where they are the header of a NIfTI pair, one .nii with the image beside it.

    Raises:
        DecodeError: That image is missing or damaged.
    """
    from datamint_like.imaging.nifti_single import single_nifti_bytes
    from datamint_like.imaging.sniff import head_of, is_nifti, is_nifti_pair

    head = head_of(io.BytesIO(data))
    return single_nifti_bytes(path, image=image) if is_nifti(head) and is_nifti_pair(head) else data


def _plain(frame: npt.NDArray[Any], mask: str) -> npt.NDArray[Any]:
    """One frame as whole numbers: (J, I), or (J, I, 3) where the channels differ; transparent is background."""
    if frame.dtype == bool:
        frame = frame.astype(np.uint8)
    if not np.issubdtype(frame.dtype, np.integer):
        if not np.issubdtype(frame.dtype, np.floating) or not (np.isfinite(frame).all() and (frame % 1 == 0).all()):
            raise ValidationError(f"{mask} must hold whole numbers (labels, grey values or colours).")
        frame = frame.astype(np.int64)
    if frame.ndim == 2:
        return frame
    channels = frame.shape[2]
    if channels in (2, 4):
        frame = frame[..., : channels - 1] * (frame[..., channels - 1 :] != 0)
    if frame.shape[2] == 1 or (frame == frame[..., :1]).all():
        return frame[..., 0]
    return frame


def _other_grid(mask: str, found: tuple[int, ...], facts: HeaderFacts, resource: str, source: Any) -> str:
    """The sentence for a mask of another size, with the likely reason."""
    planes, rows, columns = facts.shape
    message = (
        f"{mask} has frames of {found[0]} rows x {found[1]} columns, "
        f"but {resource} has {rows} x {columns} (x {planes} frames)."
    )
    if isinstance(source, np.ndarray) and source.shape == (planes, rows, columns):
        return f"{message} Arrays carry frames last: pass numpy.moveaxis(mask, 0, -1)."
    if found == (columns, rows):
        return f"{message} Pass transpose_segmentation=True if its axes are exchanged."
    return f"{message} Give the mask that was drawn on this resource."
