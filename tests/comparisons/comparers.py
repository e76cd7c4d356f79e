"""What other readers say of a resource: for each of them one short result in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import nibabel as nib
import numpy as np
import pydicom
import SimpleITK as sitk
import tifffile
from PIL import Image

from datamint_like.imaging import Group, decode_stored, probe, read
from datamint_like.imaging.dicom.header import read_header
from datamint_like.imaging.dicom.plan import plan_of
from datamint_like.imaging.types import SourceFile
from tests.comparisons.simpleitk_reader import (
    NOT_READ,
    STORED_VALUES,
    by_simpleitk,
    check_place,
    frames_of,
    in_our_order,
)

#: (what it is compared with, result)
Result = tuple[str, str]


def results(group: Group, root: Path) -> Iterator[Result]:
    """The comparisons that there are for a resource."""
    comparers: dict[str, tuple[Callable[[Group], Iterator[Result]], ...]] = {
        "dicom": (_dicom_by_simpleitk,),
        "nifti": (_nifti_by_nibabel, _nifti_by_simpleitk),
        "raster": (_raster_by_pillow,),
        "tiff": (_tiff_by_tifffile,),
        "video": (_video_by_pyav,),
    }
    for compare in comparers[group.facts.format]:
        yield from compare(group)
    yield from _by_truth(group, root)


def difference(ours: np.ndarray, theirs: np.ndarray) -> str:
    """How far two arrays are apart, in words."""
    if ours.shape != theirs.shape:
        return f"shape {ours.shape}, theirs {theirs.shape}"
    apart = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    if not np.nanmax(apart, initial=0.0):
        return "equal values"
    scale = max(1.0, float(np.nanmax(np.abs(theirs.astype(np.float64)))))
    if float(apart.max()) <= 1e-6 * scale:
        return "equal values up to float32"
    return f"values differ by at most {apart.max():.3g}, on average {apart.mean():.2g}"


def _dicom_by_simpleitk(group: Group) -> Iterator[Result]:
    name = group.paths[0].name
    if name in NOT_READ:
        yield "SimpleITK", f"not read by it: {NOT_READ[name]}"
        return
    if len(group.paths) > 1 and group.facts.channels not in (1, 3):
        yield "SimpleITK, file by file", _file_by_file(group)
        return
    image = by_simpleitk(group)
    if name in STORED_VALUES:
        values = f"other values by rule: {STORED_VALUES[name]}"
    else:
        theirs = in_our_order(group, frames_of(image)) if len(group.paths) == 1 else frames_of(image)
        if len(group.paths) > 1:
            theirs = np.moveaxis(theirs, -1, 0) if theirs.ndim == 4 else theirs[None]
        values = difference(decode_stored(group.paths, group.facts).array, theirs)
    yield "SimpleITK", f"{values}{_place(group, image)}"


def _place(group: Group, image: sitk.Image) -> str:
    try:
        placed = check_place(group, image)
    except AssertionError:
        return ", another place"
    if not placed:
        return ""
    if group.facts.irregularity or "ge_tilt" in str(group.paths[0]):
        return ", same place of each plane's origin and axes (its image has no shear and even steps)"
    return ", same spacing, origin and direction"


def _file_by_file(group: Group) -> str:
    array = decode_stored(group.paths, group.facts).array
    planned = plan_of([read_header(SourceFile(path, path.name)) for path in group.paths])
    frames = {n: frames_of(sitk.ReadImage(str(path))) for n, path in enumerate(group.paths)}
    theirs = np.stack(
        [
            np.stack([frames[planned.frames[index].part][planned.frames[index].number] for index in planes])
            for planes in planned.stack.grid
        ]
    )
    return difference(array, theirs)


def _nifti_by_nibabel(group: Group) -> Iterator[Result]:
    image = nib.load(group.paths[0])
    data = np.asanyarray(image.dataobj)
    if data.dtype.fields:
        data = np.stack([data[name] for name in data.dtype.names], axis=-1)
    theirs = np.moveaxis(data.reshape(*data.shape[:3], -1), -1, 0).transpose(0, 3, 2, 1)
    values = difference(decode_stored(group.paths, group.facts).array, theirs)
    assert group.facts.affine is not None
    ours = group.facts.affine.matrix[:, [2, 1, 0, 3]]
    same = np.allclose(ours, image.affine, atol=1e-4)
    yield "nibabel", f"{values}, {'same affine' if same else 'another affine'}"


def _nifti_by_simpleitk(group: Group) -> Iterator[Result]:
    if group.facts.channels != 1:
        return
    try:
        image = sitk.ReadImage(str(group.paths[0]))
    except RuntimeError:
        yield "SimpleITK", "not read by it"
        return
    theirs = sitk.GetArrayFromImage(image)
    yield "SimpleITK", difference(decode_stored(group.paths, group.facts).array, theirs.reshape(1, *group.facts.shape))


def _raster_by_pillow(group: Group) -> Iterator[Result]:
    with Image.open(group.paths[0]) as image:
        theirs = np.asarray(image.convert("RGB") if image.mode == "P" else image)
    theirs = theirs[None] if theirs.ndim == 2 else np.moveaxis(theirs, -1, 0)
    yield "Pillow", difference(decode_stored(group.paths, group.facts).array[:, 0], theirs)


def _tiff_by_tifffile(group: Group) -> Iterator[Result]:
    theirs = tifffile.imread(group.paths[0])
    ours = decode_stored(group.paths, group.facts).array
    yield "tifffile", difference(np.moveaxis(ours, 0, -1).reshape(theirs.shape), theirs)


def _video_by_pyav(group: Group) -> Iterator[Result]:
    with av.open(str(group.paths[0])) as source:
        theirs = np.stack([frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)])
    ours = decode_stored(group.paths, group.facts).array
    yield "PyAV", f"{len(theirs)} frames; {difference(ours, np.moveaxis(theirs, -1, 0))}"


#: Conversions that SOURCES calls broken.
_BROKEN = ("philips_dti_4d_truth.nii.gz",)


def _by_truth(group: Group, root: Path) -> Iterator[Result]:
    """The NIfTI that another program made of the same series."""
    folder = group.paths[0].parent
    truth = folder.with_name(f"{folder.name}_truth.nii.gz")
    if group.facts.format != "dicom" or not truth.exists():
        return
    if truth.name in _BROKEN:
        yield truth.relative_to(root).as_posix(), "not compared: that conversion is broken"
        return
    ours, theirs = read(group.paths, group.facts), read([truth], probe([truth]))
    array = theirs.array[: ours.array.shape[0]] if group.facts.channels == 3 else theirs.array
    assert ours.affine is not None
    assert theirs.affine is not None
    same = np.allclose(ours.affine.matrix, theirs.affine.matrix, atol=2e-3)
    values = difference(ours.array, array)
    yield truth.relative_to(root).as_posix(), f"canonical: {values}, {'same affine' if same else 'another affine'}"


def coding_of(path: Path) -> str:
    """The transfer syntax of a DICOM file by its name."""
    return str(pydicom.dcmread(path, stop_before_pixels=True, force=True).file_meta.TransferSyntaxUID.name)
