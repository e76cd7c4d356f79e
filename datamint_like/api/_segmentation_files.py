"""Mask files that come with an upload: read before anything is stored, stored in one step with their resource."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from datamint_like.api._mask_payloads import is_rle_given
from datamint_like.api._masks import FrameMasks, Grid, MaskOptions, MaskSource, plan_masks
from datamint_like.api._uploads import Planned
from datamint_like.backends.base import NewResource, NewVolumeMask
from datamint_like.exceptions import ValidationError

SegmentationFiles: TypeAlias = "Mapping[str, Any] | Sequence[MaskSource] | None"


@dataclass(frozen=True)
class MaskFile:
    """One mask file and the names of its classes."""

    source: MaskSource
    names: Any = None


def masks_given(given: Any, count: int) -> list[list[MaskFile]]:
    """For each of `count` arguments its mask files.

    Each entry is a list of files, or a dict with `files` and (one a file, or one for all) `names`.

    Raises:
        ValidationError: The entries or the names do not match the files one to one.
    """
    if given is None:
        return [[] for _ in range(count)]
    if isinstance(given, str | bytes | Path) or not isinstance(given, Sequence) or len(given) != count:
        raise ValidationError(
            f"segmentation_files needs one entry for each of the {count} files_path: a list of mask files, or a "
            'dict such as {"files": ["mask.nii.gz"], "names": [{1: "liver"}]}.'
        )
    return [_entry(entry) for entry in given]


def _entry(entry: Any) -> list[MaskFile]:
    if entry is None:
        return []
    if not isinstance(entry, Mapping) or is_rle_given(entry):
        return [MaskFile(source) for source in _listed(entry)]
    unknown = sorted(set(entry) - {"files", "names"})
    if "files" not in entry or unknown:
        raise ValidationError('An entry of segmentation_files is a list of files or a dict of "files" and "names".')
    files = _listed(entry["files"])
    names = entry.get("names")
    each = list(names) if isinstance(names, list | tuple) else [names] * len(files)
    if len(each) != len(files):
        raise ValidationError(f"segmentation_files has {len(files)} files and {len(each)} names. Give one a file.")
    return [MaskFile(source, name) for source, name in zip(files, each, strict=True)]


def _listed(files: Any) -> list[Any]:
    """The masks of one entry; what is no sequence is one mask, and judged as such when it is read."""
    return list(files) if isinstance(files, list | tuple) else [files]


class MaskUploads:
    """The mask files of one upload, by argument: all read against the planned grids, then given to their resources."""

    def __init__(self, masks: Sequence[Sequence[MaskFile]], options: MaskOptions) -> None:
        self._masks = masks
        self._options = options
        self._ready: dict[tuple[Path, ...], list[FrameMasks | NewVolumeMask]] = {}

    def prepare(self, items: Sequence[Planned], made_ready: Callable[[MaskSource], MaskSource]) -> None:
        """Read every mask, once it was made ready, hold it against its resource, and keep it encoded until `add`.

        Raises:
            ValidationError, GeometryError, DecodeError: A mask cannot be used; the message names it.
        """
        for item in items:
            grid = Grid(item.group.filename, item.group.facts)
            self._ready[item.group.paths] = [
                plan_masks(made_ready(mask.source), mask.names, grid, self._options)
                for source in item.sources
                for mask in self._masks[source]
            ]

    def add(self, item: Planned, new: NewResource) -> NewResource:
        """`new` with the masks that were prepared for it."""
        planned = self._ready.pop(item.group.paths)
        frames = [annotation for each in planned if isinstance(each, FrameMasks) for annotation in each.annotations]
        volumes = [each for each in planned if isinstance(each, NewVolumeMask)]
        return replace(new, annotations=tuple(frames), volume_masks=tuple(volumes))
