"""The program that decodes JPEG frames with GDCM, in a process of its own.

On damaged frames GDCM can end its process (an uncaught C++ exception, an access out of bounds), which no
`except` sees. It reads requests from stdin (a header, then the encoded frame) and answers on stdout
(a length, then the pixels; length 0 for a frame that cannot be decoded) until stdin closes.

Run as a file: it imports nothing of this package.
"""

import os
import struct
import sys

#: Columns, rows, samples, bits allocated, bits stored, signed, photometric interpretation, syntax, length.
REQUEST = struct.Struct("<6I16s64sQ")
ANSWER = struct.Struct("<Q")


def decode(head: tuple[int, int, int, int, int, int, bytes, bytes, int], encoded: bytes) -> bytes:
    """The pixels of one frame as GDCM gives them, colour by pixel."""
    import gdcm  # here, since the asking process imports this module for the layout of the messages

    columns, rows, samples, allocated, stored, signed, photometric, syntax, _ = head
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(encoded)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    interpretation = gdcm.PhotometricInterpretation.GetPIType(photometric.rstrip(b"\0").decode())
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(interpretation))
    if samples > 1:
        image.SetPlanarConfiguration(0)
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax.rstrip(b"\0").decode())))
    image.SetPixelFormat(gdcm.PixelFormat(samples, allocated, stored, stored - 1, signed))
    data: bytes = image.GetBuffer().encode("utf-8", "surrogateescape")  # GDCM hands out char* as str
    return data


def answer(pixels: bytes) -> None:
    """Write the length and the pixels at once, so that the reader is woken once; the pixels are not copied first."""
    written = os.writev(sys.stdout.fileno(), [ANSWER.pack(len(pixels)), pixels])
    left = memoryview(pixels)[max(0, written - ANSWER.size) :]
    while left:
        left = left[os.write(sys.stdout.fileno(), left) :]


def main() -> None:
    """Answer requests until stdin closes."""
    while len(head := sys.stdin.buffer.read(REQUEST.size)) == REQUEST.size:
        request = REQUEST.unpack(head)
        encoded = sys.stdin.buffer.read(request[-1])
        try:
            pixels = decode(request, encoded)
        except Exception:  # noqa: BLE001 -- whatever the binding raises, the answer is "not decoded"
            pixels = b""
        answer(pixels)


if __name__ == "__main__":
    main()
