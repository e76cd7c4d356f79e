"""Probe and decode resources, and bring volumes to canonical orientation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging.orientation import canonical_affine, canonical_plane_origins, frame_axis_of, turn_of
from datamint_like.imaging.registry import decoder_named, decoder_of
from datamint_like.imaging.types import Decoded, HeaderFacts, ReadOptions, StoredImage


def probe(paths: Sequence[Path]) -> HeaderFacts:
    """The header facts of the resource whose parts, in order, these files are; no pixel is read.

    Raises:
        DecodeError: No decoder takes the files, or a header is damaged.
        GeometryError: The files do not make one volume.
    """
    if not paths:
        raise DecodeError("A resource needs at least one file.")
    return decoder_of(paths[0]).probe(paths)


def decode_stored(
    paths: Sequence[Path], facts: HeaderFacts, *, max_voxels: int = ReadOptions.max_voxels
) -> StoredImage:
    """The resource as stored, (C, K, J, I), with the values that the file means.

    Raises:
        DecodeError: A file is damaged, claims more than `max_voxels`, or is not the one that was probed.
        GeometryError: The files do not make one volume.
    """
    if not paths:
        raise DecodeError("A resource needs at least one file.")
    stored = decoder_named(facts.format).decode(paths, max_voxels=max_voxels)
    found, expected = (stored.array.shape, str(stored.array.dtype)), ((facts.channels, *facts.shape), facts.dtype)
    if found != expected:
        raise DecodeError(
            f"{paths[0].name}: expected an array {expected[0]} {expected[1]} by the facts of the upload, "
            f"found {found[0]} {found[1]}. The file was changed since; import it again."
        )
    return stored


def read(paths: Sequence[Path], facts: HeaderFacts, options: ReadOptions | None = None) -> Decoded:
    """The resource as an item has it: (C, D, H, W), volumes turned to canonical orientation as views.

    Raises:
        DecodeError: A file is damaged or too large.
        GeometryError: Planes are missing or unevenly spaced and `options.irregular_spacing` is not `"keep"`.

    Example:
        >>> from pathlib import Path
        >>> from datamint_like.imaging import assemble, read  # doctest: +SKIP
        >>> group = assemble(Path("ct").iterdir()).groups[0]  # doctest: +SKIP
        >>> read(group.paths, group.facts).array.shape  # doctest: +SKIP
        (1, 32, 128, 128)
    """
    options = options or ReadOptions()
    if facts.kind == "volume" and facts.irregularity and options.irregular_spacing != "keep":
        raise GeometryError(
            f"{paths[0].name} ({len(paths)} files): {facts.irregularity} Slice it along its acquisition axis, "
            'where every slice has its place, or pass irregular_spacing="keep".'
        )
    stored = decode_stored(paths, facts, max_voxels=options.max_voxels)
    axis, flipped = frame_axis_of(facts)
    return Decoded(
        array=turn_of(facts).array(stored.array),
        affine=canonical_affine(facts),
        plane_origins=canonical_plane_origins(facts),
        frame_axis=axis,
        frame_flipped=flipped,
        facts=facts,
    )
