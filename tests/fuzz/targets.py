"""What is done with a damaged file, and what may come out of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from datamint_like.exceptions import DatamintException
from datamint_like.imaging import (
    ReadOptions,
    assemble,
    decode_frame_mask,
    decode_mask,
    decode_segments,
    decode_stored,
    probe,
    read,
)
from datamint_like.imaging.affine import Affine
from datamint_like.imaging.types import HeaderFacts
from tests.fuzz.corpus import CT, PATIENT_ID, PATIENT_NAME

_LIMIT = 1 << 24
_GRID = HeaderFacts(
    format="nifti",
    kind="volume",
    mimetype="application/nifti",
    channels=1,
    shape=(3, 32, 32),
    dtype="int16",
    affine=Affine([[0, 0, 2, 0], [0, 2, 0, 0], [5, 0, 0, 0], [0, 0, 0, 1]]),
)


class Unbounded(Exception):  # noqa: N818 -- a finding, not an error of a caller
    """Memory ran out although far less was allowed."""


def _assembled(path: Path) -> None:
    assembly = assemble([path])
    for skipped in assembly.skipped:
        refuse_patient(f"{skipped.reason} {skipped.series_uid}")
    for group in assembly.groups:
        refuse_patient(repr(replace(group.facts, patient_id=None)))
        decode_stored(group.paths, group.facts, max_voxels=_LIMIT)


def _probed(path: Path) -> None:
    facts = probe([path])
    read([path], facts, ReadOptions(max_voxels=_LIMIT, irregular_spacing="keep", dtype="float32"))


def _windowed(path: Path) -> None:
    facts = probe([path])
    read([path], facts, ReadOptions(max_voxels=_LIMIT, irregular_spacing="keep", intensity="dicom-window"))


def _as_volume_mask(path: Path) -> None:
    decode_mask(path.read_bytes(), _GRID, name=path.name, max_voxels=_LIMIT)


def _as_segments(path: Path) -> None:
    for segment in decode_segments(path.read_bytes(), _ct(), name=path.name, max_voxels=_LIMIT).segments:
        assert segment.array.shape == _ct().shape


@lru_cache(maxsize=1)
def _ct() -> HeaderFacts:
    """The grid of the series that the masks of the corpus were drawn on."""
    return assemble(CT.iterdir()).groups[0].facts


def _as_frame_mask(path: Path) -> None:
    decode_frame_mask(path.read_bytes(), _GRID, name=path.name, max_voxels=_LIMIT)


TARGETS: dict[str, Callable[[Path], None]] = {
    "assemble": _assembled,
    "probe and read": _probed,
    "window": _windowed,
    "volume mask": _as_volume_mask,
    "frame mask": _as_frame_mask,
    "segments": _as_segments,
}


def refuse_patient(words: str) -> None:
    """Stop where what is told of a file holds its patient.

    Raises:
        AssertionError: It does.
    """
    for secret in (*PATIENT_NAME.split("^"), PATIENT_ID):
        assert secret not in words, words


def check_message(error: Exception, path: Path) -> None:
    """Hold an error to what users are promised: one of our tree, naming the file, neither patient nor machine.

    Raises:
        AssertionError, Unbounded: It is not so.
    """
    assert isinstance(error, DatamintException), type(error)
    assert path.name in str(error), error
    assert str(path.parent) not in str(error), error
    refuse_patient(str(error))
    if "do not fit into memory" in str(error):
        raise Unbounded(str(error))
