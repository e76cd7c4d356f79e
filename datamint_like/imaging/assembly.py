"""Loose files to resources: what is an image, which DICOM files make one series, what is left out and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging._reading_errors import reading
from datamint_like.imaging.dicom.header import read_header
from datamint_like.imaging.dicom.series import Series, SliceFile, group_series, slice_file
from datamint_like.imaging.registry import decoder_named, decoder_of
from datamint_like.imaging.types import Assembly, Group, Skipped


def assemble(paths: Iterable[Path], *, series: bool = True, progress: Callable[[int], None] | None = None) -> Assembly:
    """The resources that these files make, and the files left out, each with its reason.

    DICOM files of one patient, series, size and orientation make one resource whose parts are ordered
    along the normal. Multi-frame files and pictures without a place stay alone. Nothing is raised for a bad
    file: it is left out, and the rest goes on. The result does not depend on the order of `paths`.

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
    slices: dict[Path, SliceFile] = {}
    seen: dict[str, Path] = {}
    for path in sorted(set(paths)):
        try:
            found = _look_at(path)
            if isinstance(found, Group) or not series:
                groups.append(found if isinstance(found, Group) else _group(Series((found,))))
            elif (earlier := seen.setdefault(found.instance_uid or str(path), path)) != path:
                same = f"{path.name}: it is the same image (SOP Instance UID) as another file, {earlier.name}."
                skipped.append(Skipped(path, same))
            else:
                slices[path] = found
        except (DecodeError, GeometryError) as error:
            skipped.append(Skipped(path, str(error)))
        if progress is not None:
            progress(1)
    for one in group_series(slices.values()):
        try:
            groups.append(_group(one))
        except (DecodeError, GeometryError) as error:
            skipped.extend(Skipped(file.path, str(error)) for file in one.files)
    return Assembly(
        groups=tuple(sorted(groups, key=lambda group: min(group.paths))),
        skipped=tuple(sorted(skipped, key=lambda skip: skip.path)),
    )


def _look_at(path: Path) -> Group | SliceFile:
    """The resource that a file makes alone, or what grouping needs of a DICOM file."""
    decoder = decoder_of(path)
    if decoder.format != "dicom":
        return Group(paths=(path,), filename=path.name, facts=decoder.probe([path]))
    with reading(path):
        return slice_file(read_header(path))


def _group(series: Series) -> Group:
    paths = tuple(file.path for file in series.files)
    return Group(paths=paths, filename=series.filename, facts=decoder_named("dicom").probe(paths))
