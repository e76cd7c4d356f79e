"""What a decoder says of a file: facts from its header, and its array in stored orientation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from datamint_like.config import DEFAULT_MAX_VOXELS
from datamint_like.exceptions import ValidationError
from datamint_like.imaging._option_forms import DTYPES as DTYPES
from datamint_like.imaging._option_forms import Intensity as Intensity
from datamint_like.imaging._option_forms import Orientation as Orientation
from datamint_like.imaging._option_forms import check_window_fits, checked_dtype, checked_intensity, stable_repr
from datamint_like.imaging.affine import Affine

Kind = Literal["image", "volume", "video"]
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class HeaderFacts:
    """What the header of a resource tells, without touching pixels.

    Stored orientation is the file's own: planes k, rows j, columns i (a NIfTI's x is i, its z is k).

    Attributes:
        format: `"dicom"`, `"nifti"`, `"raster"` or `"tiff"`; names the decoder.
        kind: What the resource is to a dataset class.
        mimetype: Media type of the first file.
        channels: C of the decoded array.
        shape: Stored planes, rows, columns (k, j, i).
        dtype: Type of the decoded array, by the header alone (`"int16"`, `"float32"`, ...).
        affine: Array index (k, j, i) to patient RAS+ mm; None where the file carries no geometry.
        plane_origins: Patient RAS+ mm of pixel (0, 0) of each plane, for irregularly spaced planes only.
        irregularity: One sentence (where, how many mm) when planes are missing or unevenly spaced, else None.
        units: `"HU"` for rescaled CT, else None.
        modality, patient_id, study_uid, series_uid, instance_uid: As the header has them.
        details: Further header facts that are JSON-ready and carry no identity.
    """

    format: str
    kind: Kind
    mimetype: str
    channels: int
    shape: tuple[int, int, int]
    dtype: str
    affine: Affine | None = None
    plane_origins: tuple[tuple[float, float, float], ...] | None = None
    irregularity: str | None = None
    units: str | None = None
    modality: str | None = None
    patient_id: str | None = None
    study_uid: str | None = None
    series_uid: str | None = None
    instance_uid: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredImage:
    """A decoded resource in stored orientation: `array` (C, K, J, I) with the values the file means."""

    array: Array
    facts: HeaderFacts


@dataclass(frozen=True)
class SourceFile:
    """One part of a resource: where its bytes lie, and what messages call it (its file name)."""

    path: Path
    name: str


class Decoder(Protocol):
    """One file format. Bytes in, facts or a `StoredImage` out.

    Promises:
        * `accepts` looks at the first bytes and the name only.
        * `probe` decodes no pixel, and refuses a file whose length or end mark shows that it was cut.
        * `decode` returns exactly the shape and dtype that `probe` said, or the dtype that was asked for.
        * Whatever is wrong with a file comes out as `DecodeError` or `GeometryError` with its name.
        * `files` are the resource's parts in order; nothing but these files is read, nothing is written.

    Attributes:
        format: The name that `HeaderFacts.format` carries.
        version: Changes whenever decoded values may; part of every cache key.
    """

    format: str
    version: int

    def accepts(self, head: bytes, filename: str) -> bool:
        """Whether a file that starts with `head` (at least 512 bytes where it has them) is of this format."""

    def probe(self, files: Sequence[SourceFile]) -> HeaderFacts:
        """The facts of the resource whose parts these are."""

    def decode(self, files: Sequence[SourceFile], *, max_voxels: int, dtype: str | None = None) -> StoredImage:
        """The decoded resource; refused before allocation when it claims more than `max_voxels`.

        `dtype` is the type to compute in, at least as wide as the header's (`values.computed_type`).
        """


@dataclass(frozen=True)
class Group:
    """Files that make one resource: its parts in order, a name for it, and its facts."""

    paths: tuple[Path, ...]
    filename: str
    facts: HeaderFacts


@dataclass(frozen=True)
class Skipped:
    """A file that became no resource, and the reason in words.

    Attributes:
        series_uid: Its Series Instance UID where it is a DICOM image that cannot be read and still tells it.
    """

    path: Path
    reason: str
    series_uid: str | None = None


@dataclass(frozen=True)
class References:
    """What a segmentation or structure set (DICOM SEG, RTSTRUCT) was drawn on, and its own UID.

    Attributes:
        instance_uid: Its own SOP Instance UID; empty where it has none.
        study_uid: The study that it is part of; empty where it names none.
        series_uids: The series that it was drawn on, as it names them.
        instance_uids: The images (SOP Instance UIDs) that it was drawn on, as it names them.
        frames_of_reference: The frames of reference that its positions are in.
    """

    kind: Literal["seg", "rtstruct"]
    instance_uid: str
    study_uid: str
    series_uids: tuple[str, ...]
    instance_uids: frozenset[str]
    frames_of_reference: tuple[str, ...]


@dataclass(frozen=True)
class AnnotationFile:
    """A file that is no resource but says something of one: a segmentation or a structure set.

    Attributes:
        images: The files assembled with it that it references one by one (by SOP Instance UID).
    """

    path: Path
    references: References
    images: frozenset[Path] = frozenset()


@dataclass(frozen=True)
class Assembly:
    """What a set of files is: resources, files left out with reasons, and files with annotations of resources."""

    groups: tuple[Group, ...]
    skipped: tuple[Skipped, ...]
    annotations: tuple[AnnotationFile, ...] = ()


@dataclass(frozen=True, repr=False)
class ReadOptions:
    """How a resource is read into an item.

    Values are computed in the header's type (wider where `dtype` holds more), changed by `intensity`, then
    converted to `dtype`. Nothing depends on a single slice: a volume and its slices carry equal values.

    Attributes:
        irregular_spacing: `"raise"` or `"keep"`: what a volume with missing or uneven planes gives.
        max_voxels: Refuse headers that claim more.
        dtype: Type of the array, one of `DTYPES`; None keeps what the header decides. Fractions are rounded
            to the nearest integer; values that do not fit are an error, never wrapped.
        intensity: What the values become:

            * `"native"`: what the file means.
            * `("window", center, width)`: float32 in [0, 1] by the linear function of PS3.3 C.11.2.1.2.1, the
              center and width (at least 1) in the units of the values (HU for a CT); not with a `dtype` of whole
              numbers.
            * `"dicom-window"`: float32 in [0, 1] by the VOI LUT or the first window of the (first) file.
            * `("clip", low, high)`: values below and above are set to the limits; the type stays.
            * a callable: gets the array (C, D, H, W) of the item and returns one of the same shape.

        orientation: `"canonical"` turns a volume to the patient's axes (D, H, W); `"native"` keeps the file's
            own order (k, j, i) of stored planes, rows, columns, with the affine that belongs to it.

    Raises:
        ValidationError: An option has none of its forms.

    Example:
        >>> ReadOptions(dtype="float16", intensity=("window", 40, 400))
        ReadOptions(dtype='float16', intensity=('window', 40.0, 400.0))
    """

    irregular_spacing: Literal["raise", "keep"] = "raise"
    max_voxels: int = DEFAULT_MAX_VOXELS
    dtype: str | None = None
    intensity: Intensity = "native"
    orientation: Orientation = "canonical"

    def __post_init__(self) -> None:
        if self.irregular_spacing not in ("raise", "keep"):
            raise ValidationError(f"irregular_spacing is 'raise' or 'keep', not {self.irregular_spacing!r}.")
        if self.orientation not in ("canonical", "native"):
            raise ValidationError(f"orientation is 'canonical' or 'native', not {self.orientation!r}.")
        checked_dtype(self.dtype)
        object.__setattr__(self, "intensity", checked_intensity(self.intensity))
        check_window_fits(self.intensity, self.dtype)

    def __repr__(self) -> str:
        """The options that are not at their default; equal in every process for equal options."""
        given = ((f.name, getattr(self, f.name)) for f in fields(self) if getattr(self, f.name) != f.default)
        return f"ReadOptions({', '.join(f'{name}={stable_repr(value)}' for name, value in given)})"


@dataclass(frozen=True)
class Place:
    """Where the array of an item lies in the patient, by header facts alone.

    Attributes:
        affine: Array index (d, h, w) to patient RAS+ mm, or None.
        plane_origins: (planes, 3) patient RAS+ mm of the corner of each plane of `frame_axis`, for irregular
            series only.
        frame_axis: Which of 0 (D), 1 (H), 2 (W) the stored planes lie along.
        frame_flipped: Whether stored plane 0 is the last index of `frame_axis`.
        facts: The header facts (stored orientation).

    Example:
        >>> from datamint_like.imaging import place_of, required_facts
        >>> place = place_of(required_facts(head))
        >>> place.orientation, place.spacing[0], place.frame_axis
        ('SPL', 1.0, 0)
    """

    affine: Affine | None
    plane_origins: npt.NDArray[np.float64] | None
    frame_axis: int
    frame_flipped: bool
    facts: HeaderFacts

    @cached_property
    def spacing(self) -> tuple[float, float, float] | None:
        """Mm along d, h, w, or None without geometry."""
        return None if self.affine is None else self.affine.spacing

    @cached_property
    def orientation(self) -> str | None:
        """Three letters: where d, h, w grow towards, or None without geometry."""
        return None if self.affine is None else self.affine.orientation


@dataclass(frozen=True)
class Decoded(Place):
    """A resource ready for an item, and its place.

    Attributes:
        array: (C, D, H, W); volumes in canonical orientation (D to superior, H to posterior, W to the
            patient's left) unless the options keep the native one, images and videos as stored (image: D = 1,
            video: D = frames).
    """

    array: Array
