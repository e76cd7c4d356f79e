"""Everything that items will be made of, on this machine now: complete, or an error that says what is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from datamint_like._threads import ahead
from datamint_like._words import counted
from datamint_like.dataset.reader import Reader
from datamint_like.dataset.slice_reader import SliceReader
from datamint_like.entities import Resource
from datamint_like.exceptions import DatamintException, PrefetchError

#: How many failures the message of an error names.
_NAMED = 5
#: How many resources are checked, or fetched, at once.
_AT_ONCE = 8


@dataclass(frozen=True)
class PrefetchReport:
    """What a prefetch found in place and what it made; prints as a sentence.

    Attributes:
        resources: How many resources it was asked for.
        files: Their files, each there with the right bytes.
        size: Bytes of these files.
        masks: Files of segmentations, likewise; None where they were not asked for.
        cut: How slices were packed: `"axial"`, `"frames"`, ...; None where they were not asked for.
        packs_made: Packs of slices (of images, and of masks) that were missing.
        packs_there: Packs that were there.

    Example:
        >>> report = dataset.prefetch()
        >>> report.resources, report.files
        (3, 3)
    """

    resources: int
    files: int
    size: int
    masks: int | None = None
    cut: str | None = None
    packs_made: int = 0
    packs_there: int = 0

    def __str__(self) -> str:
        masks = "" if self.masks is None else f" and {counted(self.masks, 'mask')}"
        packs = (
            ""
            if self.cut is None
            else f"; {counted(self.packs_made, 'pack')} of slices ({self.cut}) made, {self.packs_there} there already"
        )
        return (
            f"{counted(self.resources, 'resource')}: {counted(self.files, 'file')} ({self.size / 1e6:.1f} MB)"
            f"{masks} in place{packs}."
        )


@dataclass
class _Count:
    files: int = 0
    size: int = 0
    masks: int = 0
    made: int = 0
    there: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, other: _Count) -> None:
        """Count what another counted, too."""
        self.files += other.files
        self.size += other.size
        self.masks += other.masks
        self.failures += other.failures


def prefetch(
    reader: Reader, rows: npt.NDArray[np.int64], *, include_annotations: bool, slices: SliceReader | None
) -> PrefetchReport:
    """Check the files of some rows (and of their masks), and pack their slices, with a progress bar on stderr.

    A failure does not end it: everything else is done first.

    Args:
        reader: Where files come from.
        rows: Rows of the snapshot.
        include_annotations: The masks too.
        slices: Along which cut slices are packed; None packs none.

    Raises:
        PrefetchError: A file is missing or damaged, cannot be decoded, or a pack cannot be written.
    """
    count = _Count()
    asked = np.unique(rows).tolist()
    brought = ahead(lambda row: _brought(reader, row, include_annotations), asked, at_once=_AT_ONCE)
    for row, found in zip(tqdm(asked, desc="prefetch", unit="resource"), brought, strict=True):
        count.add(found)
        if slices is not None and not found.failures:
            _packs(slices, row, reader.prepared.snapshot.resource(row), count, include_annotations)
    resources = len(asked)
    if count.failures:
        raise PrefetchError(_message(resources, count.failures), count.failures)
    return PrefetchReport(
        resources=resources,
        files=count.files,
        size=count.size,
        masks=count.masks if include_annotations else None,
        cut=None if slices is None else slices.cut.pack_name,
        packs_made=count.made,
        packs_there=count.there,
    )


def _brought(reader: Reader, row: int, include_annotations: bool) -> _Count:
    """What is in place of one row, fetched where its store is a server, and what is not."""
    count, resource = _Count(), reader.prepared.snapshot.resource(row)
    for part in reader.prepared.snapshot.parts(row):
        if _tried(count, resource, lambda part=part: reader.blobs.part_path(part, resource.filename)):  # type: ignore[misc]
            count.files += 1
            count.size += part.size
    for each in reader.annotations(row) if include_annotations else ():
        if not each.is_segmentation():
            continue
        if _tried(count, resource, lambda each=each: reader.blobs.annotation_bytes(each)):  # type: ignore[misc]
            count.masks += 1
    return count


def _packs(slices: SliceReader, row: int, resource: Resource, count: _Count, include_annotations: bool) -> None:
    volume, annotations = slices.volume(row), slices.reader.annotations(row)

    def note(made: bool) -> None:
        count.made += made
        count.there += not made

    _tried(count, resource, lambda: note(slices.pack_image(volume)))
    if include_annotations and any(each.is_segmentation() for each in annotations):
        _tried(count, resource, lambda: note(slices.pack_masks(volume, annotations)))


def _tried(count: _Count, resource: Resource, work: Callable[[], object]) -> bool:
    """Whether the work was done; its failure is noted with the resource's name."""
    try:
        work()
    except DatamintException as error:
        where = f"Resource {resource.id} ({resource.filename})"
        text = str(error)
        count.failures.append(text if text.startswith(where) else f"{where}: {text}")
        return False
    return True


def _message(resources: int, failures: list[str]) -> str:
    more = f" And {len(failures) - _NAMED} more: see .failures." if len(failures) > _NAMED else ""
    return (
        f"The prefetch of {counted(resources, 'resource')} is incomplete: {counted(len(failures), 'failure')}. "
        f"{' '.join(failures[:_NAMED])}{more}"
    )
