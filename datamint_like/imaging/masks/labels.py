"""Label maps and masks of frames, in a resource's stored orientation, and back.

A mask is bound to its resource: an equal grid is taken, the same grid in another orientation is reoriented
exactly, another grid is an error that names both.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations, product
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from datamint_like.config import DEFAULT_MAX_VOXELS
from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging._nifti_writer import nifti_gz
from datamint_like.imaging._pictures import decode_gray, size_of_gray
from datamint_like.imaging._reading_errors import reading
from datamint_like.imaging.affine import Affine, Turn
from datamint_like.imaging.nifti import SWAP_XYZ, decode_labels, facts_of_labels
from datamint_like.imaging.orientation import canonical_shape, turn_of
from datamint_like.imaging.resampling import resampled
from datamint_like.imaging.types import Array, HeaderFacts
from datamint_like.imaging.values import integer_type, stored_range

Axes = Literal["xyz", "dhw"]

#: Corners of equal grids agree within this many voxels.
SAME_GRID = 0.05
#: How far apart millimetres, metres and microns are.
_UNIT_FACTORS = (1e-6, 1e-3, 1e3, 1e6)


def decode_mask(
    payload: bytes,
    facts: HeaderFacts,
    *,
    name: str,
    axes: Axes = "xyz",
    max_voxels: int = DEFAULT_MAX_VOXELS,
    resample: bool = False,
) -> Array:
    """The integer label map (K, J, I) of a NIfTI payload, in the resource's stored orientation.

    Args:
        payload: The bytes of a .nii or .nii.gz.
        facts: Header facts of the resource.
        name: What the mask is called in errors.
        axes: What the axes are when the mask carries no geometry (an identity affine on a resource that has
            another): `"xyz"` the stored volume as nibabel shows it, `"dhw"` the item.
        max_voxels: Refuse a header that claims more.
        resample: Bring a mask of another grid to that of the resource, by nearest neighbour, instead of refusing it.

    Raises:
        DecodeError: It is not NIfTI, is damaged, too large, or its labels are not integers of 32 bits.
        GeometryError: It lies on another grid; the message names both.

    Example:
        >>> from datamint_like.imaging import probe
        >>> facts = probe(sorted(Path("ct").iterdir()))
        >>> payload = encode_volume_mask(np.ones(facts.shape, np.uint8), facts)
        >>> decode_mask(payload, facts, name="liver.nii.gz").shape
        (32, 128, 128)
    """
    with reading(name):
        claims = facts_of_labels(payload, max_voxels=max_voxels)
        lay = _way_onto(facts, claims, axes, resample)  # a mask that does not fit is refused by its header
        return lay(_integers(decode_labels(payload, max_voxels=max_voxels).array[0]))


def _way_onto(facts: HeaderFacts, mask: HeaderFacts, axes: Axes, resample: bool) -> Callable[[Array], Array]:
    """What lays the labels of a mask with these header facts on the grid of the resource.

    Raises:
        GeometryError: Nothing does; the message names both grids.
    """
    if mask.channels != 1:
        raise GeometryError(f"it has {mask.channels} channels, expected a 3-D label map.")
    affine = mask.affine
    bare = affine is None or (_is_identity(affine) and not (facts.affine and _is_identity(facts.affine)))
    if affine is None or facts.affine is None or bare:
        _refuse_other_shape(mask.shape[::-1], facts, axes)
        return lambda labels: array_to_stored(labels.transpose(2, 1, 0), facts, axes=axes)
    turn = _turn_between(affine, mask.shape, facts.affine, facts.shape)
    if turn is not None:
        return lambda labels: np.ascontiguousarray(turn.array(labels))
    grids = f"mask has shape (k, j, i) {mask.shape} and {affine!r}, the image {facts.shape} and {facts.affine!r}"
    _refuse_other_unit(mask, facts, grids)
    if resample:
        return lambda labels: resampled(labels, affine, facts)
    raise GeometryError(
        f"it lies on another grid: the {grids}. Resample the mask to the image first, or pass "
        "resample_masks=True to upload_volume_segmentation, or to a dataset whose masks lie on other grids."
    )


def decode_frame_mask(
    payload: bytes, facts: HeaderFacts, *, name: str, max_voxels: int = DEFAULT_MAX_VOXELS
) -> npt.NDArray[np.uint8]:
    """The mask (J, I) of one frame from a picture (PNG, JPEG, ...): uint8, 1 where a gray value or colour is not zero.

    Raises:
        DecodeError: The payload is no readable image, or claims more than `max_voxels`.
        GeometryError: Its size is not that of the resource's frames.

    Example:
        >>> from datamint_like.imaging import probe
        >>> facts = probe(sorted(Path("ct").iterdir()))
        >>> payload = encode_frame_mask(np.eye(128, dtype=np.uint8))
        >>> int(decode_frame_mask(payload, facts, name="mask.png").sum())
        128
    """
    with reading(name):
        rows, columns = size_of_gray(payload)
        if (rows, columns) != facts.shape[1:]:
            raise GeometryError(
                f"the mask is {rows} x {columns} pixels (rows x columns), "
                f"the image {facts.shape[1]} x {facts.shape[2]}."
            )
        mask: npt.NDArray[np.uint8] = (decode_gray(payload, max_voxels=max_voxels) != 0).astype(np.uint8)
        return mask


def encode_volume_mask(array: Array, facts: HeaderFacts) -> bytes:
    """A .nii.gz of an integer or boolean label map (K, J, I), stamped with the resource's stored affine.

    Equal input gives equal bytes. Without geometry the affine is the identity.

    Raises:
        GeometryError: The shape is not the resource's stored shape.
        DecodeError: The labels are not integers of 32 bits.

    Example:
        >>> from datamint_like.imaging import probe
        >>> facts = probe(sorted(Path("ct").iterdir()))
        >>> size = Path("liver.nii.gz").write_bytes(encode_volume_mask(np.ones(facts.shape, np.uint8), facts))
        >>> import nibabel
        >>> nibabel.load("liver.nii.gz").shape
        (128, 128, 32)
    """
    if array.shape != facts.shape:
        raise GeometryError(f"The mask has shape {array.shape}, the image (k, j, i) {facts.shape}.")
    affine = np.eye(4) if facts.affine is None else facts.affine.matrix @ SWAP_XYZ
    return nifti_gz(_integers(array).transpose(2, 1, 0), affine)


def encode_frame_mask(array: Array) -> bytes:
    """An 8-bit gray PNG of a mask (J, I): 255 where it is not zero.

    Raises:
        GeometryError: The array is not 2-D or is empty.

    Example:
        >>> encode_frame_mask(np.eye(4, dtype=np.uint8))[1:4]
        b'PNG'
    """
    if array.ndim != 2 or array.size == 0:
        raise GeometryError(f"The mask of a frame is (rows, columns), got shape {array.shape}.")
    done, data = cv2.imencode(".png", (array != 0).astype(np.uint8) * 255)
    if not done:
        raise DecodeError(f"OpenCV cannot write a mask of shape {array.shape} as PNG.")
    return bytes(data.tobytes())


def array_to_stored(array: Array, facts: HeaderFacts, *, axes: Axes = "xyz") -> Array:
    """A user's mask as a label map (K, J, I) in stored orientation.

    Args:
        array: Integer or boolean labels.
        facts: Header facts of the resource.
        axes: `"xyz"`: the stored volume as nibabel shows it, (i, j, k); `"dhw"`: as the item has it.

    Raises:
        GeometryError: The shape is not the resource's.
        DecodeError: The labels are not integers of 32 bits.

    Example:
        >>> from datamint_like.imaging import probe
        >>> facts = probe(sorted(Path("ct").iterdir()))
        >>> array_to_stored(np.zeros((128, 128, 32), np.uint8), facts, axes="xyz").shape
        (32, 128, 128)
    """
    _refuse_other_shape(array.shape, facts, axes)
    labels = _integers(array)
    if axes == "xyz":
        return np.ascontiguousarray(labels.transpose(2, 1, 0))
    return np.ascontiguousarray(turn_of(facts).inverse().array(labels))


def _refuse_other_shape(shape: tuple[int, ...], facts: HeaderFacts, axes: Axes) -> None:
    expected = facts.shape[::-1] if axes == "xyz" else canonical_shape(facts)[1:]
    if shape != expected:
        raise GeometryError(
            f"The mask has shape {shape}, the image ({', '.join(axes)}) {expected}. "
            "Give the mask on the image's grid, or with its own affine."
        )


def _integers(array: Array) -> Array:
    """The labels in the smallest integer type that holds them.

    Raises:
        DecodeError: A label is not an integer, or int32 does not hold it.
    """
    if array.dtype.kind not in "biuf":
        raise DecodeError(f"Labels are integers, got values of type {array.dtype}.")
    if array.dtype.kind == "f":
        if not np.isfinite(array).all() or not np.array_equal(array, np.rint(array)):
            raise DecodeError("Labels are integers, got fractions. Threshold the mask first.")
    elif array.dtype == np.bool_:
        return array.astype(np.uint8)
    span = (int(array.min()), int(array.max())) if array.size else (0, 0)
    limits = stored_range(32, signed=True)
    if span[0] < limits[0] or span[1] > limits[1]:
        raise DecodeError(f"Labels from {span[0]} to {span[1]} do not fit int32. Number the labels from 1.")
    return array.astype(integer_type(span, keep_uint8=True), copy=False)


def _is_identity(affine: Affine) -> bool:
    return bool(np.allclose(affine.matrix @ SWAP_XYZ, np.eye(4), atol=1e-6))


def _refuse_other_unit(mask: HeaderFacts, image: HeaderFacts, grids: str) -> None:
    """Stop at a mask that would lie on the image if its unit of length, or the image's, were another.

    Raises:
        GeometryError: It would; the message names both units.
    """
    assert mask.affine is not None
    assert image.affine is not None
    for factor in _UNIT_FACTORS:
        scaled = Affine(np.diag([factor] * 3 + [1.0]) @ mask.affine.matrix)
        if _turn_between(scaled, mask.shape, image.affine, image.shape) is not None:
            raise GeometryError(
                f"it lies on another grid, equal to the image's but for a factor of {factor:g}, so a unit of length is "
                f"wrong: the header of the mask says {_unit_of(mask)}, that of the image {_unit_of(image)}. In mm the "
                f"{grids}. Write the right unit (nibabel: image.header.set_xyzt_units('mm'), or 'micron', or 'meter')."
            )


def _unit_of(facts: HeaderFacts) -> str:
    """The unit of length of a header, in words."""
    unit = str(facts.details.get("space_units", "mm"))
    return "no unit (taken for mm)" if unit == "unknown" else unit


def _corners(shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    return np.array(list(product(*((0, extent - 1) for extent in shape))), dtype=np.float64)


def _turn_between(
    mask: Affine, mask_shape: tuple[int, ...], image: Affine, image_shape: tuple[int, int, int]
) -> Turn | None:
    """The turn that lays the mask's grid on the image's, corner on corner, or None."""
    corners = _corners(image_shape)
    world = np.c_[image.points(corners), np.ones(len(corners))]
    to_image = np.linalg.inv(image.matrix)
    for axes in permutations(range(3)):
        if tuple(mask_shape[axis] for axis in axes) != tuple(image_shape):
            continue
        for flips in product((False, True), repeat=3):
            turn = Turn(axes=axes, flips=flips)
            turned = np.c_[turn.affine(mask, mask_shape).points(corners), np.ones(len(corners))]
            if float(np.abs((turned - world) @ to_image.T).max()) <= SAME_GRID:
                return turn
    return None
