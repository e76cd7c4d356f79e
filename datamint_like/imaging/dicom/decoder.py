"""DICOM files to an array: one file or the parts of a series."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging._reading_errors import reading, refuse_oversized
from datamint_like.imaging.dicom.facts import Plan, plan
from datamint_like.imaging.dicom.header import DicomFile, read_header, read_whole
from datamint_like.imaging.dicom.pixels import iter_frames
from datamint_like.imaging.sniff import is_dicom
from datamint_like.imaging.types import Array, HeaderFacts, StoredImage


class DicomDecoder:
    """DICOM: values through modality LUT or rescale, planes in order along the normal."""

    format = "dicom"
    version = 1

    def accepts(self, head: bytes, filename: str) -> bool:
        """Whether the content is DICOM, with or without preamble."""
        return is_dicom(head)

    def probe(self, paths: Sequence[Path]) -> HeaderFacts:
        """The facts by the headers of all parts."""
        files = []
        for path in paths:
            with reading(path):
                files.append(read_header(path))
        return plan_of(files).facts

    def decode(self, paths: Sequence[Path], *, max_voxels: int) -> StoredImage:
        """The array (C, K, J, I); the bytes of a part are let go once its planes are in it."""
        files: list[DicomFile | None] = []
        for path in paths:
            with reading(path):
                files.append(read_whole(path))
        planned = plan_of([file for file in files if file is not None])
        facts = planned.facts
        with reading(paths[0]):
            refuse_oversized(facts.channels * int(np.prod(facts.shape, dtype=object)), max_voxels)
            array = np.empty((facts.channels, *facts.shape), dtype=facts.dtype)
        places = _places(planned)
        for part, path in enumerate(paths):
            file, files[part] = files[part], None
            if file is None:
                raise DecodeError(f"{path.name}: it stands twice in one resource.")
            with reading(path):
                _fill(array, file, part, planned, places)
        return StoredImage(array=array, facts=facts)


def plan_of(files: Sequence[DicomFile]) -> Plan:
    """The plan of a resource; errors name its first file and how many there are."""
    try:
        with reading(files[0].path):
            return plan(files)
    except (DecodeError, GeometryError) as error:
        if len(files) == 1:
            raise
        name = files[0].path.name
        raise type(error)(str(error).replace(f"{name}:", f"{name} and {len(files) - 1} more files:", 1)) from error


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
