"""What is made of stored files once and kept in the server's cache folder: series as one file, planes of volumes."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from datamint_like._files import make_dirs, new_file, sha256_of
from datamint_like.backends.about import about
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.config import DEFAULT_MAX_VOXELS
from datamint_like.drawing.shading import shade_of
from datamint_like.entities import Part, Resource
from datamint_like.exceptions import CacheError, GeometryError, StorageError, ValidationError
from datamint_like.imaging import decode_stored, frame_axis_of, required_facts, turn_of
from datamint_like.imaging.registry import decoder_named
from datamint_like.imaging.types import HeaderFacts
from datamint_like.slices.packs import Content, PackKey, Packs

Array = npt.NDArray[Any]
FRAMES = "frames"
_AXES = ("axial", "coronal", "sagittal")
#: Changes whenever a derived file, or what is said of planes, may.
_VERSION = 1


def whole_file(store: LocalBackend, folder: Path, resource: Resource, parts: Sequence[Part]) -> tuple[Path, int, str]:
    """The one file that is made of several parts: where it lies, its length, its digest.

    It lies under a name made of its parts, in a folder of its own, called by its digest.

    Raises:
        StorageError: A part is gone, or the cache folder is full.
        DecodeError, GeometryError: The parts cannot be joined.
    """
    made_of = (_VERSION, *_source(required_facts(resource), parts))
    place = folder / "whole" / hashlib.sha256(msgspec.msgpack.encode(made_of)).hexdigest()
    found = next((path for path in _listed(place) if len(path.name) == hashlib.sha256().digest_size * 2), None)
    if found is None:
        try:
            found = _made(store, resource, place)
        except OSError as error:
            if isinstance(error, StorageError):
                raise
            raise StorageError(f"The cache folder of the server cannot be written: {error.strerror}.") from error
    return found, found.stat().st_size, found.name


def _made(store: LocalBackend, resource: Resource, place: Path) -> Path:
    make_dirs(place)
    new = place / secrets.token_hex(8)
    with store.open_resource_file(resource.id) as file, new_file(new, durable=False) as target:
        shutil.copyfileobj(file, target)
    return new.replace(place / sha256_of(new))


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # nothing of it was made yet
        return []


@dataclass(frozen=True)
class Plane:
    """One plane of a resource.

    Attributes:
        array: (C, H, W), the values that the file means.
        facts: Of the whole: whether it is colour, else the window through which it is shown.
    """

    array: Array
    facts: dict[str, Any]


class Planes:
    """The planes of resources, out of slice packs: a volume is decoded when one is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._packs = Packs(folder)

    def plane(self, store: LocalBackend, resource: Resource, parts: Sequence[Part], axis: str, index: int) -> Plane:
        """One plane along an axis: `"axial"` (or `"0"`), `"coronal"`, `"sagittal"`, or `"frames"` as stored.

        Raises:
            ValidationError: There is no such axis or plane.
            DecodeError, GeometryError, StorageError: The files cannot be read.
        """
        volume = _Volume(store, resource, tuple(parts), _axis_named(axis))
        if not 0 <= index < volume.count:
            raise ValidationError(
                f"Resource {resource.id} has {volume.count} planes along {volume.axis}, from 0; there is no {index}."
            )
        pack = self._packs.find(volume.key)
        if pack is None:
            made = self._packs.build(volume.key, volume.content)
            if isinstance(made, Content):
                return Plane(made.slices[index], made.facts)
            pack = made
        try:
            array = pack.read(index)
        except CacheError as error:
            self._packs.discard(volume.key, error)
            return self.plane(store, resource, parts, axis, index)
        return Plane(array, pack.facts)


@dataclass(frozen=True)
class _Volume:
    """A resource to be cut along one axis."""

    store: LocalBackend
    resource: Resource
    parts: tuple[Part, ...]
    axis: str

    @cached_property
    def facts(self) -> HeaderFacts:
        return required_facts(self.resource)

    @property
    def shape(self) -> tuple[int, ...]:
        """Planes along each axis of the array that is cut."""
        return self.facts.shape if self.axis == FRAMES else tuple(turn_of(self.facts).shape(self.facts.shape))

    @property
    def count(self) -> int:
        return self.shape[self._along]

    @property
    def key(self) -> PackKey:
        return PackKey(self.axis, ("server", _VERSION, *_source(self.facts, self.parts)))

    def content(self) -> Content:
        """All planes, and how they are shown.

        Raises:
            GeometryError: The stored planes are uneven, and these would lie across them.
        """
        if self.axis != FRAMES and self.facts.irregularity and frame_axis_of(self.facts)[0] != self._along:
            raise GeometryError(
                f"Resource {self.resource.id} ({self.resource.filename}): {self.facts.irregularity} "
                f"Ask for {_AXES[frame_axis_of(self.facts)[0]]} slices, or for frames."
            )
        files = self.store.blobs()
        paths = [files.part_path(part, self.resource.filename) for part in self.parts]
        with about(self.resource):
            names = [part.filename for part in self.parts]
            stored = decode_stored(paths, self.facts, max_voxels=DEFAULT_MAX_VOXELS, names=names).array
        whole = stored if self.axis == FRAMES else turn_of(self.facts).array(stored)
        planes = [np.moveaxis(whole, 1 + self._along, 0)[n] for n in range(self.count)]
        return Content(planes, self._shown(stored))

    @property
    def _along(self) -> int:
        return 0 if self.axis == FRAMES else _AXES.index(self.axis)

    def _shown(self, stored: Array) -> dict[str, Any]:
        if stored.dtype == np.uint8 and stored.shape[0] in (3, 4) and self.facts.format != "nifti":
            return {"colour": True}
        header = {"header": self.facts.details, "units": self.facts.units}
        window = shade_of(stored[:1], header, native=True).window
        return {"colour": False, "window": [float(window.center), float(window.width), window.function]}


def _axis_named(axis: str) -> str:
    if axis in ("0", "1", "2"):
        return _AXES[int(axis)]
    if axis in (*_AXES, FRAMES):
        return axis
    raise ValidationError(f"An axis is one of {', '.join((*_AXES, FRAMES))}, 0, 1, 2; {axis!r:.80} is none.")


def _source(facts: HeaderFacts, parts: Sequence[Part]) -> tuple[str | int, ...]:
    """What the pixels of a resource follow from."""
    decoder = decoder_named(facts.format)
    return decoder.format, decoder.version, facts.dtype, *(part.sha256 for part in parts)
