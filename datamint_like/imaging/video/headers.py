"""The frame size (width, height) that compressed pictures carry in their own headers, by codec.

Sources: ITU-T H.264 7.3.2.1.1, H.265 7.3.2.2, ISO/IEC 13818-2 6.2.2.1, ITU-T T.81 B.2.2, RFC 6386 9.1, and the
VP9 bitstream specification 6.2.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

#: (which parameter set, (width, height)): sizes of different parameter sets say nothing of each other.
Size = tuple[int, tuple[int, int]]
#: Luma pixels across and down for one of chroma, by chroma_format_idc: the units of cropping.
_CHROMA_UNITS = {1: (2, 2), 2: (2, 1)}
_H264_WITH_CHROMA = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 144, 244})
_JPEG_FRAMES = (0xC0, 0xC1, 0xC2, 0xC3)
_H264_SPS, _H265_SPS = 7, 33


class _Bits:
    """Reads big-endian bits; past the end they are zero."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        """The next bits as a number (u(n))."""
        self._left -= count
        shifted = self._value >> self._left if self._left >= 0 else 0
        return shifted & ((1 << count) - 1)

    def golomb(self) -> int:
        """The next Exp-Golomb code (ue(v)); of a signed one its number, not its value."""
        zeros = 0
        while zeros < 32 and not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def is_known(codec: str) -> bool:
    """Whether headers of this codec are read."""
    return codec in _READERS


def sizes_of(codec: str, packet: bytes) -> Iterator[Size]:
    """The sizes in the headers of a packet of this codec (its four-character code); none where it is not known."""
    reader = _READERS.get(codec)
    if reader is not None:
        yield from reader(packet)


def _units(packet: bytes) -> Iterator[bytes]:
    """The first bytes of what follows each start code 00 00 01."""
    at = packet.find(b"\0\0\1")
    while at >= 0:
        yield packet[at + 3 : at + 3 + 512]
        at = packet.find(b"\0\0\1", at + 3)


def _h264(packet: bytes) -> Iterator[Size]:
    for unit in _units(packet):
        if len(unit) > 4 and unit[0] & 31 == _H264_SPS:
            yield _h264_size(_Bits(unit[1:].replace(b"\0\0\3", b"\0\0")))


def _h264_size(bits: _Bits) -> Size:
    profile = bits.take(24) >> 16
    number, chroma = bits.golomb(), 1
    if profile in _H264_WITH_CHROMA:
        chroma = bits.golomb()
        bits.take(1 if chroma == 3 else 0)
        bits.golomb(), bits.golomb(), bits.take(1)
        if bits.take(1):
            _skip_scaling_lists(bits, 12 if chroma == 3 else 8)
    bits.golomb()
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.take(1), bits.golomb(), bits.golomb()
        for _ in range(min(bits.golomb(), 255)):
            bits.golomb()
    bits.golomb(), bits.take(1)
    width, height, fields = 16 * (bits.golomb() + 1), 16 * (bits.golomb() + 1), 2 - bits.take(1)
    bits.take(fields)
    across, down = _cropped(bits, chroma)
    return number, (width - across, (height - down) * fields)


def _skip_scaling_lists(bits: _Bits, count: int) -> None:
    for index in range(count):
        last = following = 8
        for _ in range((16 if index < 6 else 64) if bits.take(1) else 0):
            if following:
                code = bits.golomb()
                following = (last + (-(code // 2) if code % 2 == 0 else code // 2 + 1)) % 256
            last = following or last


def _h265(packet: bytes) -> Iterator[Size]:
    for unit in _units(packet):
        if len(unit) > 4 and unit[0] >> 1 & 63 == _H265_SPS:
            yield _h265_size(_Bits(unit[2:].replace(b"\0\0\3", b"\0\0")))


def _h265_size(bits: _Bits) -> Size:
    layers = bits.take(7) & 7
    bits.take(1 + 96)
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    bits.take(2 * (8 - layers) if layers else 0)
    for profile, level in present:
        bits.take(88 * profile + 8 * level)
    number = bits.golomb()
    chroma = bits.golomb()
    bits.take(1 if chroma == 3 else 0)
    width, height = bits.golomb(), bits.golomb()
    across, down = _cropped(bits, chroma)
    return number, (width - across, height - down)


def _cropped(bits: _Bits, chroma: int) -> tuple[int, int]:
    """How many pixels the cropping window takes off across and down."""
    left, right, top, bottom = (bits.golomb() for _ in range(4)) if bits.take(1) else (0, 0, 0, 0)
    across, down = _CHROMA_UNITS.get(chroma, (1, 1))
    return (left + right) * across, (top + bottom) * down


def _mpeg2(packet: bytes) -> Iterator[Size]:
    for unit in _units(packet):
        if unit[:1] == b"\xb3" and len(unit) > 4:
            yield 0, (unit[1] << 4 | unit[2] >> 4, (unit[2] & 15) << 8 | unit[3])


def _vp8(packet: bytes) -> Iterator[Size]:
    if len(packet) >= 10 and not packet[0] & 1 and packet[3:6] == b"\x9d\x01\x2a":
        yield 0, (int.from_bytes(packet[6:8], "little") & 0x3FFF, int.from_bytes(packet[8:10], "little") & 0x3FFF)


def _vp9(packet: bytes) -> Iterator[Size]:
    bits = _Bits(packet[:16])
    marker, low, high = bits.take(2), bits.take(1), bits.take(1)
    if (
        marker != 2 or (profile := 2 * high + low) > 2 or bits.take(2)
    ):  # profile 3 is rare; shown again, or no key frame
        return
    bits.take(2)
    if bits.take(24) != 0x498342:
        return
    bits.take(1 if profile == 2 else 0)
    srgb = bits.take(3) == 7
    bits.take((0 if srgb else 1) + (2 if profile == 1 and not srgb else 0) + (1 if profile == 1 else 0))
    yield 0, (bits.take(16) + 1, bits.take(16) + 1)


def _mjpeg(packet: bytes) -> Iterator[Size]:
    at = 2
    while at + 9 <= len(packet) and packet[at] == 0xFF:
        if packet[at + 1] in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", packet, at + 5)
            yield 0, (width, height)
            return
        at += 2 + int.from_bytes(packet[at + 2 : at + 4], "big")


_READERS: dict[str, Callable[[bytes], Iterator[Size]]] = {
    "h264": _h264,
    "avc1": _h264,
    "hevc": _h265,
    "hev1": _h265,
    "hvc1": _h265,
    "mjpg": _mjpeg,
    "mpg1": _mpeg2,
    "mpg2": _mpeg2,
    "vp80": _vp8,
    "vp90": _vp9,
}
