"""Loose DICOM files to resources: which files make a series, and in what order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datamint_like.imaging.dicom.geometry import SAME_ORIENTATION, normal_of, position_ranks
from datamint_like.imaging.dicom.header import DicomFile
from datamint_like.imaging.dicom.parts import PartHeader, part_header
from datamint_like.imaging.types import SourceFile

#: Modalities whose files are pictures of their own even when they share a series.
_PROJECTIONS = frozenset({"US", "CR", "DX", "MG", "IO", "PX", "XC", "ES", "OP", "XA", "RF", "GM", "DG"})


@dataclass(frozen=True)
class SliceFile:
    """What grouping needs of one file's header; the header itself is let go.

    Attributes:
        header: What the plan of its resource needs.
        key: Files of different keys never join: patient, series, kind of image, size, spacing.
        joins: Whether the file can be a slice of a series at all.
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
    orientation: tuple[float, ...] | None
    position: tuple[float, ...] | None
    order: tuple[Any, ...]
    instance: int
    traits: dict[str, Hashable]


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
    frame = header.frames[0]
    identity = tuple(str(elements.get(k) or "") for k in ("PatientID", "PatientName"))
    series_uid, modality = str(elements.get("SeriesInstanceUID") or ""), header.modality
    spacing = tuple(round(value, 3) for value in frame.spacing or ())
    look = (str(elements.get("SOPClassUID")), pixels.rows, pixels.columns, pixels.samples, spacing)
    placed = frame.position is not None and frame.orientation is not None and frame.spacing is not None
    return SliceFile(
        source=file.source,
        header=header,
        key=(*identity, series_uid, *look),
        joins=pixels.frames == 1 and placed and bool(series_uid) and modality not in _PROJECTIONS,
        reference=str(elements.get("FrameOfReferenceUID") or ""),
        instance_uid=str(elements.get("SOPInstanceUID") or ""),
        series_number=_digits(elements.get("SeriesNumber")),
        orientation=frame.orientation,
        position=frame.position,
        order=frame.order,
        instance=frame.instance,
        traits={
            "image type": tuple(str(v) for v in elements.get("ImageType") or ()),
            "acquisition": str(elements.get("AcquisitionNumber") or ""),
            "time point": str(elements.get("TemporalPositionIdentifier") or ""),
            "echo": (str(elements.get("EchoNumbers") or ""), str(elements.get("EchoTime") or "")),
        },
    )


def group_series(slices: Iterable[SliceFile]) -> list[Series]:
    """The files, which can all be slices of a series, as series, each ordered along its normal."""
    result: list[Series] = []
    joining: dict[Hashable, list[SliceFile]] = defaultdict(list)
    for file in slices:
        joining[file.key].append(file)
    for members in joining.values():
        for comparable in _by_reference(members):
            for one_way in _by_orientation(comparable):
                result.extend(Series(tuple(part)) for part in _split_repeats(one_way))
    return result


def _by_reference(files: Sequence[SliceFile]) -> list[list[SliceFile]]:
    """The files by frame of reference where they name several: positions in two of them cannot be compared."""
    several = len({file.reference for file in files if file.reference}) > 1
    return _partition(files, lambda file: file.reference) if several else [list(files)]


def _by_orientation(files: Sequence[SliceFile]) -> list[list[SliceFile]]:
    """The files by the direction of their planes."""
    groups: list[tuple[Any, list[SliceFile]]] = []
    for file in files:
        direction = np.array(file.orientation)
        for known, members in groups:
            if float(np.abs(known - direction).max()) <= SAME_ORIENTATION:
                members.append(file)
                break
        else:
            groups.append((direction, [file]))
    return [members for _, members in groups]


def _split_repeats(files: list[SliceFile]) -> list[list[SliceFile]]:
    """The files in order along the normal, split only where positions repeat.

    Image types become resources of their own, then acquisitions, unless time points or echoes tell the
    planes of one position apart: those stay together and become channels.
    """
    ordered, ranks = _ordered(files)
    if len(set(ranks)) == len(ranks):
        return [ordered]
    for name in ("image type", "acquisition"):
        if name == "acquisition" and _are_channels(ordered, ranks):
            break
        parts = _partition(ordered, lambda file, name=name: file.traits[name])  # type: ignore[misc]
        if len(parts) > 1 and _fewer_repeats(parts, ranks):
            return [piece for part in parts for piece in _split_repeats(part)]
    return [ordered]


def _ordered(files: Sequence[SliceFile]) -> tuple[list[SliceFile], list[int]]:
    """The files by position, then time, then instance number, with the rank of each position."""
    normal = normal_of(files[0].orientation or ())
    distances = np.array([file.position for file in files], dtype=np.float64) @ normal
    ranks = position_ranks(distances)
    order = sorted(range(len(files)), key=lambda n: (ranks[n], files[n].order, files[n].instance, files[n].source.name))
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
