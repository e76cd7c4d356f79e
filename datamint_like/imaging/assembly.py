"""Loose files to resources: what is an image, which DICOM files make one series, what is left out and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging._reading_errors import reading
from datamint_like.imaging.dicom.classes import annotation_kind
from datamint_like.imaging.dicom.header import read_header
from datamint_like.imaging.dicom.plan import plan_parts
from datamint_like.imaging.dicom.series import Series, SliceFile, group_series, slice_file
from datamint_like.imaging.dicom.series_names import distinct_names
from datamint_like.imaging.dicom.series_uid import series_uid_of
from datamint_like.imaging.masks.references import references_of
from datamint_like.imaging.nifti_pairs import Pairs, name_of_pair, pair_up
from datamint_like.imaging.registry import decoder_of
from datamint_like.imaging.types import AnnotationFile, Assembly, Group, HeaderFacts, Skipped, SourceFile


def assemble(paths: Iterable[Path], *, series: bool = True, progress: Callable[[int], None] | None = None) -> Assembly:
    """The resources that these files make, and the files left out, each with its reason.

    DICOM files of one patient, series, frame of reference, size and orientation make one resource whose parts
    are ordered along the normal; multi-frame files where they make one grid. Pictures without a place stay alone. A
    NIfTI header and the image of the same name make one resource. Nothing is raised for a bad file: it is left out,
    and the rest goes on. Segmentations and structure sets are annotations of resources, which need not be among the
    files. `paths` may be in any order.

    Args:
        paths: Files, in any order.
        series: False makes every file a resource of its own.
        progress: Called with 1 after each file whose header was read.

    Example:
        >>> from pathlib import Path
        >>> assembly = assemble(Path("ct").rglob("*.dcm"))
        >>> [(group.filename, group.facts.shape) for group in assembly.groups]
        [('series_203_32files.dcm', (32, 128, 128))]
    """
    sorter = _Sorter(paths, series=series)
    for path in sorter.paths:
        try:
            sorter.take(path)
        finally:
            if progress is not None:
                progress(1)
    return sorter.assembly()


class _Sorter:
    """Sorts files by what they are: resources, slices that may join a series, annotations, and files left out."""

    def __init__(self, paths: Iterable[Path], *, series: bool) -> None:
        self.paths = sorted(set(paths))
        self._series = series
        self._pairs = pair_up(self.paths)
        self._images = set(self._pairs.images.values())  # taken with their headers
        self._first_of: dict[str, Path] = {}  # by SOP Instance UID
        self._groups: list[Group] = []
        self._slices: list[SliceFile] = []
        self._annotations: list[AnnotationFile] = []
        self._skipped: list[Skipped] = []

    def take(self, path: Path) -> None:
        """Look at one file, and note what it is."""
        if path in self._images:
            return
        try:
            found = _look_at(path, self._pairs, series=self._series)
        except (DecodeError, GeometryError) as error:
            uid = series_uid_of(SourceFile(path, path.name))
            self._skipped += [Skipped(part, str(error), uid) for part in self._pairs.parts(path)]
            return
        uid = _uid_of(found)
        earlier = self._first_of.setdefault(uid, path) if uid else path
        if self._series and earlier != path:
            same = f"{path.name}: it is the same image (SOP Instance UID) as another file, {earlier.name}."
            self._skipped.append(Skipped(path, same))
        elif isinstance(found, Group):
            self._groups.append(found)
        elif isinstance(found, AnnotationFile):
            self._annotations.append(found)
        else:
            self._slices.append(found)

    def assembly(self) -> Assembly:
        """What the files make that were taken."""
        skipped, made = list(self._skipped), []
        for series in group_series(self._slices):
            try:
                made.append((series, _facts_of(series)))
            except (DecodeError, GeometryError) as error:
                skipped += _skipped_series(series, str(error))
        named = zip(made, distinct_names(made), strict=True)
        groups = [*self._groups, *(_group(series, name, facts) for (series, facts), name in named)]
        return Assembly(
            groups=tuple(sorted(groups, key=lambda group: min(group.paths))),
            skipped=tuple(sorted(skipped, key=lambda skip: skip.path)),
            annotations=tuple(_with_images(each, self._first_of) for each in self._annotations),
        )


def _uid_of(found: Group | SliceFile | AnnotationFile) -> str | None:
    """The SOP Instance UID of one file, or None or empty where it has none."""
    if isinstance(found, Group):
        return found.facts.instance_uid
    return found.references.instance_uid if isinstance(found, AnnotationFile) else found.instance_uid


def _with_images(annotation: AnnotationFile, paths: Mapping[str, Path]) -> AnnotationFile:
    """The annotation with those files of `paths`, by SOP Instance UID, that it references."""
    wanted = annotation.references.instance_uids
    return replace(annotation, images=frozenset(paths[uid] for uid in wanted if uid in paths))


def _look_at(path: Path, pairs: Pairs, *, series: bool) -> Group | SliceFile | AnnotationFile:
    """What a file is: a resource (alone or with its pair), a file that may join a series, or annotations."""
    source = SourceFile(path, path.name)
    try:
        decoder = decoder_of(path)
    except DecodeError as error:
        if path in pairs.alone:
            raise DecodeError(f"{path.name}: {pairs.alone[path]}") from error
        raise
    if decoder.format != "dicom":
        parts = pairs.parts(path)
        facts = decoder.probe([SourceFile(part, part.name) for part in parts])
        return Group(paths=parts, filename=path.name if len(parts) == 1 else name_of_pair(path), facts=facts)
    with reading(source):
        file = read_header(source, annotations=True)
        if annotation_kind(file.elements) is not None:
            return AnnotationFile(path, references_of(file))
        found = slice_file(file)
    if series and found.joins:
        return found
    return Group(paths=(path,), filename=path.name, facts=plan_parts(file, [found.header]).facts)


def _skipped_series(series: Series, reason: str) -> Iterator[Skipped]:
    """Each file of a series that makes no resource, with the reason under its own name."""
    of_all = f"{series.files[0].source.name} and "
    for file in series.files:
        own = f"{file.source.name} and {reason.removeprefix(of_all)}" if reason.startswith(of_all) else reason
        yield Skipped(file.source.path, own)


def _facts_of(series: Series) -> HeaderFacts:
    """The facts of a series; the header of its first file is read again, for what only the first one tells."""
    first = series.files[0].source
    with reading(first):
        file = read_header(first)
    return plan_parts(file, [part.header for part in series.files]).facts


def _group(series: Series, name: str, facts: HeaderFacts) -> Group:
    return Group(paths=tuple(part.source.path for part in series.files), filename=name, facts=facts)
