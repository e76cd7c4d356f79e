"""Mask payloads: label maps and pictures of frames (here), and files of several named classes (`decoding`).

One module a payload kind: `labels` (NIfTI, PNG, arrays), `arrays` (.npy, .npz), `rle` (COCO RLE), `seg` (DICOM SEG),
`rtstruct` (RTSTRUCT contours). `sniffing` says which kind bytes are, `references` what a DICOM payload was drawn on.
"""

from __future__ import annotations

from datamint_like.imaging.masks.labels import SAME_GRID as SAME_GRID
from datamint_like.imaging.masks.labels import Axes as Axes
from datamint_like.imaging.masks.labels import array_to_stored as array_to_stored
from datamint_like.imaging.masks.labels import decode_frame_mask as decode_frame_mask
from datamint_like.imaging.masks.labels import decode_mask as decode_mask
from datamint_like.imaging.masks.labels import encode_frame_mask as encode_frame_mask
from datamint_like.imaging.masks.labels import encode_volume_mask as encode_volume_mask
