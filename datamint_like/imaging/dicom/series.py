"""Loose DICOM files to resources: which files make a series, and in what order."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datamint_like.exceptions import GeometryError
from datamint_like.imaging.dicom.channels import interleaved
from datamint_like.imaging.dicom.frames import Frame, is_video
from datamint_like.imaging.dicom.geometry import stack
from datamint_like.imaging.dicom.header import DicomFile
from datamint_like.imaging.dicom.parts import PartHeader, part_header
from datamint_like.imaging.dicom.positions import SAME_ORIENTATION, SAME_SPACING, beside, distances_of, ranks_of
from datamint_like.imaging.types import SourceFile

#: Modalities whose files are pictures of their own even when they share a series.
_PROJECTIONS = frozenset({"US", "CR", "DX", "MG", "IO", "PX", "XC", "ES", "OP", "XA", "RF", "GM", "DG"})


@dataclass(frozen=True)
class SliceFile:
    """What grouping needs of one file's header; the header itself is let go.

    Attributes:
        header: What the plan of its resource needs; its frames are all placed where the file may join others.
        key: Files of different keys never join: patient, series, kind of image, size.
        joins: Whether the file can be a part of a series at all.
        reference: Its Frame of Reference UID, empty where it has none.
        traits: What may tell planes at one position apart, by name.
    """

    source: SourceFile
    header: PartHeader
    key: Hashable
    joins: bool
    reference: str
    instance_uid: str
    series_number: str
    traits: dict[str, Hashable]

    @property
    def frame(self) -> Frame:
        """Its first plane."""
        return self.header.frames[0]

    @property
    def time(self) -> tuple[Any, ...]:
        """What sorts files that hold the same positions."""
        return self.frame.traits.order, self.frame.instance, self.source.name


@dataclass(frozen=True)
class Series:
    """Files that make one resource, in part order."""

    files: tuple[SliceFile, ...]

    @property
    def filename(self) -> str:
        """The file's own name, or a short name for a series: by its number, else by its first file's name."""
        first = self.files[0]
        if len(self.files) == 1:
            return first.source.name
        return f"series_{first.series_number or Path(first.source.name).stem}_{len(self.files)}files.dcm"


def slice_file(file: DicomFile) -> SliceFile:
    """The summary of one file.

    Raises:
        DecodeError: Its geometry is malformed.
    """
    elements, pixels = file.elements, file.pixels
    header = part_header(file)
    identity = tuple(str(elements.get(k) or "") for k in ("PatientID", "PatientName"))
    series_uid = str(elements.get("SeriesInstanceUID") or "")
    look = (str(elements.get("SOPClassUID")), header.rows, header.columns, pixels.samples)
    return SliceFile(
        source=file.source,
        header=header,
        key=(*identity, series_uid, *look),
        joins=header.member is not None or (bool(series_uid) and _is_placed(file, header)),
        reference=str(elements.get("FrameOfReferenceUID") or ""),
        instance_uid=str(elements.get("SOPInstanceUID") or ""),
        series_number=_digits(elements.get("SeriesNumber")),
        traits={
            "image type": tuple(str(v) for v in elements.get("ImageType") or ()),
            "acquisition": str(elements.get("AcquisitionNumber") or ""),
            "time point": str(elements.get("TemporalPositionIdentifier") or ""),
            "echo": (str(elements.get("EchoNumbers") or ""), str(elements.get("EchoTime") or "")),
        },
    )


def _is_placed(file: DicomFile, header: PartHeader) -> bool:
    """Whether a file is one plane, or several alike, with a place in a patient."""
    frames, first = header.frames, header.frames[0]
    if header.modality in _PROJECTIONS or is_video(file) or first.orientation is None or first.spacing is None:
        return False
    return all(
        frame.position is not None
        and frame.orientation is not None
        and frame.spacing is not None
        and _near(frame.orientation, first.orientation, SAME_ORIENTATION)
        and _near(_logs(frame.spacing), _logs(first.spacing), SAME_SPACING)
        for frame in frames
    )


def group_series(files: Iterable[SliceFile]) -> list[Series]:
    """The files, which can all be parts of a series, as series, each in part order."""
    result: list[Series] = []
    joining: dict[Hashable, list[SliceFile]] = defaultdict(list)
    for file in files:
        member = file.header.member
        joining[file.key if member is None else (file.key, member.uid)].append(file)
    for members in joining.values():
        result.extend(Series(tuple(part)) for part in _parts_of(members))
    return result


def _parts_of(files: list[SliceFile]) -> Iterator[list[SliceFile]]:
    """The series that files of one key make."""
    if files[0].header.member is not None:
        yield sorted(files, key=lambda file: file.header.member.number if file.header.member else 0)
        return
    for comparable in _by_reference(files):
        for one_spacing in _alike(comparable, lambda file: _logs(file.frame.spacing or ()), SAME_SPACING):
            for one_way in _alike(one_spacing, lambda file: file.frame.orientation or (), SAME_ORIENTATION):
                yield from _split_repeats([file for file in one_way if len(file.header.frames) == 1])
                yield from _join_stacks([file for file in one_way if len(file.header.frames) > 1])


def _by_reference(files: Sequence[SliceFile]) -> list[list[SliceFile]]:
    """The files by frame of reference where they name several: positions in two of them cannot be compared."""
    several = len({file.reference for file in files if file.reference}) > 1
    return _partition(files, lambda file: file.reference) if several else [list(files)]


def _alike(
    files: Sequence[SliceFile], of: Callable[[SliceFile], tuple[float, ...]], tolerance: float
) -> list[list[SliceFile]]:
    """The files by numbers that differ from those of the first by no more than the tolerance."""
    groups: list[tuple[tuple[float, ...], list[SliceFile]]] = []
    for file in files:
        own = of(file)
        for known, members in groups:
            if _near(own, known, tolerance):
                members.append(file)
                break
        else:
            groups.append((own, [file]))
    return [members for _, members in groups]


def _near(one: tuple[float, ...], other: tuple[float, ...], tolerance: float) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(one, other, strict=True))


def _logs(values: tuple[float, ...]) -> tuple[float, ...]:
    """Logarithms, whose differences are relative ones."""
    return tuple(math.log(value) for value in values)


def _join_stacks(files: list[SliceFile]) -> Iterator[list[SliceFile]]:
    """Files of several planes each: one series where they make one grid, else each its own.

    They make one where all hold the same positions (time points, which become channels), or where together
    they are evenly spaced planes. Those of several image types, or side by side in the plane, stay apart.
    """
    for alike in _partition(files, lambda file: file.traits["image type"]):
        ordered = sorted(alike, key=lambda file: file.time)
        for part in [ordered] if _make_one_grid(ordered) else _stacks_beside(ordered):
            yield from [part] if _make_one_grid(part) else ([file] for file in part)


def _stacks_beside(files: Sequence[SliceFile]) -> list[list[SliceFile]]:
    """Files of several planes each by the stack of their first plane, where stacks lie side by side."""
    frames = [frame for file in files for frame in file.header.frames]
    firsts = np.cumsum([0, *(len(file.header.frames) for file in files)])[:-1]
    return _by(beside(frames, ranks_of(frames))[firsts], files)


def _make_one_grid(files: Sequence[SliceFile]) -> bool:
    """Whether several files are the channels or the planes of one volume."""
    frames = [frame for file in files for frame in file.header.frames]
    if len(files) < 2:
        return False
    try:
        found = stack(frames, None)
    except GeometryError:
        return False
    if len(found.grid) == 1:
        return found.irregularity is None
    return files[0].header.pixels.samples == 1 and len(frames) == len(files) * len(files[0].header.frames)


def _split_repeats(files: list[SliceFile]) -> list[list[SliceFile]]:
    """Files of one plane each in order along the normal, split only where positions repeat or stacks interleave.

    Stacks side by side in the plane become resources of their own, then image types, then acquisitions, unless
    time points or echoes tell the planes of one position apart: those stay together and become channels. Planes
    that all lie at one position are pictures of their own, whatever tells them apart.
    """
    if not files:
        return []
    ordered, ranks = _ordered(files)
    if len(stacks := _between_each_other(ordered, ranks)) > 1:
        return [piece for each in stacks for piece in _split_repeats(each)]
    if len(set(ranks)) == len(ranks):
        return [ordered]
    if len(set(ranks)) > 1 and len(stacks := _side_by_side(ordered, ranks)) > 1:
        return [piece for each in stacks for piece in _split_repeats(each)]
    for name in ("image type", "acquisition"):
        if name == "acquisition" and _are_channels(ordered, ranks):
            break
        parts = _partition(ordered, lambda file, name=name: file.traits[name])  # type: ignore[misc]
        if len(parts) > 1 and _fewer_repeats(parts, ranks):
            return [piece for part in parts for piece in _split_repeats(part)]
    return [ordered] if max(ranks) > 0 else [[file] for file in ordered]


def _side_by_side(files: Sequence[SliceFile], ranks: Sequence[int]) -> list[list[SliceFile]]:
    """The files by the stack they belong to, where stacks lie side by side at the same positions."""
    return _by(beside([file.frame for file in files], np.array(ranks)), files)


def _between_each_other(files: Sequence[SliceFile], ranks: Sequence[int]) -> list[list[SliceFile]]:
    """The files by the even stack they belong to, where the planes of one lie between those of another."""
    frames = [file.frame for file in files]
    found = interleaved(frames, np.array(ranks), distances_of(frames))
    return [list(files)] if found is None else _by(found[1], files)


def _by(numbers: Iterable[int], files: Sequence[SliceFile]) -> list[list[SliceFile]]:
    """The files by their numbers."""
    parts: dict[int, list[SliceFile]] = defaultdict(list)
    for number, file in zip(numbers, files, strict=True):
        parts[int(number)].append(file)
    return list(parts.values())


def _ordered(files: Sequence[SliceFile]) -> tuple[list[SliceFile], list[int]]:
    """The files by position, then time, then instance number, with the rank of each position."""
    ranks = ranks_of([file.frame for file in files])
    order = sorted(range(len(files)), key=lambda n: (ranks[n], files[n].time))
    return [files[n] for n in order], [int(ranks[n]) for n in order]


def _are_channels(files: Sequence[SliceFile], ranks: Sequence[int]) -> bool:
    """Whether every position has the same time points or echoes, once each."""
    for name in ("time point", "echo"):
        seen: dict[int, list[Hashable]] = defaultdict(list)
        for file, rank in zip(files, ranks, strict=True):
            seen[rank].append(file.traits[name])
        first = frozenset(seen[0])
        if len(first) > 1 and all(len(own) == len(first) and frozenset(own) == first for own in seen.values()):
            return True
    return False


def _partition(files: Sequence[SliceFile], trait: Callable[[SliceFile], Hashable]) -> list[list[SliceFile]]:
    parts: dict[Hashable, list[SliceFile]] = defaultdict(list)
    for file in files:
        parts[trait(file)].append(file)
    return list(parts.values())


def _fewer_repeats(parts: Sequence[list[SliceFile]], ranks: Sequence[int]) -> bool:
    """Whether a position is repeated less often inside the parts than before."""
    before = len(ranks) - len(set(ranks))
    after = sum(len(own) - len(set(own)) for own in (_ordered(part)[1] for part in parts))
    return after < before


def _digits(value: Any) -> str:
    text = str(value if value is not None else "").strip()
    return text if text.isdigit() and len(text) <= 12 else ""
