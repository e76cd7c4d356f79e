"""What a decoder says of a file: facts from its header, and its array in stored orientation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from datamint_like.imaging.affine import Affine

Kind = Literal["image", "volume", "video"]
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class HeaderFacts:
    """What the header of a resource tells, without touching pixels.

    Stored orientation is the file's own: planes k, rows j, columns i (a NIfTI's x is i, its z is k).

    Attributes:
        format: `"dicom"`, `"nifti"` or `"raster"`; names the decoder.
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


class Decoder(Protocol):
    """One file format. Bytes in, facts or a `StoredImage` out.

    Promises:
        * `accepts` looks at the first bytes and the name only.
        * `probe` never touches pixels; `decode` returns exactly the shape and dtype that `probe` said.
        * Whatever is wrong with a file comes out as `DecodeError` or `GeometryError` with its base name.
        * `paths` are the resource's parts in order; nothing but these files is read, nothing is written.

    Attributes:
        format: The name that `HeaderFacts.format` carries.
        version: Changes whenever decoded values may; part of every cache key.
    """

    format: str
    version: int

    def accepts(self, head: bytes, filename: str) -> bool:
        """Whether a file that starts with `head` (at least 512 bytes where it has them) is of this format."""

    def probe(self, paths: Sequence[Path]) -> HeaderFacts:
        """The facts of the resource whose parts these are."""

    def decode(self, paths: Sequence[Path], *, max_voxels: int) -> StoredImage:
        """The decoded resource; refused before allocation when it claims more than `max_voxels`."""


@dataclass(frozen=True)
class Group:
    """Files that make one resource: its parts in order, a name for it, and its facts."""

    paths: tuple[Path, ...]
    filename: str
    facts: HeaderFacts


@dataclass(frozen=True)
class Skipped:
    """A file that became no resource, and the reason in words."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Assembly:
    """What a set of files is: resources, and files left out with reasons."""

    groups: tuple[Group, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class ReadOptions:
    """How a resource is read into an item.

    Attributes:
        irregular_spacing: `"raise"` or `"keep"`: what a volume with missing or uneven planes gives.
        max_voxels: Refuse headers that claim more.
    """

    irregular_spacing: Literal["raise", "keep"] = "raise"
    max_voxels: int = 8 * 1024**3


@dataclass(frozen=True)
class Decoded:
    """A resource ready for an item.

    Attributes:
        array: (C, D, H, W); volumes in canonical orientation (D to superior, H to posterior, W to the
            patient's left), images and videos as stored (image: D = 1, video: D = frames).
        affine: Array index (d, h, w) to patient RAS+ mm, or None.
        plane_origins: (planes, 3) patient RAS+ mm of the corner of each plane of `frame_axis`, for irregular
            series only.
        frame_axis: Which of 0 (D), 1 (H), 2 (W) the stored planes lie along.
        frame_flipped: Whether stored plane 0 is the last index of `frame_axis`.
        facts: The header facts (stored orientation).
    """

    array: Array
    affine: Affine | None
    plane_origins: npt.NDArray[np.float64] | None
    frame_axis: int
    frame_flipped: bool
    facts: HeaderFacts
