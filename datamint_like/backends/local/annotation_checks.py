"""Whether a new annotation makes sense on its resource; nothing here touches the database."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from datamint_like import imaging
from datamint_like.backends.base import NewAnnotation
from datamint_like.backends.local.changes import given_texts, json_ready, name, one_of
from datamint_like.entities import ANNOTATION_TYPES, FILE_TYPES, NUMERIC_TYPES
from datamint_like.exceptions import DecodeError, GeometryError, ValidationError
from datamint_like.imaging.sniff import is_gzip, is_picture, picture_extension
from datamint_like.imaging.types import Array, HeaderFacts

_DRAWN = frozenset({"point", "line", "region", "square", "circle", "spline"})
_MEASURED = frozenset({"area", "distance", "angle"})  # a geometry, a number, or both
_TEXTUAL = frozenset({"category", "text"})
_LARGEST = 2**53  # values are kept in float64, which holds every integer up to here


def columns_of(
    new: NewAnnotation, facts: HeaderFacts, filename: str, *, file_comes_later: bool = False
) -> dict[str, Any]:
    """The columns that describe `new`, checked against the resource named `filename`.

    Args:
        new: The annotation.
        facts: Header facts of the resource.
        filename: Its name, for messages.
        file_comes_later: Whether a segmentation may come without its file.

    Raises:
        ValidationError: The type, scope, identifier, frame, value, geometry or payload does not fit.
        GeometryError: The mask lies on another grid than the resource.
    """
    name(new.identifier, "The identifier of an annotation")
    what = f"annotation {new.identifier!r} of resource {filename!r}"
    _need_author(new, what)
    one_of(new.type, ANNOTATION_TYPES, f"The type of {what}")
    one_of(new.scope, ("image", "frame"), f"The scope of {what}")
    frame = _frame(new, facts, what)
    text, number = value_columns(new.type, new.value, what)
    _need_payload(new, what, optional=file_comes_later)
    if new.payload is not None:
        mask_of(new.payload, facts, frame, what)
    return {
        "identifier": new.identifier,
        "scope": new.scope,
        "annotation_type": new.type,
        "frame_index": frame,
        "text_value": text,
        "numeric_value": number,
        "units": new.units,
        "geometry": geometry_column(new.type, new.geometry, number, what),
    }


def value_columns(kind: str, value: Any, what: str) -> tuple[str | None, float | None]:
    """(text, number): where a value of this type of annotation goes.

    Raises:
        ValidationError: A category or text without text, an integer or float without number, a label with a value.
    """
    if kind in _TEXTUAL:
        return name(value, f"The value of {what} (a {kind})"), None
    if kind in NUMERIC_TYPES:
        return None, _number(kind, value, what)
    if value is None:
        return None, None
    if kind == "label":
        raise ValidationError(f"The {what} is a label and takes no value; a category does.")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return None, _number("float", value, what)
    return name(value, f"The value of {what}"), None


def geometry_column(kind: str, geometry: Mapping[str, Any] | None, number: float | None, what: str) -> Any:
    """The geometry as JSON, or None for types that may lack one.

    Raises:
        ValidationError: It is missing, not JSON-ready, or of a type that has none.
    """
    if geometry is not None and not isinstance(geometry, (Mapping, list, tuple)):
        raise ValidationError(f"The geometry of {what} must be a mapping, such as {{'points': [[x, y, z], ...]}}.")
    if geometry and kind not in _DRAWN | _MEASURED:
        raise ValidationError(f"The {what} is a {kind} and takes no geometry; a point, line or region does.")
    if geometry:
        return json_ready(geometry, f"The geometry of {what}")
    if kind in _DRAWN or (kind in _MEASURED and number is None):
        raise ValidationError(f"The {what} is a {kind} and needs a geometry, such as {{'points': [[x, y, z], ...]}}.")
    return None


def mask_of(payload: bytes, facts: HeaderFacts, frame: int | None, what: str) -> Array:
    """The mask in a payload: (J, I) for one frame, (K, J, I) for all, on the resource's grid.

    Raises:
        ValidationError: The payload is no mask.
        GeometryError: It lies on another grid.
    """
    name_of_mask = f"the mask of {what}"
    picture = is_picture(payload)
    try:
        if frame is not None or (picture and facts.shape[0] == 1):
            return _on_grid(imaging.decode_frame_mask(payload, facts, name=name_of_mask), facts.shape[1:], what)
        if picture:
            raise ValidationError(
                f"The {what} is a picture, the resource has {facts.shape[0]} planes: "
                "give scope 'frame' and a frame_index, or a NIfTI."
            )
        return _on_grid(imaging.decode_mask(payload, facts, name=name_of_mask), facts.shape, what)
    except DecodeError as error:
        raise ValidationError(str(error)) from error


def payload_name(new: NewAnnotation) -> str:
    """Base name of an annotation's file."""
    given = PurePath(new.payload_name).name if new.payload_name else ""
    if given:
        return given
    head = new.payload or b""
    ending = picture_extension(head) or (".nii.gz" if is_gzip(head) else ".nii")
    stem = PurePath(new.identifier.replace("/", "_").replace("\\", "_")).name
    return f"{stem or 'mask'}{ending}"


def _frame(new: NewAnnotation, facts: HeaderFacts, what: str) -> int | None:
    planes, frame = facts.shape[0], new.frame_index
    if new.scope == "image":
        if frame is not None:
            raise ValidationError(
                f"The {what} has scope 'image' and frame_index {frame}: give scope 'frame', or no index."
            )
        return None
    if frame is None and planes == 1:
        return 0
    if not isinstance(frame, (int, np.integer)) or isinstance(frame, bool) or not 0 <= frame < planes:
        raise ValidationError(f"The {what} has frame_index {frame!r}; the resource has frames 0 to {planes - 1}.")
    return int(frame)


def _number(kind: str, value: Any, what: str) -> float:
    try:
        number = float(value)
        lost = _loses_digits(value, number)
    except (TypeError, ValueError, OverflowError):
        number, lost = math.nan, False
    if isinstance(value, bool) or not math.isfinite(number) or (kind == "integer" and number != int(number)):
        raise ValidationError(f"The value of {what} must be a finite {kind}, not {value!r:.80}.")
    if lost or (kind == "integer" and abs(number) > _LARGEST):
        raise ValidationError(
            f"The value of {what} is {value!r:.80}, which cannot be kept to the last digit: values are kept in "
            f"float64, which holds the integers from -2**53 to 2**53 ({_LARGEST}). Store it as a text."
        )
    return number


def _loses_digits(value: Any, number: float) -> bool:
    """Whether the integer that `value` is or spells differs from `number`, its float64."""
    if isinstance(value, str) and value.strip().lstrip("+-").isdecimal():
        value = int(value)
    return isinstance(value, (int, np.integer)) and int(value) != number


def _need_author(new: NewAnnotation, what: str) -> None:
    """The author's text is not told: what was given in place of an e-mail may be anything."""
    texts = (new.author, new.model_id, new.worklist_id, new.imported_from, new.source, new.units)
    if not all(text is None or isinstance(text, str) for text in texts):
        raise ValidationError(
            f"The author, model_id, worklist_id, imported_from, source and units of {what} must be texts."
        )
    if new.author is not None and "@" not in new.author:
        raise ValidationError(f"The author of {what} must be an e-mail address, with an '@' in it.")


def _need_payload(new: NewAnnotation, what: str, *, optional: bool) -> None:
    given_texts(payload_name=new.payload_name)
    if new.payload is not None and not isinstance(new.payload, bytes):
        raise ValidationError(f"The file of {what} must be given as bytes.")
    if new.type in FILE_TYPES and not new.payload and not (optional and new.payload is None):
        raise ValidationError(
            f"The {what} is a segmentation and needs a file: a PNG for a frame, a NIfTI for a volume."
        )
    if new.type not in FILE_TYPES and new.payload is not None:
        raise ValidationError(f"The {what} is a {new.type} and takes no file.")


def _on_grid(mask: Array, shape: tuple[int, ...], what: str) -> Array:
    if mask.shape != tuple(shape):
        raise GeometryError(f"The mask of {what} has shape {mask.shape}; the resource's is {tuple(shape)}.")
    return mask
