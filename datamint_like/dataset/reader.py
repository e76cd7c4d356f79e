"""From a row of the snapshot to its pixels and masks, in this process; nothing is read before it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from datamint_like._cache import Lease
from datamint_like.annotations import MaskPiece, is_of_one_frame, keeper, stack_instances
from datamint_like.backends import open_blobs
from datamint_like.backends.about import about
from datamint_like.backends.base import Blobs
from datamint_like.dataset.locked_blobs import LockedBlobs
from datamint_like.dataset.prepared import Prepared
from datamint_like.entities import Annotation, Part, Resource
from datamint_like.exceptions import DecodeError
from datamint_like.imaging import read, required_facts, turn_of
from datamint_like.imaging.masks import decode_frame_mask, decode_mask
from datamint_like.imaging.types import Decoded, HeaderFacts, ReadOptions
from datamint_like.slices.packs import Packs

#: author -> (masks (n, D, H, W) uint8, codes (n,) int64), authors sorted.
Masks = dict[str, tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]]


@dataclass(frozen=True)
class ReaderOptions:
    """How rows are read, and where slices are kept.

    Attributes:
        read: How a resource becomes an array.
        memory_cache: Bytes of decoded data that a process keeps.
        packs: The slices on disk.
        resample_masks: Bring masks of another grid to their resource.
    """

    read: ReadOptions
    memory_cache: int
    packs: Packs
    resample_masks: bool = False


@dataclass(frozen=True)
class Record:
    """A row of the snapshot, unpacked once for all that is read of it.

    Attributes:
        row: Its number.
        resource: What the store says of it.
        facts: Its header facts.
        annotations: Those that the dataset's selection keeps, in order.
        parts: Its files, in order.
    """

    row: int
    resource: Resource
    facts: HeaderFacts
    annotations: list[Annotation]
    parts: list[Part]


def _is_of_missing_file(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, FileNotFoundError):
        error = error.__cause__
    return error is not None


class Reader:
    """Reads rows of one prepared dataset. Pickles as its options: each process opens its own files and cache."""

    def __init__(self, prepared: Prepared, options: ReaderOptions) -> None:
        self.prepared = prepared
        self.options = options

    def __reduce__(self) -> tuple[type[Reader], tuple[Prepared, ReaderOptions]]:
        return Reader, (self.prepared, self.options)

    @cached_property
    def blobs(self) -> Blobs:
        """Where the bytes lie."""
        prepared, cache = self.prepared, self.options.packs.cache
        blobs = open_blobs(prepared.snapshot.meta.store_url, cache_dir=cache, may_ask=prepared.may_ask)
        return LockedBlobs(blobs) if prepared.locked else blobs

    def asking(self) -> Reader:
        """One of the same rows that asks a server for files that are not here, as a prefetch does."""
        return self if self.prepared.may_ask else Reader(replace(self.prepared, may_ask=True), self.options)

    @cached_property
    def _keeps(self) -> Callable[[Annotation], bool]:
        """Whether the dataset's selection keeps an annotation."""
        return keeper(self.prepared.selection, self.prepared.space)

    def annotations(self, row: int) -> list[Annotation]:
        """The annotations of a row that the dataset's selection keeps, in order."""
        return self.kept(self.prepared.snapshot.annotations(row))

    def annotated_resource(self, row: int) -> tuple[Resource, list[Annotation]]:
        """The resource of a row, and the annotations that the dataset's selection keeps, in order."""
        resource, annotations = self.prepared.snapshot.annotated_resource(row)
        return resource, self.kept(annotations)

    def kept(self, annotations: list[Annotation]) -> list[Annotation]:
        """Those of some annotations that the dataset's selection keeps."""
        return [each for each in annotations if self._keeps(each)] if annotations else annotations

    def annotation_bytes(self, annotation: Annotation) -> bytes:
        """The payload of a mask annotation, as the store has it."""
        return self.blobs.annotation_bytes(annotation)

    def record(self, row: int) -> Record:
        """All there is of a row, in one look-up.

        Raises:
            DecodeError: The store has no facts of it.
        """
        found = self.prepared.snapshot.row(row)
        facts = required_facts(found.resource)
        return Record(row, found.resource, facts, self.kept(found.annotations), found.parts)

    def image(self, record: Record, options: ReadOptions | None = None) -> Decoded:
        """The decoded resource of a record; (C, D, H, W)."""
        try:
            return self._decoded(record, options)
        except DecodeError as error:
            if not _is_of_missing_file(error):
                raise
        kept = (self.blobs.kept_path(part) for part in record.parts)
        with Lease(self.options.packs.cache, (path for path in kept if path is not None), renewed=False):
            return self._decoded(record, options)  # a file went from the cache between its finding and its reading

    def _decoded(self, record: Record, options: ReadOptions | None) -> Decoded:
        paths, names = self.files(record)
        with about(record.resource):
            return read(paths, record.facts, options or self.options.read, names=names)

    def files(self, record: Record) -> tuple[list[Path], list[str]]:
        """Where the files of a record lie, in order, and what they were called."""
        filename, parts = record.resource.filename, record.parts
        return self.blobs.part_paths(parts, filename), [part.filename for part in parts]

    def units(self, facts: HeaderFacts) -> str | None:
        """The unit of the values: the header's, unless `intensity` made other values of them."""
        intensity = self.options.read.intensity
        keeps = intensity == "native" or (isinstance(intensity, tuple) and intensity[0] == "clip")
        return facts.units if keeps else None

    def masks(self, record: Record) -> Masks:
        """The masks among a record's annotations by author, on the grid and in the orientation of its image."""
        facts, pieces = record.facts, []
        for annotation in record.annotations:
            if annotation.is_segmentation():
                with about(record.resource):
                    pieces.append(self._piece(annotation, facts))
        if not pieces:
            return {}
        stacked = stack_instances(pieces, self.prepared.space, facts.shape, multi_frame=facts.kind != "image")
        turn = turn_of(facts, self.options.read.orientation)
        return {author: (turn.array(masks), codes) for author, (masks, codes) in stacked.items()}

    def _piece(self, annotation: Annotation, facts: HeaderFacts) -> MaskPiece:
        payload = self.annotation_bytes(annotation)
        name, limit = f"{annotation.identifier} ({annotation.id})", self.options.read.max_voxels
        if is_of_one_frame(annotation):
            array = decode_frame_mask(payload, facts, name=name, max_voxels=limit)
            return MaskPiece(annotation.author, annotation.identifier, annotation.frame_index, array)
        resample = self.options.resample_masks
        labels = decode_mask(payload, facts, name=name, max_voxels=limit, resample=resample)
        return MaskPiece(annotation.author, annotation.identifier, None, (labels != 0).astype(np.uint8))
