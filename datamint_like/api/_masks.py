"""Masks as people have them (files, arrays, bytes), made ready for the store and held against their resource."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from datamint_like._warn import warn_user
from datamint_like.api._annotation_rows import Origin
from datamint_like.api._mask_frames import bytes_of, frames_of, name_of
from datamint_like.api._mask_names import MOST_COLOURS, MOST_LABELS, ClassNames, Colour, NamesGiven, class_names
from datamint_like.api._mask_payloads import SEGMENTED, opened
from datamint_like.api._segments import annotations_of, own_origin, segment_names
from datamint_like.backends.base import Backend, NewAnnotation, NewVolumeMask
from datamint_like.config import load_settings
from datamint_like.entities import Resource
from datamint_like.exceptions import DatamintWarning, DecodeError, GeometryError, ValidationError
from datamint_like.imaging.types import HeaderFacts

if TYPE_CHECKING:
    import nibabel
    import torch

MaskSource: TypeAlias = (
    "str | Path | bytes | npt.NDArray[Any] | torch.Tensor | nibabel.nifti1.Nifti1Image | Mapping[str, Any]"
)


@dataclass(frozen=True)
class Grid:
    """The resource that a mask is for: its name in messages, and its facts (shape, affine)."""

    name: str
    facts: HeaderFacts

    @classmethod
    def of_resource(cls, resource: Resource) -> Grid:
        """The grid that the facts of the upload tell.

        Raises:
            DecodeError: The resource's metadata does not tell its size.
        """
        from datamint_like.imaging import required_facts

        return cls(f"{resource.filename} ({resource.id})", required_facts(resource))


@dataclass(frozen=True)
class MaskOptions:
    """How masks are read and what their annotations carry besides the name.

    Attributes:
        resample: Bring NIfTI masks of another grid to that of the resource.
    """

    frame_index: int | Sequence[int] | None = None
    transpose: bool = False
    discard_empty: bool = True
    axes: Literal["xyz", "dhw"] = "xyz"
    resample: bool = False
    origin: Origin = field(default_factory=Origin)

    def __post_init__(self) -> None:
        """Refuse a text such as "no", which would count as True."""
        if not isinstance(self.resample, bool | np.bool_):
            raise ValidationError(f"resample_masks is True or False, not {self.resample!r:.80}.")

    def template(self) -> NewAnnotation:
        """An annotation with all but name, place and payload."""
        return self.origin.annotation("segmentation", "mask")


@dataclass(frozen=True)
class FrameMasks:
    """Masks that are annotations of their own: one a class and frame, or one a segment of a volume."""

    annotations: tuple[NewAnnotation, ...]


def plan_masks(source: MaskSource, names: NamesGiven, grid: Grid, options: MaskOptions) -> FrameMasks | NewVolumeMask:
    """The masks that a file or array comes to.

    A NIfTI file is a label map of the volume; a DICOM SEG or RTSTRUCT has its classes with their names and places.

    Raises:
        ValidationError, GeometryError, DecodeError: It cannot be used; the message names mask and resource.
    """
    source, kind = opened(source, None if options.resample else grid.facts.shape)
    if kind in SEGMENTED:
        return plan_segments(source, names, grid, options)
    if kind == "nifti":
        return plan_volume_mask(source, names, grid, options)
    return plan_frame_masks(source, names, grid, options)


def plan_frame_masks(source: MaskSource, names: NamesGiven, grid: Grid, options: MaskOptions) -> FrameMasks:
    """One annotation for each class on each frame."""
    from datamint_like.imaging import encode_frame_mask

    mask, classes = name_of(source), class_names(names)
    _refuse_resampling(options, mask, "has no grid of its own: it is taken pixel by pixel")
    frames = frames_of(source, grid.facts, grid.name, options.transpose, by_index=classes.by_number)
    indices = _frame_indices(len(frames), options.frame_index, grid, mask)
    if classes.automatic:
        classes.refuse_image(_values_of_all(frames), f"{mask} (for {grid.name})", most=MOST_COLOURS)
    template = options.template()
    made = [
        _frame_annotation(template, name, index, encode_frame_mask(where))
        for index, frame in zip(indices, frames, strict=True)
        for name, where in _classes_on(
            frame, classes, f"{mask} (for {grid.name})", keep_empty=not options.discard_empty
        )
    ]
    if not made:
        warn_user(f"{mask} holds background only, so no mask was stored.", DatamintWarning)
    return FrameMasks(tuple(made))


def plan_segments(source: MaskSource, names: NamesGiven, grid: Grid, options: MaskOptions) -> FrameMasks:
    """One annotation for each segment of a DICOM SEG or RTSTRUCT, or on pictures and videos for each frame of it."""
    from datamint_like.imaging import decode_segments

    mask = name_of(source)
    if options.transpose or options.frame_index is not None:
        raise ValidationError(
            f"{mask} says itself where its segments lie, so transpose_segmentation and frame_index are not for it."
        )
    _refuse_resampling(options, mask, "says itself where its segments lie, which must be the image's own voxels")
    try:
        found = decode_segments(bytes_of(source), grid.facts, name=mask)
    except (GeometryError, DecodeError) as error:
        raise type(error)(f"{error} It is for {grid.name}.") from error
    origin = own_origin(options.origin, found.instance_uid)
    made = annotations_of(found, grid.facts, origin, names=segment_names(found, class_names(names), mask))
    for note in found.notes:
        warn_user(f"{mask}: {note}", DatamintWarning)
    if not made:
        warn_user(f"{mask} holds background only, so no mask was stored.", DatamintWarning)
    return FrameMasks(tuple(made))


def plan_volume_mask(
    source: MaskSource, names: NamesGiven, grid: Grid, options: MaskOptions
) -> FrameMasks | NewVolumeMask:
    """The label map on the volume's grid, with a name for every label it holds; or the segments of a DICOM file."""
    from datamint_like.imaging import encode_volume_mask

    source, kind = opened(source, None if options.resample else grid.facts.shape)
    if kind in SEGMENTED:
        return plan_segments(source, names, grid, options)
    mask, classes = name_of(source), class_names(names)
    if options.transpose:
        raise NotImplementedError(
            'transpose_segmentation is for masks of frames. Say with axes="xyz" or axes="dhw" how a volume array lies.'
        )
    if isinstance(source, np.ndarray):
        _refuse_resampling(options, mask, "has no grid of its own: it is taken voxel by voxel")
    as_it_is = not (isinstance(source, np.ndarray) or options.axes == "dhw" or options.resample)
    payload = bytes_of(source) if as_it_is else None
    labels = _labels_of(source, grid, options, mask)
    found = np.unique(labels)
    classes.refuse_image(found[found != 0], f"{mask} (for {grid.name})", most=MOST_LABELS)
    present = [int(value) for value in found if value != 0]
    named = {value[0]: name for value, name in classes.of([(v, v, v) for v in present], mask).items()}
    if not present:
        outside = ", or what it marks lies outside the volume" if options.resample else ""
        raise ValidationError(f"{mask} holds background only{outside}: there is no mask to store for {grid.name}.")
    if len(set(named.values())) < len(named):  # several labels with one name are one class
        labels, named = _joined(labels, named)
        payload = None
    if payload is None:
        payload = encode_volume_mask(labels, grid.facts)
    return NewVolumeMask(payload, named, options.template())


def _refuse_resampling(options: MaskOptions, mask: str, why: str) -> None:
    """Stop where resampling is asked for, and the mask is none that can be brought to another grid."""
    if options.resample:
        raise ValidationError(f"resample_masks=True is for NIfTI masks, which have a grid of their own; {mask} {why}.")


def _labels_of(source: Any, grid: Grid, options: MaskOptions, mask: str) -> npt.NDArray[Any]:
    """The label map in the volume's stored orientation.

    Raises:
        GeometryError, DecodeError: It does not fit; the message names mask and resource.
    """
    from datamint_like.imaging import array_to_stored, decode_mask

    try:
        if isinstance(source, np.ndarray):
            return array_to_stored(source, grid.facts, axes=options.axes)
        resample, limit = bool(options.resample), load_settings().max_voxels
        payload = bytes_of(source)
        return decode_mask(payload, grid.facts, name=mask, axes=options.axes, max_voxels=limit, resample=resample)
    except (GeometryError, DecodeError) as error:
        told = str(error) if mask in str(error) else f"{mask}: {error}"
        raise type(error)(f"{told} It is for {grid.name}.{_other_axes(source, grid.facts, options.axes)}") from error


def _other_axes(source: Any, facts: HeaderFacts, axes: Literal["xyz", "dhw"]) -> str:
    """What to do about an array that would fit if its axes lay the other way; nothing where it would not."""
    from datamint_like.imaging.orientation import canonical_shape

    shapes = {"xyz": facts.shape[::-1], "dhw": canonical_shape(facts)[1:]}
    other = "dhw" if axes == "xyz" else "xyz"
    if not isinstance(source, np.ndarray) or source.shape == shapes[axes] or source.shape != shapes[other]:
        return ""
    meaning = "as items are, (D, H, W)" if other == "dhw" else "as nibabel shows it, (x, y, z)"
    return f' If it lies {meaning}, pass axes="{other}".'


def store_masks(backend: Backend, resource: Resource, planned: FrameMasks | NewVolumeMask) -> list[str]:
    """The ids of the new annotations, in order of frame, then class."""
    if isinstance(planned, NewVolumeMask):
        made = backend.upload_volume_mask(resource.id, planned.payload, planned.names, planned.template)
    else:
        made = backend.create_annotations(resource.id, planned.annotations) if planned.annotations else []
    return [annotation.id for annotation in made]


def _frame_annotation(template: NewAnnotation, name: str, index: int, payload: bytes) -> NewAnnotation:
    return replace(template, identifier=name, scope="frame", frame_index=index, payload=payload, payload_name=name)


def _classes_on(
    frame: npt.NDArray[Any], classes: ClassNames, mask: str, *, keep_empty: bool
) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    """For each class of one (J, I) or (J, I, 3) frame its name and where it is."""
    if classes.single is not None:
        shown: npt.NDArray[np.bool_] = (frame != 0).any(axis=-1) if frame.ndim == 3 else frame != 0
        return [(classes.single, shown)] if keep_empty or shown.any() else []
    by_name: dict[str, npt.NDArray[np.bool_]] = {}
    for value, name in classes.of(_values(frame), mask).items():
        where = (frame == value).all(axis=-1) if frame.ndim == 3 else frame == value[0]
        by_name[name] = by_name[name] | where if name in by_name else where
    if keep_empty:
        for name in classes.all():
            by_name.setdefault(name, np.zeros(frame.shape[:2], dtype=bool))
    return list(by_name.items())


def _values(frame: npt.NDArray[Any]) -> list[Colour]:
    """The values of a frame that are not background, ascending."""
    if frame.ndim == 2:
        return [(int(v), int(v), int(v)) for v in np.unique(frame) if v != 0]
    colours = np.unique(frame.reshape(-1, 3), axis=0)
    return [(int(r), int(g), int(b)) for r, g, b in colours if r or g or b]


def _values_of_all(frames: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """What frames hold besides background, each once: gray values (n,), or colours (n, 3) where one frame has some."""
    if all(frame.ndim == 2 for frame in frames):
        found: npt.NDArray[Any] = np.unique(np.concatenate([np.unique(frame) for frame in frames]))
        shown: npt.NDArray[Any] = found[found != 0]
        return shown
    return np.array(sorted({value for frame in frames for value in _values(frame)}))


def _frame_indices(count: int, given: int | Sequence[int] | None, grid: Grid, mask: str) -> list[int]:
    """Which frame of the resource each frame of the mask is for."""
    planes = grid.facts.shape[0]
    if given is None:
        if count != planes:
            raise ValidationError(
                f"{mask} has {count} frame(s) and {grid.name} has {planes}. Say with frame_index= which it is for."
            )
        return list(range(planes))
    given = given.tolist() if isinstance(given, np.ndarray) else given
    indices = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    odd = [index for index in indices if not isinstance(index, int | np.integer) or isinstance(index, bool)]
    if odd:
        raise ValidationError(f"frame_index is a whole number, or one for each frame of {mask}, not {odd[0]!r:.80}.")
    if len(indices) != count:
        raise ValidationError(f"{mask} has {count} frame(s), but frame_index names {len(indices)}: give one for each.")
    wrong = [index for index in indices if not 0 <= index < planes]
    if wrong:
        raise ValidationError(f"{grid.name} has frames 0 to {planes - 1}; there is no frame {wrong[0]}.")
    return [int(index) for index in indices]


def _joined(labels: npt.NDArray[Any], named: dict[int, str]) -> tuple[npt.NDArray[Any], dict[int, str]]:
    """The label map with one label a name."""
    codes = {name: code for code, name in enumerate(dict.fromkeys(named.values()), start=1)}
    joined = np.zeros(labels.shape, dtype=np.uint8 if len(codes) < 256 else np.int32)
    for label, name in named.items():
        joined[labels == label] = codes[name]
    return joined, {code: name for name, code in codes.items()}
