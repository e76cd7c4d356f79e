"""Bytes of a real file, damaged in the ways that disks, networks and attackers damage them; one seed, one result."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable

_EXTREMES = (b"\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\x7f\xff\xff\xff")
_HEADER = 2048

Mutation = Callable[[bytearray, random.Random], bytearray]


def _place(data: bytearray, rng: random.Random) -> int:
    """A place in the file, every other time in its first bytes, where headers are."""
    end = len(data) if rng.random() < 0.5 else min(len(data), _HEADER)
    return rng.randrange(max(1, end))


def _flip_bit(data: bytearray, rng: random.Random) -> bytearray:
    if data:
        data[_place(data, rng)] ^= 1 << rng.randrange(8)
    return data


def _set_byte(data: bytearray, rng: random.Random) -> bytearray:
    if data:
        data[_place(data, rng)] = rng.randrange(256)
    return data


def _set_extreme(data: bytearray, rng: random.Random) -> bytearray:
    """A length, count or offset that lies as much as it can."""
    value, at = rng.choice(_EXTREMES), _place(data, rng) & ~1
    data[at : at + len(value)] = value
    return data


def _cut(data: bytearray, rng: random.Random) -> bytearray:
    return data[: _place(data, rng)]


def _remove(data: bytearray, rng: random.Random) -> bytearray:
    at = _place(data, rng)
    del data[at : at + rng.choice((1, 2, 4, 16, 512))]
    return data


def _repeat(data: bytearray, rng: random.Random) -> bytearray:
    at = _place(data, rng)
    piece = data[at : at + rng.choice((1, 4, 64, 2048))]
    data[at:at] = piece * rng.choice((1, 1, 7))
    return data


def _zero(data: bytearray, rng: random.Random) -> bytearray:
    """A page that was never written."""
    at = _place(data, rng) & ~511
    data[at : at + 512] = bytes(min(512, len(data) - at))
    return data


def _swap(data: bytearray, rng: random.Random) -> bytearray:
    a, b, size = _place(data, rng), _place(data, rng), rng.choice((2, 8, 128))
    data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]
    return data


MUTATIONS: tuple[Mutation, ...] = (
    _flip_bit,
    _flip_bit,
    _set_byte,
    _set_extreme,
    _set_extreme,
    _cut,
    _remove,
    _repeat,
    _zero,
    _swap,
)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The file with one to four damages; of a gzip file, every other time, what is inside it."""
    if data[:2] == b"\x1f\x8b" and rng.random() < 0.5:
        return gzip.compress(_damaged(gzip.decompress(data), rng), 1, mtime=0)
    return _damaged(data, rng)


def _damaged(data: bytes, rng: random.Random) -> bytes:
    result = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        result = rng.choice(MUTATIONS)(result, rng)
    return bytes(result)
