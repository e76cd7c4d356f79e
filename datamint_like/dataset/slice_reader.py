"""From a slice of a volume to its pixels and masks: out of memory, else out of its pack, else by decoding once.

Promises: a volume is decoded once however its slices are read, in whichever process; a slice equals the cut of its
volume; what is handed out may be shared, so callers copy before they change it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any, overload

import msgspec
import numpy as np
import numpy.typing as npt

from datamint_like.dataset.cut import AxisName, Cut, Plane
from datamint_like.dataset.one_stack import one_stack
from datamint_like.dataset.reader import Masks, Reader
from datamint_like.dataset.voxel_counts import MaskVoxels, counts_on_slices, mask_voxels
from datamint_like.entities import Annotation
from datamint_like.exceptions import CacheError
from datamint_like.imaging import place_of, turn_of
from datamint_like.imaging._reading_errors import reading
from datamint_like.imaging.intensity import finished, type_to_decode
from datamint_like.imaging.registry import decoder_named
from datamint_like.imaging.types import Decoded, HeaderFacts, Orientation, Place, ReadOptions
from datamint_like.slices.lru import ByteLRU
from datamint_like.slices.pack import Pack
from datamint_like.slices.packs import Content, PackKey
from datamint_like.slices.raw_pack import RawPack

Array = npt.NDArray[Any]
#: Changes whenever the stack of masks of equal annotations, or what is said of it, may.
_MASKS_VERSION = 2
#: What a pack is called, and what makes its content.
_Pack = tuple[PackKey, Callable[[], Content]]
#: Packs that a process has open at once.
_OPEN = 64
#: Volumes whose facts a process remembers.
_VOLUMES = 256


@dataclass(frozen=True)
class Volume:
    """What all slices of a row share.

    Attributes:
        row: Its row of the snapshot.
        filename: What messages call it.
        facts: Its header facts.
        place: Where its item lies in the patient.
        axis: Along which axis of the item's array the slices lie.
        plane_name: The anatomical plane that they lie in, or come closest to; None for frames of a video.
        orientation: That of the item's array.
    """

    row: int
    filename: str
    facts: HeaderFacts
    place: Place
    axis: int
    plane_name: AxisName | None
    orientation: Orientation

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """(D, H, W) of the item."""
        d, h, w = turn_of(self.facts, self.orientation).shape(self.facts.shape)
        return d, h, w

    @property
    def count(self) -> int:
        """How many slices there are."""
        return self.shape[self.axis]

    def slice_of_frame(self, frame: int) -> int:
        """Which slice a stored plane is, and the other way round; slices lie along the stored planes."""
        return self.facts.shape[0] - 1 - frame if self.place.frame_flipped else frame


@dataclass(frozen=True)
class Slice:
    """One slice of a volume."""

    volume: Volume
    index: int

    @property
    def plane(self) -> Plane:
        """Its place in the item's array."""
        return Plane(self.volume.axis, self.index)

    @property
    def stored_frame(self) -> int | None:
        """The stored plane that it is, or None where slices run across the stored planes."""
        if self.volume.axis != self.volume.place.frame_axis:
            return None
        return self.volume.slice_of_frame(self.index)


@dataclass(frozen=True)
class _Found:
    """A slice, what belongs to all slices of its pack, and whether memory or a file holds it already."""

    array: Array
    facts: dict[str, Any]
    held: bool


class SliceReader:
    """Reads the slices along one cut of the rows of a `Reader`, in this process."""

    def __init__(self, reader: Reader, cut: Cut) -> None:
        self.reader = reader
        self.cut = cut
        self._options = reader.options
        self._recent: ByteLRU[Any] = ByteLRU(reader.options.memory_cache, weigh=_weight)
        self._open: ByteLRU[Pack | RawPack | None] = ByteLRU(_OPEN, weigh=lambda _: 1)
        self._volumes: ByteLRU[Volume] = ByteLRU(_VOLUMES, weigh=lambda _: 1)
        self._keys: ByteLRU[PackKey] = ByteLRU(2 * _VOLUMES, weigh=lambda _: 1)
        self._voxels: ByteLRU[list[MaskVoxels]] = ByteLRU(_VOLUMES, weigh=lambda _: 1)

    def volume(self, row: int) -> Volume:
        """What all slices of a row share."""
        return self._volumes.get(row, lambda: self._volume(row))

    def image(self, wanted: Slice) -> Array:
        """The values (C, H, W) of a slice, as the options want them; not to be changed."""
        read = self._options.read
        if callable(read.intensity):
            row = wanted.volume.row
            return wanted.plane.of(self._recent.get(("image", row), lambda: self._whole(row).array))
        key = ("image", wanted.volume.row, wanted.index)
        found: Array | None = self._recent.held_value(key)
        if found is None:
            planes = self._planes(wanted, *self._image_pack(wanted.volume))
            asked = "native" if read.intensity == "dicom-window" else read.intensity
            found = planes.array
            if asked != "native" or read.dtype is not None:
                with reading(wanted.volume.filename):
                    found = finished(found, asked, read.dtype)
            if not planes.held:
                self._recent.put(key, found)
        return found

    def masks(self, wanted: Slice, annotations: Sequence[Annotation]) -> Masks:
        """The masks (n, H, W) of a slice by author, of the annotations that the dataset keeps; not to be changed."""
        drawn = [each for each in annotations if each.is_segmentation()]
        if not drawn:
            return {}
        key = ("masks", wanted.volume.row, wanted.index)
        found: _Found | None = self._recent.held_value(key)
        if found is None:
            found = self._planes(wanted, *self._masks_pack(wanted.volume, drawn))
            if not found.held:
                self._recent.put(key, found)
        return self._by_author(found)

    def mask_voxels(self, volume: Volume, annotations: Sequence[Annotation]) -> list[MaskVoxels]:
        """How many voxels each mask of a volume has on each slice; `annotations` are those the dataset keeps."""
        drawn = [each for each in annotations if each.is_segmentation()]
        if not drawn:
            return []

        def counted() -> list[MaskVoxels]:
            found = self._planes(Slice(volume, 0), *self._masks_pack(volume, drawn))
            return list(mask_voxels(found.facts, volume.count))

        return self._voxels.get(volume.row, counted)

    def pack_image(self, volume: Volume) -> bool:
        """Pack the slices of a volume, and whether that had to be done.

        Raises:
            CacheError: They cannot be written.
        """
        return self._options.packs.ensure(*self._image_pack(volume))

    def pack_what_is_free(self, rows: Iterable[int]) -> None:
        """Pack the slices of those of some volumes that lack it, but for those that another process is packing.

        Who then reads them, in whichever order, waits for what others do only when nothing else is left to do. What
        fails is left to who reads it, and so are volumes beyond those whose packs can be open at once: to look at them
        here would be to open each twice.
        """
        missing: list[_Pack] = []
        for row in islice(dict.fromkeys(rows), _OPEN):
            with suppress(Exception):  # whatever it is, it is told of the item that it concerns
                pack = self._image_pack(self.volume(row))
                if self._lacks(pack[0]):
                    missing.append(pack)
        for key, make in missing if len(missing) > 1 else ():
            self._open.forget(key)
            with suppress(Exception):  # the same
                self._options.packs.build_if_free(key, partial(self._made, key, make))

    def _lacks(self, key: PackKey) -> bool:
        """Whether neither memory nor the cache folder holds a pack."""
        held = self._recent.held_value(key) or self._open.get(key, lambda: self._options.packs.find(key))
        return held is None

    def pack_masks(self, volume: Volume, annotations: Sequence[Annotation]) -> bool:
        """Pack the masks of the slices of a volume, where there are any, and whether that had to be done.

        Raises:
            CacheError: They cannot be written.
        """
        drawn = [each for each in annotations if each.is_segmentation()]
        return bool(drawn) and self._options.packs.ensure(*self._masks_pack(volume, drawn))

    def pack_paths(self, volume: Volume, annotations: Sequence[Annotation]) -> list[Path]:
        """Where the packs of a volume lie, or will: of its slices and, where there are any, of their masks."""
        drawn = [each for each in annotations if each.is_segmentation()]
        packs = [self._image_pack(volume), *([self._masks_pack(volume, drawn)] if drawn else [])]
        return [self._options.packs.path(key) for key, _ in packs]

    def _image_pack(self, volume: Volume) -> _Pack:
        key = self._keys.get(("image", volume.row), lambda: self._image_key(volume))
        return key, lambda: self._values(volume)

    def _masks_pack(self, volume: Volume, drawn: Sequence[Annotation]) -> _Pack:
        key = self._keys.get(("masks", volume.row), lambda: self._masks_key(volume, drawn))
        return key, lambda: self._stack(volume)

    def _volume(self, row: int) -> Volume:
        record = self.reader.record(row)
        facts = record.facts
        return Volume(
            row=row,
            filename=record.resource.filename,
            facts=facts,
            place=place_of(facts, self.cut.orientation),
            axis=self.cut.array_axis(facts),
            plane_name=self.cut.name(facts),
            orientation=self.cut.orientation,
        )

    def _stored_options(self, facts: HeaderFacts) -> ReadOptions:
        """How the volume is read whose slices are packed: values as the header has them, or by its own window."""
        read = self._options.read
        dtype = type_to_decode(facts, read)
        return ReadOptions(
            irregular_spacing="keep",
            max_voxels=read.max_voxels,
            orientation=read.orientation,
            dtype=None if dtype == facts.dtype or read.intensity == "dicom-window" else dtype,
            intensity="dicom-window" if read.intensity == "dicom-window" else "native",
        )

    def _whole(self, row: int, options: ReadOptions | None = None) -> Decoded:
        return self.reader.image(self.reader.record(row), options)

    def _values(self, volume: Volume) -> Content:
        """The slices of the whole volume."""
        whole = self._whole(volume.row, self._stored_options(volume.facts))
        return Content(_Planes(whole.array, volume.axis), {})

    def _stack(self, volume: Volume) -> Content:
        """The slices of all masks of the volume, one author after another, and whose they are."""
        names = {code: name for name, code in self._codes.items()}
        reader = self.reader
        masks = reader.masks(reader.record(volume.row))
        authors = [[author, [names[int(code)] for code in codes]] for author, (_, codes) in masks.items()]
        whole = one_stack([each for each, _ in masks.values()])
        facts = {"authors": authors, "voxels": counts_on_slices(whole, volume.axis)}
        return Content(_Planes(whole, volume.axis), facts)

    def _by_author(self, found: _Found) -> Masks:
        result: Masks = {}
        first = 0
        for author, names in found.facts["authors"]:
            codes = np.array([self._codes[name] for name in names], dtype=np.int64)
            result[author] = found.array[first : first + len(codes)], codes
            first += len(codes)
        return result

    @property
    def packs_images(self) -> bool:
        """Whether slices of images are kept on disk: a function of the whole volume leaves nothing to keep."""
        return not callable(self._options.read.intensity)

    @property
    def _codes(self) -> Mapping[str, int]:
        return self.reader.prepared.space.segmentation_codes

    def _planes(self, wanted: Slice, key: PackKey, make: Callable[[], Content]) -> _Found:
        """A slice by its pack, which is made if it is missing; what was just made stays in memory for a while."""
        content: Content | None = self._recent.held_value(key)
        if content is None:
            pack = self._open.get(key, lambda: self._options.packs.find(key))
            if pack is not None:
                try:
                    return _Found(pack.read(wanted.index), pack.facts, held=isinstance(pack, RawPack))
                except CacheError as error:
                    self._options.packs.discard(key, error)
            self._open.forget(key)
            made = self._options.packs.build(key, lambda: self._made(key, make))
            if not isinstance(made, Content):
                return _Found(made.read(wanted.index), made.facts, held=isinstance(made, RawPack))
            content = made
        return _Found(content.slices[wanted.index], content.facts, held=True)

    def _made(self, key: PackKey, make: Callable[[], Content]) -> Content:
        """The content of a pack, which another thread may have made while this one waited for its turn."""
        content: Content | None = self._recent.held_value(key)
        if content is None:
            content = make()
            self._recent.put(key, content)
        return content

    def _image_key(self, volume: Volume) -> PackKey:
        stored = self._stored_options(volume.facts)
        parts = tuple(part.sha256 for part in self.reader.prepared.snapshot.parts(volume.row))
        decoder = decoder_named(volume.facts.format)
        how = (decoder.format, decoder.version, stored.dtype or volume.facts.dtype, str(stored.intensity))
        return PackKey(self.cut.pack_name, ("image", *how, stored.orientation, *parts))

    def _masks_key(self, volume: Volume, drawn: Sequence[Annotation]) -> PackKey:
        """Named by the annotations as they are now, and the grid that their masks lie on."""
        facts = volume.facts
        grid = (*facts.shape, *(() if facts.affine is None else facts.affine.matrix.ravel().tolist()))
        versions = (hashlib.sha256(msgspec.msgpack.encode(each)).hexdigest() for each in drawn)
        read = self._options.read
        how = (_MASKS_VERSION, self._options.resample_masks, facts.kind, read.orientation)
        return PackKey(self.cut.pack_name, ("masks", *how, *grid, *versions))


class _Planes(Sequence[Array]):
    """The slices (n, H, W) of an array (n, D, H, W) along one axis, as views."""

    def __init__(self, array: Array, axis: int) -> None:
        self.array = array
        self._axis = axis

    def __len__(self) -> int:
        return int(self.array.shape[1 + self._axis])

    @overload
    def __getitem__(self, index: int) -> Array: ...
    @overload
    def __getitem__(self, index: slice) -> list[Array]: ...
    def __getitem__(self, index: int | slice) -> Array | list[Array]:
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        return Plane(self._axis, index).of(self.array)


def _weight(value: Array | Content | _Found) -> int:
    if isinstance(value, Content):
        return int(value.slices.array.nbytes) if isinstance(value.slices, _Planes) else 0
    return int(value.array.nbytes if isinstance(value, _Found) else value.nbytes)
