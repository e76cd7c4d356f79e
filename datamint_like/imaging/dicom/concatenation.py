"""Concatenations: one multi-frame object in several files (PS3.3 C.7.6.16.2.2.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from datamint_like.exceptions import GeometryError
from datamint_like.imaging.dicom.header import DicomFile, number


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a concatenation.

    Attributes:
        uid: Concatenation UID.
        number: In-concatenation Number, from 1.
        total: In-concatenation Total Number, or None where the header does not say.
        offset: Concatenation Frame Offset Number: frames before its own.
        frames: How many it holds.
    """

    uid: str
    number: int
    total: int | None
    offset: int | None
    frames: int


def member_of(file: DicomFile) -> Member | None:
    """What the header says of its concatenation, or None where it is a whole object."""
    elements = file.elements
    if "ConcatenationUID" not in elements:
        return None
    total, offset = number(elements, "InConcatenationTotalNumber"), number(elements, "ConcatenationFrameOffsetNumber")
    return Member(
        uid=str(elements.get("ConcatenationUID") or ""),
        number=int(number(elements, "InConcatenationNumber") or 0),
        total=None if total is None else int(total),
        offset=None if offset is None else int(offset),
        frames=file.pixels.frames,
    )


def refuse_incomplete(members: Sequence[Member | None]) -> None:
    """Stop at files, in part order, that are not the whole of one concatenation; others pass.

    Raises:
        GeometryError: A member is missing, there twice, or not in order.
    """
    found = [member for member in members if member is not None]
    if not found:
        return
    if len(found) < len(members) or len({member.uid for member in found}) > 1:
        raise GeometryError("its files are not of one concatenation.")
    numbers = [member.number for member in found]
    count = max([*numbers, *(member.total or 0 for member in found)])
    missing = sorted(set(range(1, count + 1)) - set(numbers)) if count <= 10_000 else []
    if missing:
        named = ", ".join(str(each) for each in missing[:8]) + (", ..." if len(missing) > 8 else "")
        raise GeometryError(
            f"it is part of a concatenation of {count} files, of which number {named} {_are(missing)} missing. "
            "Import all of them together."
        )
    if numbers != list(range(1, len(found) + 1)):
        raise GeometryError(f"its concatenation has the files {numbers}, expected each number once, in order.")
    before = 0
    for member in found:
        if member.offset is not None and member.offset != before:
            raise GeometryError(
                f"file {member.number} of its concatenation starts at frame {member.offset}, and {before} frames "
                "come before it: frames are missing. Copy the files again."
            )
        before += member.frames


def _are(items: Sequence[int]) -> str:
    return "is" if len(items) == 1 else "are"
