"""DICOM files to an array: one file or the parts of a series."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from datamint_like.exceptions import DecodeError
from datamint_like.imaging._reading_errors import reading, refuse_oversized
from datamint_like.imaging.dicom.header import DicomFile, read_header, read_whole
from datamint_like.imaging.dicom.parts import part_header
from datamint_like.imaging.dicom.pixels import iter_frames
from datamint_like.imaging.dicom.plan import Plan, plan_of, plan_parts
from datamint_like.imaging.sniff import is_dicom
from datamint_like.imaging.types import Array, HeaderFacts, SourceFile, StoredImage


class DicomDecoder:
    """DICOM: values through modality LUT or rescale, planes in order along the normal."""

    format = "dicom"
    version = 2

    def accepts(self, head: bytes, filename: str) -> bool:
        """Whether the content is DICOM, with or without preamble."""
        return is_dicom(head)

    def probe(self, files: Sequence[SourceFile]) -> HeaderFacts:
        """The facts by the headers of all parts, of which only the first is kept."""
        first, parts = None, []
        for source in files:
            with reading(source):
                file = read_header(source)
                parts.append(part_header(file))
            first = first or file
        if first is None:
            raise DecodeError("A resource needs at least one file.")
        return plan_parts(first, parts).facts

    def decode(self, files: Sequence[SourceFile], *, max_voxels: int, dtype: str | None = None) -> StoredImage:
        """The array (C, K, J, I); the bytes of a part are let go once its planes are in it."""
        parts: deque[DicomFile] = deque()
        for source in files:
            with reading(source):
                parts.append(read_whole(source, max_voxels=max_voxels))
        planned = plan_of(parts)
        facts = planned.facts
        with reading(files[0]):
            refuse_oversized(facts.channels * int(np.prod(facts.shape, dtype=object)), max_voxels)
            array = np.empty((facts.channels, *facts.shape), dtype=dtype or facts.dtype)
        places = _places(planned)
        for part, source in enumerate(files):
            with reading(source):
                _fill(array, parts.popleft(), part, planned, places)
        return StoredImage(array=array, facts=facts)


def _places(planned: Plan) -> dict[tuple[int, int], tuple[int, int, int]]:
    """(part, frame in it) to (frame of the plan, channel of the grid, plane)."""
    places = {}
    for channel, planes in enumerate(planned.stack.grid):
        for plane, index in enumerate(planes):
            frame = planned.frames[index]
            places[frame.part, frame.number] = (index, channel, plane)
    return places


def _fill(
    array: Array,
    file: DicomFile,
    part: int,
    planned: Plan,
    places: dict[tuple[int, int], tuple[int, int, int]],
) -> None:
    """Write the planes of one part to their places."""
    rule = planned.rules[part]
    for number, raw in enumerate(iter_frames(file)):
        index, channel, plane = places[part, number]
        out = array[channel * rule.channels : (channel + 1) * rule.channels, plane]
        rule.write(out, raw, planned.frames[index])
