"""Loose files to resources: what is an image, which DICOM files make one series, what is left out and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging._reading_errors import reading
from datamint_like.imaging.dicom.header import read_header
from datamint_like.imaging.dicom.plan import plan_parts
from datamint_like.imaging.dicom.series import Series, SliceFile, group_series, slice_file
from datamint_like.imaging.registry import decoder_of
from datamint_like.imaging.types import Assembly, Group, Skipped, SourceFile


def assemble(paths: Iterable[Path], *, series: bool = True, progress: Callable[[int], None] | None = None) -> Assembly:
    """The resources that these files make, and the files left out, each with its reason.

    DICOM files of one patient, series, frame of reference, size and orientation make one resource whose parts
    are ordered along the normal; multi-frame files where they make one grid. Pictures without a place stay alone.
    Nothing is raised for a bad file: it is left out, and the rest goes on. `paths` may be in any order.

    Args:
        paths: Files, in any order.
        series: False makes every file a resource of its own.
        progress: Called with 1 after each file whose header was read.

    Example:
        >>> from pathlib import Path
        >>> assembly = assemble(Path("study").rglob("*.dcm"))  # doctest: +SKIP
        >>> [(group.filename, group.facts.shape) for group in assembly.groups]  # doctest: +SKIP
        [('series_2_28files.dcm', (28, 128, 128))]
    """
    groups: list[Group] = []
    skipped: list[Skipped] = []
    slices: list[SliceFile] = []
    seen: dict[str, Path] = {}
    for path in sorted(set(paths)):
        try:
            found = _look_at(path, series=series)
            uid = found.facts.instance_uid if isinstance(found, Group) else found.instance_uid
            if series and uid and (earlier := seen.setdefault(uid, path)) != path:
                same = f"{path.name}: it is the same image (SOP Instance UID) as another file, {earlier.name}."
                skipped.append(Skipped(path, same))
            elif isinstance(found, Group):
                groups.append(found)
            else:
                slices.append(found)
        except (DecodeError, GeometryError) as error:
            skipped.append(Skipped(path, str(error)))
        if progress is not None:
            progress(1)
    _add_series(slices, groups, skipped)
    return Assembly(
        groups=tuple(sorted(groups, key=lambda group: min(group.paths))),
        skipped=tuple(sorted(skipped, key=lambda skip: skip.path)),
    )


def _look_at(path: Path, *, series: bool) -> Group | SliceFile:
    """The resource that a file makes alone, or what grouping needs of a DICOM file that may join a series."""
    source = SourceFile(path, path.name)
    decoder = decoder_of(path)
    if decoder.format != "dicom":
        return Group(paths=(path,), filename=path.name, facts=decoder.probe([source]))
    with reading(source):
        file = read_header(source)
        found = slice_file(file)
    if series and found.joins:
        return found
    return Group(paths=(path,), filename=path.name, facts=plan_parts(file, [found.header]).facts)


def _add_series(slices: list[SliceFile], groups: list[Group], skipped: list[Skipped]) -> None:
    """Add the series that the slices make, and the slices of those that make no resource."""
    for series in group_series(slices):
        try:
            groups.append(_group(series))
        except (DecodeError, GeometryError) as error:
            skipped.extend(_skipped_series(series, str(error)))


def _skipped_series(series: Series, reason: str) -> Iterator[Skipped]:
    """Each file of a series that makes no resource, with the reason under its own name."""
    of_all = f"{series.files[0].source.name} and "
    for file in series.files:
        own = f"{file.source.name} and {reason.removeprefix(of_all)}" if reason.startswith(of_all) else reason
        yield Skipped(file.source.path, own)


def _group(series: Series) -> Group:
    """The resource of a series; the header of its first file is read again, for what only the first one tells."""
    first = series.files[0].source
    with reading(first):
        file = read_header(first)
    planned = plan_parts(file, [part.header for part in series.files])
    return Group(paths=tuple(part.source.path for part in series.files), filename=series.filename, facts=planned.facts)
