"""TIFF images and multi-page stacks: values as stored, larger is brighter, palettes and YCbCr as RGB."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import IO

import numpy as np

from datamint_like.imaging._planes import split_into
from datamint_like.imaging._reading_errors import reading, refuse_oversized
from datamint_like.imaging._sources import only_one
from datamint_like.imaging._upright import upright
from datamint_like.imaging.sniff import is_tiff
from datamint_like.imaging.tiff import tags
from datamint_like.imaging.tiff.pages import Page, details_of, pages_of
from datamint_like.imaging.tiff.segments import samples_of, stored_voxels
from datamint_like.imaging.types import Array, HeaderFacts, SourceFile, StoredImage
from datamint_like.imaging.values import scale_into


class TiffDecoder:
    """TIFF and BigTIFF: one page is an image, several are the planes of a volume without geometry."""

    format = "tiff"
    version = 1

    def accepts(self, head: bytes, filename: str) -> bool:
        """Whether the file starts as a TIFF."""
        return is_tiff(head)

    def probe(self, files: Sequence[SourceFile]) -> HeaderFacts:
        """The facts by the directories; a file that ends before its segments is refused."""
        source = only_one(files, "a TIFF resource")
        with reading(source), open(source.path, "rb") as file:
            return facts_of(pages_of(file))

    def decode(self, files: Sequence[SourceFile], *, max_voxels: int, dtype: str | None = None) -> StoredImage:
        """The array (C, K, J, I)."""
        source = only_one(files, "a TIFF resource")
        with reading(source), open(source.path, "rb") as file:
            return decode_file(file, max_voxels=max_voxels, dtype=dtype)


def facts_of(pages: Sequence[Page]) -> HeaderFacts:
    """The header facts of a file with these pages."""
    return HeaderFacts(
        format="tiff",
        kind="volume" if len(pages) > 1 else "image",
        mimetype="image/tiff",
        channels=pages[0].channels,
        shape=(len(pages), *pages[0].size),
        dtype=pages[0].dtype,
        details=dict(details_of(pages)),
    )


def palette_indices(data: bytes, *, max_voxels: int) -> Array | None:
    """The indices (1, K, J, I) of a TIFF in memory whose pixels are those of a palette; None where they are not.

    Raises:
        DecodeError: It is damaged, of a kind that cannot be read, or claims more than `max_voxels`.
        GeometryError: Its pages differ.
    """
    file = io.BytesIO(data)
    pages = pages_of(file)
    if any(page.palette is None for page in pages):
        return None
    return _decoded(file, [replace(page, palette=None) for page in pages], max_voxels, None).array


def decode_file(file: IO[bytes], *, max_voxels: int, dtype: str | None = None) -> StoredImage:
    """The stack (C, K, J, I) in an open file, in `dtype` where one is given, else in the header's type.

    Raises:
        DecodeError: It is damaged, of a kind that cannot be read, or claims more than `max_voxels`.
        GeometryError: Its pages differ.
    """
    return _decoded(file, pages_of(file), max_voxels, dtype)


def _decoded(file: IO[bytes], pages: Sequence[Page], max_voxels: int, dtype: str | None) -> StoredImage:
    facts = facts_of(pages)
    shape = (facts.channels, *facts.shape)
    refuse_oversized(max(int(np.prod(shape, dtype=object)), *map(stored_voxels, pages)), max_voxels)
    array = np.empty(shape, dtype=dtype or facts.dtype)
    for number, page in enumerate(pages):
        _write(array[:, number], upright(samples_of(file, page), page.orientation), page)
    return StoredImage(array=array, facts=facts)


def facts_of_bytes(data: bytes) -> HeaderFacts:
    """The header facts of a TIFF in memory.

    Raises:
        DecodeError: It is damaged, or of a kind that cannot be read.
        GeometryError: Its pages differ.
    """
    return facts_of(pages_of(io.BytesIO(data)))


def decode_bytes(data: bytes, *, max_voxels: int) -> StoredImage:
    """The stack (C, K, J, I) of a TIFF in memory.

    Raises:
        DecodeError: It is damaged, of a kind that cannot be read, or claims more than `max_voxels`.
        GeometryError: Its pages differ.
    """
    return decode_file(io.BytesIO(data), max_voxels=max_voxels)


def _write(out: Array, samples: Array, page: Page) -> None:
    """Write what the samples (samples, rows, columns) mean to (C, rows, columns)."""
    if page.palette is not None:
        scale_into(out, page.palette[:, samples[0]], 1.0, 0.0)
        return
    if page.bits == 8 and page.photometric != tags.WHITE_IS_ZERO and split_into(list(out), samples):
        return
    for channel, plane in enumerate(samples):
        shown = _brighter(plane, page) if channel == 0 else plane  # channels behind the gray are extra samples
        scale_into(out[channel], shown if page.photometric == tags.PALETTE else _stretched(shown, page.bits), 1.0, 0.0)


def _brighter(plane: Array, page: Page) -> Array:
    """Gray of which larger is brighter; floating point has no white to count from, and stays."""
    if page.photometric != tags.WHITE_IS_ZERO or page.form == "f":
        return plane
    return ~plane if page.form == "i" else plane ^ plane.dtype.type((1 << page.bits) - 1)


def _stretched(plane: Array, bits: int) -> Array:
    """Samples of fewer than 8 bits so that their white is 255, as in PNG (section 13.12)."""
    return plane if bits >= 8 else plane * np.uint8(255 // ((1 << bits) - 1))
