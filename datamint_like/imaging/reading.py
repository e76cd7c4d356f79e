"""Probe and decode resources, and bring volumes to the orientation of the item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging._reading_errors import reading
from datamint_like.imaging._sources import sources_of
from datamint_like.imaging.intensity import called, converted, type_to_decode, windowed_or_clipped
from datamint_like.imaging.orientation import place_of, turn_of
from datamint_like.imaging.registry import decoder_named, decoder_of
from datamint_like.imaging.types import Decoded, HeaderFacts, ReadOptions, SourceFile, StoredImage


def probe(paths: Sequence[Path], *, names: Sequence[str] | None = None) -> HeaderFacts:
    """The header facts of the resource whose parts, in order, these files are; no pixel is read.

    Args:
        paths: The parts in order.
        names: The parts' file names, which messages use where files are stored under other names.

    Raises:
        DecodeError: No decoder takes the files, or a header is damaged.
        GeometryError: The files do not make one volume.

    Example:
        >>> facts = probe(sorted(Path("ct").iterdir()))
        >>> facts.kind, facts.shape, facts.dtype, facts.units
        ('volume', (32, 128, 128), 'int16', 'HU')
    """
    files = sources_of(paths, names)
    return decoder_of(files[0].path, files[0].name).probe(files)


def decode_stored(
    paths: Sequence[Path],
    facts: HeaderFacts,
    *,
    max_voxels: int = ReadOptions.max_voxels,
    names: Sequence[str] | None = None,
) -> StoredImage:
    """The resource as stored, (C, K, J, I), with the values that the file means.

    Raises:
        DecodeError: A file is damaged, claims more than `max_voxels`, or is not the one that was probed.
        GeometryError: The files do not make one volume.

    Example:
        >>> paths = sorted(Path("ct").iterdir())
        >>> decode_stored(paths, probe(paths)).array.shape
        (1, 32, 128, 128)
    """
    return _decoded(sources_of(paths, names), facts, max_voxels, facts.dtype)


def _decoded(files: Sequence[SourceFile], facts: HeaderFacts, max_voxels: int, dtype: str) -> StoredImage:
    """The resource as stored, with values computed in this type."""
    wide = None if dtype == facts.dtype else dtype
    stored = decoder_named(facts.format).decode(files, max_voxels=max_voxels, dtype=wide)
    array, expected = stored.array, (facts.channels, *facts.shape)
    if array.shape != expected or array.dtype != dtype:
        raise DecodeError(
            f"{files[0].name}: expected an array {expected} {dtype} by the facts of the upload, "
            f"found {array.shape} {array.dtype}. The file was changed since; import it again."
        )
    return stored


def read(
    paths: Sequence[Path],
    facts: HeaderFacts,
    options: ReadOptions | None = None,
    *,
    names: Sequence[str] | None = None,
) -> Decoded:
    """The resource as an item has it: (C, D, H, W), volumes turned to the orientation asked for as views.

    Raises:
        DecodeError: A file is damaged or too large, has no window where one is asked for, or values do not fit.
        GeometryError: Planes are missing or unevenly spaced and `options.irregular_spacing` is not `"keep"`.

    Example:
        >>> from pathlib import Path
        >>> from datamint_like.imaging import assemble, read
        >>> group = assemble(Path("ct").iterdir()).groups[0]
        >>> read(group.paths, group.facts).array.shape
        (1, 32, 128, 128)
    """
    options, files = options or ReadOptions(), sources_of(paths, names)
    _refuse_irregular(files, facts, options)
    stored = _decoded(files, facts, options.max_voxels, type_to_decode(facts, options))
    with reading(files[0]):
        array = turn_of(facts, options.orientation).array(windowed_or_clipped(stored.array, files[0], facts, options))
    array = called(array, files[0], options)
    if options.dtype is not None:
        with reading(files[0]):
            array = converted(array, options.dtype)
    place = place_of(facts, options.orientation)
    return Decoded(**{each.name: getattr(place, each.name) for each in fields(place)}, array=array)


def _refuse_irregular(files: Sequence[SourceFile], facts: HeaderFacts, options: ReadOptions) -> None:
    if facts.kind == "volume" and facts.irregularity and options.irregular_spacing != "keep":
        raise GeometryError(
            f"{files[0].name} ({len(files)} files): {facts.irregularity} "
            "Slice it along its acquisition axis, "
            'where every slice has its place, or pass irregular_spacing="keep".'
        )
