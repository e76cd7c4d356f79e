"""MPEG transport streams (ISO/IEC 13818-1): whether the last packet is whole."""

from __future__ import annotations

from typing import BinaryIO

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.sniff import HEAD_SIZE, transport_packet


def check_transport_stream(file: BinaryIO, size: int) -> None:
    """Refuse a transport stream whose last packet is cut; a stream that ends between packets does not show it.

    Raises:
        DecodeError: The file's size is no multiple of its packets' size.
    """
    file.seek(0)
    packet = transport_packet(file.read(HEAD_SIZE)) or 188
    rest = size % packet
    if rest:
        raise DecodeError(
            f"it is cut short: expected whole packets of {packet} bytes, found {rest} bytes after the last one. "
            "Copy the file again."
        )
