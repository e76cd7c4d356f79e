"""Which kind of mask payload bytes are, by their content."""

from __future__ import annotations

import io
from typing import Literal

from datamint_like.exceptions import DecodeError
from datamint_like.imaging._reading_errors import reading
from datamint_like.imaging.dicom.classes import annotation_kind
from datamint_like.imaging.dicom.objects import read_object
from datamint_like.imaging.masks.arrays import NPY, is_npz
from datamint_like.imaging.sniff import HEAD_SIZE, head_of, is_dicom, is_nifti, is_picture

PayloadKind = Literal["picture", "nifti", "numpy", "rle", "seg", "rtstruct", "dicom"]


def sniff_mask(payload: bytes) -> PayloadKind | None:
    """What a mask payload is, or None where it is nothing that masks come as.

    `"picture"`: PNG or JPEG; `"nifti"`: .nii or .nii.gz; `"numpy"`: .npy or .npz; `"rle"`: COCO RLE as JSON; `"seg"`
    and `"rtstruct"`: DICOM of these classes; `"dicom"`: any other DICOM.

    Example:
        >>> sniff_mask(Path("seg.dcm").read_bytes()), sniff_mask(b'{"size": [2, 2], "counts": [4]}')
        ('seg', 'rle')
    """
    head = payload[:HEAD_SIZE]
    if is_picture(head):
        return "picture"
    if head.startswith(NPY) or is_npz(head):
        return "numpy"
    if is_nifti(head_of(io.BytesIO(payload))):
        return "nifti"
    if is_dicom(head):
        return _dicom(payload)
    return "rle" if _is_json_object(head) else None


def _is_json_object(head: bytes) -> bool:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return start.startswith(b"{") and start[1:].lstrip().startswith((b'"', b"}"))


def _dicom(payload: bytes) -> PayloadKind:
    try:
        with reading("mask"):
            return annotation_kind(read_object(payload, "mask").elements) or "dicom"
    except DecodeError:
        return "dicom"  # damaged: whoever reads it will say how
