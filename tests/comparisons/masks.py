"""Masks of the real data beside independent readers of the same masks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from datamint_like.exceptions import DatamintException
from datamint_like.imaging import Group, assemble, decode_segments
from tests.comparisons.simpleitk_reader import by_simpleitk

_PHILIPS, _GE = "derived/ct_small_philips_axial", "derived/ct_small_ge_tilt_irregular"
_LABELS = "derived/ct_small_axial_labels"
#: Mask file, folder of its images, and another tool's label map of the same mask (or None).
MASKS = (
    (f"{_LABELS}/seg_labelmap.dcm", _PHILIPS, f"{_LABELS}/label.nii.gz"),
    (f"{_LABELS}/rtstruct.dcm", _PHILIPS, f"{_LABELS}/label.nii.gz"),
    ("derived/ct_small_ge_labels/seg_binary.dcm", _GE, None),
    ("seg/liver.dcm", "seg/ct_3slice", "seg/liver_seg.nrrd"),
    ("compressed/liver_rle.dcm", "seg/ct_3slice", "seg/liver_seg.nrrd"),
    ("compressed/liver_deflate.dcm", "seg/ct_3slice", "seg/liver_seg.nrrd"),
    ("seg/partial_overlaps.dcm", "seg/ct_3slice", None),
    ("seg/24x38x3/seg/label.seg", "seg/24x38x3/image", "seg/24x38x3/nrrd/label.nrrd"),
    ("seg/sparse-labelmap-ppv5.dcm", "seg/24x38x3/image", None),
    ("seg/sparse-labelmap-noppv.dcm", "seg/24x38x3/image", None),
    ("seg/highdicom/seg_image_ct_binary.dcm", "seg/highdicom/ct_source", None),
    ("seg/highdicom/seg_image_ct_binary_overlap.dcm", "seg/highdicom/ct_source", None),
    ("seg/highdicom/seg_image_sm_dots.dcm", "seg/highdicom/ct_source", None),
    ("rtstruct/rt_utils/mock_data/rt.dcm", "rtstruct/rt_utils/mock_data", None),
    ("rtstruct/rt_utils/mock_data/invalid_reference_rt.dcm", "rtstruct/rt_utils/mock_data", None),
    ("rtstruct/dicompyler/rtss.dcm", "rtstruct/dicompyler", None),
)


def mask_rows(root: Path) -> Iterator[tuple[str, str, str]]:
    """(file, segments, result) of each mask file of the real data."""
    for name, folder, label in MASKS:
        group = assemble((root / folder).iterdir()).groups[0]
        try:
            found = decode_segments((root / name).read_bytes(), group.facts, name=Path(name).name)
        except DatamintException as error:
            yield name, f"on {folder}", f"refused: {error}"
            continue
        shown = ", ".join(f"{each.name} ({int(each.array.sum()):,})" for each in found.segments[:4])
        more = f" and {len(found.segments) - 4} more" if len(found.segments) > 4 else ""
        other = None if label is None else root / label
        yield name, f"{shown}{more} on {folder}", _result(group, [each.array for each in found.segments], other)


def _result(group: Group, segments: list[np.ndarray], other: Path | None) -> str:
    """How many voxels differ from another tool's label map, which SimpleITK lays on the images by their places."""
    if other is None:
        return "placed"
    label = sitk.ReadImage(str(other))
    laid = sitk.Resample(label, by_simpleitk(group), sitk.Transform(), sitk.sitkNearestNeighbor)
    ours, theirs = np.any(np.stack(segments), axis=0), sitk.GetArrayFromImage(laid) > 0
    apart = int((ours != theirs).sum())
    return f"any segment against the label map {other.name} by SimpleITK: {apart} of {ours.size:,} voxels differ"
