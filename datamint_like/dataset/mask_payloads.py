"""The payload of a mask annotation as planes of 0 and 1, without its image: nothing is turned or resampled."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from datamint_like.annotations import is_of_one_frame
from datamint_like.entities import Annotation
from datamint_like.exceptions import DatamintDatasetException, DecodeError, GeometryError
from datamint_like.imaging import array_to_stored, raster
from datamint_like.imaging._pictures import decode_gray
from datamint_like.imaging._reading_errors import reading
from datamint_like.imaging.nifti import decode_labels
from datamint_like.imaging.sniff import describe, head_of, is_nifti, is_picture, is_tiff
from datamint_like.imaging.tiff import decoder as tiff
from datamint_like.imaging.types import Array

Mask = npt.NDArray[np.uint8]
#: Gives the bytes of a mask annotation.
Load = Callable[[Annotation], bytes]


def read_local_file(annotation: Annotation) -> bytes:
    """The bytes of the file that `annotation.file` names.

    Raises:
        DatamintDatasetException: It names none, or one that cannot be read.
    """
    what = f"annotation {annotation.id} ({annotation.identifier!r})"
    if not annotation.file:
        raise DatamintDatasetException(
            f"The {what} names no local file. Pass load= (a function from an Annotation to its bytes) to the "
            "AnnotationProcessor, or use dataset.annotation_processor."
        )
    path = Path(annotation.file)
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DatamintDatasetException(f"The file {path.name} of {what} cannot be read: {reason}.") from error


def decode_planes(payload: bytes, annotation: Annotation, *, convert_gray: bool = True, max_voxels: int) -> Mask:
    """The mask (N, H, W) as stored, uint8, 1 where a label, gray value or colour is not zero; N = 1 for one frame.

    Args:
        payload: A picture (PNG, JPEG, WebP, BMP, TIFF of one page) or a NIfTI (.nii, .nii.gz) whose third axis is N.
        annotation: Whose it is; errors name it.
        convert_gray: Take pictures of several channels too; otherwise they are refused.
        max_voxels: Refuse a header that claims more.

    Raises:
        DecodeError: It is neither, is damaged, claims too much, or has several channels without `convert_gray`.
        GeometryError: A mask of one frame has several planes, or the NIfTI has several volumes.
    """
    name = f"{annotation.identifier} ({annotation.id})"
    with reading(name):
        if not isinstance(payload, bytes):
            raise DecodeError(f"load= gives the bytes of a mask, got {type(payload).__name__}.")
        labels = _labels(payload, convert_gray=convert_gray, max_voxels=max_voxels)
        if is_of_one_frame(annotation) and len(labels) != 1:
            raise GeometryError(f"the mask of one frame has {len(labels)} planes.")
        mask: Mask = (labels != 0).astype(np.uint8)
        return mask


def _labels(payload: bytes, *, convert_gray: bool, max_voxels: int) -> Array:
    """The values of a payload, (N, H, W)."""
    head = head_of(io.BytesIO(payload))
    if is_nifti(head):
        stored = decode_labels(payload, max_voxels=max_voxels)
        if len(stored.array) != 1:
            raise GeometryError(f"it has {len(stored.array)} channels, expected a 3-D label map.")
        return array_to_stored(stored.array[0].transpose(2, 1, 0), stored.facts)  # refuses what are no labels
    if not is_picture(payload):
        raise DecodeError(f"it is {describe(head)}; a mask is a picture (PNG, JPEG, ...) or a NIfTI.")
    if not convert_gray:
        _refuse_channels(payload, max_voxels)
    return decode_gray(payload, max_voxels=max_voxels)[np.newaxis]


def _refuse_channels(payload: bytes, max_voxels: int) -> None:
    """A picture of one channel passes; several are an error, even where they are equal."""
    decode = tiff.decode_bytes if is_tiff(payload) else raster.decode_bytes
    channels = len(decode(payload, max_voxels=max_voxels).array)
    if channels != 1:
        raise DecodeError(f"it has {channels} channels; give a gray picture, or pass auto_convert_gray=True.")
