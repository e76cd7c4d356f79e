"""The numbers of TIFF 6.0 and its supplements by name, and which of what they name can be read."""

from __future__ import annotations

from datamint_like.exceptions import DecodeError

NEW_SUBFILE_TYPE, OLD_SUBFILE_TYPE = 254, 255
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
DESCRIPTION, STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS = 270, 273, 274, 277, 278, 279
PLANAR, T4_OPTIONS, PREDICTOR, COLOR_MAP = 284, 292, 317, 320
TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_COUNTS = 322, 323, 324, 325
SAMPLE_FORMAT, JPEG_TABLES = 339, 347
DEPTH, TILE_DEPTH = 32997, 32998
#: MetaMorph's UIC2: one value for each plane of a stack that has a single directory.
METAMORPH_PLANES = 33629

#: More samples of a pixel than any real picture has.
MOST_SAMPLES = 4096

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6
#: Samples that a photometric interpretation needs; further ones are extra samples such as alpha.
COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, YCBCR: 3}
_PHOTOMETRICS = {
    WHITE_IS_ZERO: "WhiteIsZero",
    BLACK_IS_ZERO: "BlackIsZero",
    RGB: "RGB",
    PALETTE: "palette",
    4: "transparency mask",
    5: "CMYK",
    YCBCR: "YCbCr",
    8: "CIE L*a*b*",
    9: "ICC L*a*b*",
    10: "ITU L*a*b*",
    32803: "colour filter array",
    32844: "LogL",
    32845: "LogLuv",
    34892: "linear raw",
}

UNCOMPRESSED, LZW, JPEG, DEFLATE, PACKBITS, OLD_DEFLATE, LZMA = 1, 5, 7, 8, 32773, 32946, 34925
CCITT = frozenset({2, 3, 4})
READ = frozenset({UNCOMPRESSED, LZW, JPEG, DEFLATE, PACKBITS, OLD_DEFLATE, LZMA})
#: Compressions that take a predictor.
PREDICTED = frozenset({LZW, DEFLATE, OLD_DEFLATE, LZMA})
_COMPRESSIONS = {
    UNCOMPRESSED: "none",
    2: "CCITT modified Huffman",
    3: "CCITT Group 3",
    4: "CCITT Group 4",
    LZW: "LZW",
    6: "old-style JPEG",
    JPEG: "JPEG",
    DEFLATE: "Deflate",
    9: "JBIG",
    10: "JBIG",
    32766: "NeXT",
    PACKBITS: "PackBits",
    32809: "ThunderScan",
    OLD_DEFLATE: "Deflate",
    33003: "JPEG 2000 (Aperio, YCbCr)",
    33005: "JPEG 2000 (Aperio, RGB)",
    34661: "JBIG",
    34676: "SGILog",
    34677: "SGILog24",
    34712: "JPEG 2000",
    34887: "LERC",
    LZMA: "LZMA",
    34892: "lossy JPEG of DNG",
    34933: "PNG",
    34934: "JPEG XR",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}

#: SampleFormat; 4 is "undefined", which readers take for unsigned.
FORMS = {1: "u", 2: "i", 3: "f", 4: "u"}
FORM_NAMES = {5: "complex integer", 6: "complex"}
_BITS = {"u": {*range(1, 17), 32, 64} - {3, 5, 6, 7}, "i": {8, 16, 32, 64}, "f": {16, 32, 64}}


def photometric_name(number: int) -> str:
    """The name of a photometric interpretation."""
    return _PHOTOMETRICS.get(number, str(number))


def compression_name(number: int) -> str:
    """The name of a compression."""
    return _COMPRESSIONS.get(number, str(number))


def refuse_unreadable(compression: int, photometric: int, bits: int, form: str, predictor: int) -> None:
    """Refuse a page of a kind that cannot be read exactly.

    Raises:
        DecodeError: One that names what is not supported.
    """
    save = "Save it uncompressed or with LZW or Deflate."
    if compression not in READ | CCITT:
        raise DecodeError(
            f"it is a TIFF with the compression {compression_name(compression)} (number {compression}), "
            f"which is not supported. {save}"
        )
    if photometric not in COLOURS or (photometric == YCBCR and compression != JPEG):
        raise DecodeError(
            f"it is a TIFF in {photometric_name(photometric)} colours (photometric interpretation {photometric}), "
            "which are not supported. Convert it to RGB or gray."
        )
    if bits not in _BITS[form]:
        kind = {"u": "unsigned", "i": "signed", "f": "floating point"}[form]
        raise DecodeError(f"it is a TIFF of {kind} samples of {bits} bits, which are not supported.")
    if (compression in CCITT and bits != 1) or (compression == JPEG and (bits != 8 or form != "u")):
        raise DecodeError(f"it is a TIFF of {bits} bits with {compression_name(compression)}, which is not supported.")
    if predictor not in (1, 2, 3) or (predictor != 1 and bits % 8) or (predictor == 3 and form != "f"):
        raise DecodeError(f"it is a TIFF of {bits} bits with the predictor {predictor}, which is not supported.")
    if form == "f" and photometric == PALETTE:
        raise DecodeError("it is damaged: palettes have no floating point indices.")
