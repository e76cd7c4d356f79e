"""Mask files that come with an upload: checked before anything is stored, added right after their resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from datamint_like.api._masks import Grid, MaskOptions, MaskSource, plan_masks, store_masks
from datamint_like.api._uploads import Planned
from datamint_like.backends.base import Backend
from datamint_like.entities import Resource
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
    if isinstance(given, Mapping | str | Path) or len(given) != count:
        raise ValidationError(
            f"segmentation_files needs one entry for each of the {count} files_path: a list of mask files, or a "
            'dict such as {"files": ["mask.nii.gz"], "names": [{1: "liver"}]}.'
        )
    return [_entry(entry) for entry in given]


def _entry(entry: Any) -> list[MaskFile]:
    if entry is None:
        return []
    if not isinstance(entry, Mapping):
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
    return [files] if isinstance(files, str | Path) or hasattr(files, "ndim") else list(files)


class MaskUploads:
    """The mask files of one upload, by argument: all checked against the planned grids, then stored one by one."""

    def __init__(self, backend: Backend, masks: Sequence[Sequence[MaskFile]], options: MaskOptions) -> None:
        self._backend = backend
        self._masks = masks
        self._options = options

    def check(self, items: Sequence[Planned]) -> None:
        """Read every mask and hold it against the resource it is for.

        Raises:
            ValidationError, GeometryError, DecodeError: A mask cannot be used; the message names it.
        """
        for item in items:
            for mask in self._of(item):
                plan_masks(mask.source, mask.names, Grid(item.group.filename, item.group.facts), self._options)

    def add(self, item: Planned, resource: Resource) -> None:
        """Store the masks of a resource that was just made."""
        for mask in self._of(item):
            grid = Grid(resource.filename, item.group.facts)
            store_masks(self._backend, resource, plan_masks(mask.source, mask.names, grid, self._options))

    def _of(self, item: Planned) -> list[MaskFile]:
        return [mask for source in item.sources for mask in self._masks[source]]
