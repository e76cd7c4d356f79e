"""How a resource is decoded: its frames in order and in space, its facts, and how each file's values are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from datamint_like.exceptions import GeometryError
from datamint_like.imaging._reading_errors import reading
from datamint_like.imaging.dicom.concatenation import refuse_incomplete
from datamint_like.imaging.dicom.facts import facts_of
from datamint_like.imaging.dicom.frames import Frame, is_video
from datamint_like.imaging.dicom.geometry import Stack, stack
from datamint_like.imaging.dicom.header import DicomFile, number
from datamint_like.imaging.dicom.parts import PartHeader, part_header
from datamint_like.imaging.dicom.positions import are_at_one_position
from datamint_like.imaging.dicom.values import ValueRule, rules_of, units_of
from datamint_like.imaging.types import HeaderFacts, Kind


@dataclass(frozen=True)
class Plan:
    """A resource, ready to be decoded: its files' frames in order, and how each file's values are read."""

    facts: HeaderFacts
    frames: tuple[Frame, ...]
    stack: Stack
    rules: tuple[ValueRule, ...]


def plan(first: DicomFile, parts: Sequence[PartHeader]) -> Plan:
    """The plan for a resource by the header of its first file and the plain values of all, in part order.

    Raises:
        DecodeError: A header is malformed, or gray and colour are mixed.
        GeometryError: The frames do not make one volume.
    """
    if len({(part.rows, part.columns) for part in parts}) > 1:
        raise GeometryError("its planes are of several sizes, which one volume cannot hold.")
    refuse_incomplete([part.member for part in parts])
    frames = (
        *parts[0].frames,
        *(replace(frame, part=index) for index, part in enumerate(parts[1:], 1) for frame in part.frames),
    )
    rules = tuple(rules_of(parts, frames))
    video = is_video(first) or (len(parts[0].frames) == len(frames) > 1 and are_at_one_position(frames))
    placed = Stack(grid=(tuple(range(len(frames))),)) if video else stack(frames, _thickness(first))
    if len(placed.grid) > 1 and rules[0].channels > 1:
        raise GeometryError("it holds colour at several time points, which is not supported.")
    kind: Kind = "video" if video else "volume" if len(frames) > 1 and len(placed.grid[0]) > 1 else "image"
    size = (parts[0].rows, parts[0].columns)
    facts = facts_of(first, placed, rules[0], size=size, kind=kind, units=units_of(parts[0], frames))
    return Plan(facts, frames, placed, rules)


def plan_of(files: Sequence[DicomFile]) -> Plan:
    """The plan of a resource whose headers are at hand; errors name the file, or the first and how many there are."""
    parts = []
    for file in files:
        with reading(file.source):
            parts.append(part_header(file))
    return plan_parts(files[0], parts)


def plan_parts(first: DicomFile, parts: Sequence[PartHeader]) -> Plan:
    """The plan of a resource of which the first header is at hand; errors name its file and how many there are."""
    name = first.source.name
    with reading(name if len(parts) == 1 else f"{name} and {len(parts) - 1} more files"):
        return plan(first, parts)


def _thickness(file: DicomFile) -> float | None:
    """The mm between planes that a single plane stands for: its thickness."""
    value = number(file.elements, "SliceThickness")
    if value is None:
        shared = file.elements.first("SharedFunctionalGroupsSequence")
        value = None if shared is None else number(shared.first("PixelMeasuresSequence"), "SliceThickness")
    return value if value and value > 0 else None
