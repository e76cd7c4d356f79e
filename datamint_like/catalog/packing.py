"""Rows as few bytes: values without their names, deflated with a dictionary that knows what rows of this project say.

A record is MessagePack of the values in the order of the fields, as a zlib stream with a preset dictionary: the first
rows of the project, which hold the names, keys and values that most others repeat. So each row is read by itself.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import msgspec
from isal import isal_zlib

from datamint_like.backends.base import ContentRow
from datamint_like.entities import Annotation, Part, Resource

#: The fields by whose order values are told apart.
LAYOUT = tuple(tuple(kind.__struct_fields__) for kind in (Resource, Part, Annotation))
_RESOURCE, _PART, _ = LAYOUT
_TAGS = _RESOURCE.index("tags")
_LONGEST = 1 << 12  # bytes of the dictionary for each half of a row; more is slower, and no smaller
_LEVEL = 1
_values_of = msgspec.structs.astuple
_encode = msgspec.msgpack.Encoder().encode
_decode_record = msgspec.msgpack.Decoder(tuple[list[Any], list[list[Any]]]).decode
_decode_resource = msgspec.msgpack.Decoder(tuple[list[Any], msgspec.Raw]).decode
_decode_parts = msgspec.msgpack.Decoder(tuple[msgspec.Raw, list[list[Any]]]).decode
_decode_annotations = msgspec.msgpack.Decoder(list[list[Any]]).decode
#: What a damaged record raises.
DAMAGED: tuple[Any, ...] = (isal_zlib.error, zlib.error, msgspec.MsgspecError, TypeError, ValueError)


class Packing:
    """Packs rows and unpacks them, by one dictionary."""

    def __init__(self, dictionary: bytes) -> None:
        self.dictionary = dictionary

    @classmethod
    def of_sample(cls, rows: Iterable[ContentRow]) -> Packing:
        """The packing for rows like these."""
        records, said = b"", b""
        for row in rows:
            records, said = records + _record(row), said + _said(row)
        return cls(said[:_LONGEST] + records[:_LONGEST])

    def pack(self, row: ContentRow) -> tuple[bytes, bytes]:
        """Resource and parts of a row, and its annotations; empty where there are none."""
        return self._deflated(_record(row)), self._deflated(_said(row)) if row.annotations else b""

    def row(self, record: bytes, annotations: bytes) -> ContentRow:
        """The row that was packed."""
        values, parts = _decode_record(self._inflated(record))
        return ContentRow(_resource(values), [_part(each) for each in parts], self.annotations(annotations))

    def resource(self, record: bytes) -> Resource:
        """The resource of a packed record."""
        values, _ = _decode_resource(self._inflated(record))
        return _resource(values)

    def parts(self, record: bytes) -> list[Part]:
        """The parts of a packed record."""
        _, parts = _decode_parts(self._inflated(record))
        return [_part(each) for each in parts]

    def annotations(self, packed: bytes) -> list[Annotation]:
        """The annotations that were packed."""
        return [Annotation(*values) for values in _decode_annotations(self._inflated(packed))] if packed else []

    def _deflated(self, data: bytes) -> bytes:
        packer = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, zlib.MAX_WBITS, zdict=self.dictionary)
        return packer.compress(data) + packer.flush()

    def _inflated(self, data: bytes) -> bytes:
        unpacker = isal_zlib.decompressobj(zlib.MAX_WBITS, zdict=self.dictionary)
        found: bytes = unpacker.decompress(data)
        if not unpacker.eof:
            raise ValueError("it ends too early")
        return found


def _resource(values: list[Any]) -> Resource:
    values[_TAGS] = tuple(values[_TAGS])
    return Resource(**dict(zip(_RESOURCE, values, strict=True)))


def _part(values: list[Any]) -> Part:
    return Part(**dict(zip(_PART, values, strict=True)))


def _record(row: ContentRow) -> bytes:
    return _encode((_values_of(row.resource), [_values_of(part) for part in row.parts]))


def _said(row: ContentRow) -> bytes:
    return _encode([_values_of(each) for each in row.annotations])
