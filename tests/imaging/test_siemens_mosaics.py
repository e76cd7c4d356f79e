"""Mosaics, made of real slices with a CSA header written byte by byte, lie where the slices lay.

nibabel's `MosaicWrapper` is the second reader.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from datamint_like.exceptions import DatamintException, DecodeError, GeometryError
from datamint_like.imaging import assemble, decode_stored, derive_multiframe, probe

from .conftest import only_group
from .dicom_files import write_slice


def csa_tag(name: str, vr: str, values: list[str]) -> bytes:
    """One tag of a CSA2 header: 84 bytes of description, then items of 16 bytes and a padded text."""
    count = max(6, len(values))  # Siemens writes empty items behind the values
    head = struct.pack("<64si4s3i", name.encode(), len(values), vr.encode(), 6, count, 77)
    items = b""
    for n in range(count):
        text = values[n].encode() + b"\0" if n < len(values) else b""
        items += struct.pack("<4i", len(text), len(text), 77, len(text)) + text + b"\0" * (-len(text) % 4)
    return head + items


def csa(tags: list[bytes]) -> bytes:
    body = b"SV10\4\3\2\1" + struct.pack("<2I", len(tags), 77) + b"".join(tags)
    return body + b"\0" * (len(body) % 2)


def mosaic_csa(count: int, normal: np.ndarray) -> bytes:
    return csa(
        [
            csa_tag("EchoLinePosition", "IS", ["32"]),
            csa_tag("AcquisitionMatrixText", "SH", ["8*8"]),
            csa_tag("NumberOfImagesInMosaic", "US", [str(count)]),
            csa_tag("SliceNormalVector", "FD", [f"{v:.8f}" for v in normal]),
        ]
    )


def write_mosaic(
    path: Path,
    planes: np.ndarray,
    first: np.ndarray,
    orientation: list[float],
    spacing: list[float],
    step: float,
    *,
    normal: np.ndarray | None = None,
    header: bytes | None = b"?",
    **elements: object,
) -> Path:
    """A mosaic of planes (K, J, I), placed as the scanner does: the picture's centre is that of the planes."""
    count, rows, columns = planes.shape
    side = math.ceil(math.sqrt(count))
    picture = np.zeros((side * rows, side * columns), planes.dtype)
    for k, plane in enumerate(planes):
        top, left = k // side * rows, k % side * columns
        picture[top : top + rows, left : left + columns] = plane
    row, column = np.array(orientation[:3], float), np.array(orientation[3:], float)
    away = row * spacing[1] * columns * (side - 1) / 2 + column * spacing[0] * rows * (side - 1) / 2
    direction = np.cross(row, column) if normal is None else normal
    write_slice(
        path,
        picture,
        Modality="MR",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.4",
        ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"],
        ImagePositionPatient=[f"{v:.8g}" for v in first - away],
        ImageOrientationPatient=orientation,
        PixelSpacing=spacing,
        SpacingBetweenSlices=step,
        SliceThickness=step,
        RescaleSlope=None,
        RescaleIntercept=None,
        **elements,
    )
    if header is not None:
        dataset = pydicom.dcmread(path)
        block = dataset.private_block(0x29, "SIEMENS CSA HEADER", create=True)
        block.add_new(0x10, "OB", mosaic_csa(count, direction) if header == b"?" else header)
        dataset.save_as(path)
    return path


def oblique() -> list[float]:
    row = np.array([0.96, 0.2, -0.1])
    row /= np.linalg.norm(row)
    column = np.cross([0.1, -0.2, 0.97], row)
    column /= np.linalg.norm(column)
    return [float(f"{v:.9f}") for v in (*row, *column)]


PLANES = np.arange(7 * 4 * 6, dtype=np.uint16).reshape(7, 4, 6)
FIRST, SPACING, STEP = np.array([-40.0, 12.5, 7.25]), [2.0, 1.5], 3.5


def by_nibabel(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Data (I, J, K) and affine in RAS, by (i, j, k), as nibabel takes the mosaic apart."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nibabel.nicom.dicomwrappers import wrapper_from_file

        wrapper = wrapper_from_file(path)
        assert wrapper.is_mosaic
        return np.asarray(wrapper.get_data()), np.diag([-1.0, -1, 1, 1]) @ wrapper.affine


@pytest.mark.parametrize("reverse", [False, True])
def test_a_mosaic_is_a_volume_where_nibabel_sees_it(reverse: bool, tmp_path: Path):
    orientation = oblique()
    normal = np.cross(orientation[:3], orientation[3:]) * (-1 if reverse else 1)
    path = write_mosaic(tmp_path / "m.dcm", PLANES, FIRST, orientation, SPACING, STEP, normal=normal)
    group = only_group(tmp_path)
    assert (group.facts.kind, group.facts.shape) == ("volume", (7, 4, 6))
    array, affine = decode_stored(group.paths, group.facts).array[0], group.facts.affine
    data, theirs = by_nibabel(path)
    assert affine is not None
    assert data.shape == (4, 6, 7)  # rows, columns, planes
    for k, j, i in ((0, 0, 0), (6, 0, 0), (2, 3, 5)):
        ours = affine.matrix @ [k, j, i, 1]
        plane = next(n for n in range(7) if data[j, i, n] == array[k, j, i])
        assert np.allclose(ours, theirs @ [j, i, plane, 1], atol=1e-4)
    stored = PLANES[::-1] if affine.origin[2] != pytest.approx(FIRST[2], abs=1e-3) else PLANES
    assert np.array_equal(array, stored)
    expected = FIRST * [-1, -1, 1] if stored is PLANES else (FIRST + 6 * STEP * normal) * [-1, -1, 1]
    assert np.allclose(affine.origin, expected, atol=1e-3)


def test_a_mosaic_of_a_real_series_is_that_series(demo_images: Path, tmp_path: Path):
    series = only_group(demo_images / "ct_philips")
    stored = decode_stored(series.paths, series.facts).array[0]
    head = pydicom.dcmread(series.paths[0], stop_before_pixels=True)
    place = np.array([float(v) for v in head.ImagePositionPatient])
    step = float(np.linalg.norm(series.facts.affine.matrix[:3, 0])) if series.facts.affine else 0.0
    planes = (stored - stored.min()).astype(np.uint16)
    orientation, spacing = [float(v) for v in head.ImageOrientationPatient], [float(v) for v in head.PixelSpacing]
    write_mosaic(tmp_path / "m.dcm", planes, place, orientation, spacing, step)
    group = only_group(tmp_path)
    assert group.facts.affine is not None
    assert series.facts.affine is not None
    assert np.allclose(group.facts.affine.matrix, series.facts.affine.matrix, atol=1e-3)
    assert np.array_equal(decode_stored(group.paths, group.facts).array[0], planes)


def test_mosaics_of_one_series_are_time_points(tmp_path: Path):
    for number in (2, 1, 3):
        write_mosaic(
            tmp_path / f"{9 - number}.dcm",
            PLANES + 1000 * number,
            FIRST,
            oblique(),
            SPACING,
            STEP,
            InstanceNumber=number,
            AcquisitionNumber=number,
            AcquisitionTime=f"1010{number:02}.5",
        )
    group = only_group(tmp_path)
    assert (group.facts.channels, group.facts.shape) == (3, (7, 4, 6))
    array = decode_stored(group.paths, group.facts).array
    assert np.array_equal(array, np.stack([PLANES + 1000 * n for n in (1, 2, 3)]))
    target = io.BytesIO()
    derive_multiframe(group.paths, group.facts, target)
    one = tmp_path / "one.dcm"
    one.write_bytes(target.getvalue())
    facts = probe([one])
    assert facts.affine == group.facts.affine
    assert np.array_equal(decode_stored([one], facts).array, array)


def test_one_mosaic_as_part_of_a_series_is_where_simpleitk_sees_its_derived_file(tmp_path: Path):
    for number in (1, 2):
        places = FIRST + np.array([0, 0, 7 * STEP * (number - 1)])
        planes = PLANES + 100 * number
        write_mosaic(
            tmp_path / f"{number}.dcm", planes, places, [1, 0, 0, 0, 1, 0], SPACING, STEP, InstanceNumber=number
        )
    group = only_group(tmp_path)
    assert group.facts.shape == (14, 4, 6)
    target = io.BytesIO()
    derive_multiframe(group.paths, group.facts, target)
    (tmp_path / "one").write_bytes(target.getvalue())
    image = sitk.ReadImage(str(tmp_path / "one"))
    assert np.allclose(image.GetOrigin(), FIRST, atol=1e-4)
    assert np.allclose(image.GetSpacing(), [1.5, 2.0, 3.5])
    assert np.array_equal(sitk.GetArrayFromImage(image), decode_stored(group.paths, group.facts).array[0])


def test_a_mosaic_that_lost_its_private_header_says_so(tmp_path: Path):
    path = write_mosaic(tmp_path / "m.dcm", PLANES, FIRST, oblique(), SPACING, STEP, header=None)
    with pytest.raises(GeometryError, match=r"^m\.dcm: it is a Siemens mosaic without its CSA header"):
        probe([path])
    (skip,) = assemble([path]).skipped
    assert skip.reason.startswith("m.dcm: ")


def test_the_number_of_planes_may_be_in_the_plain_private_group(tmp_path: Path):
    path = write_mosaic(tmp_path / "m.dcm", PLANES, FIRST, oblique(), SPACING, STEP, header=None)
    dataset = pydicom.dcmread(path)
    dataset.private_block(0x19, "SIEMENS MR HEADER", create=True).add_new(0x0A, "US", 7)
    dataset.save_as(path)
    assert probe([path]).shape == (7, 4, 6)


@pytest.mark.parametrize("count", [0, 5, 10_000, 2**31])
def test_a_number_of_planes_that_cannot_be_is_a_geometry_error(count: int, tmp_path: Path):
    header = csa([csa_tag("NumberOfImagesInMosaic", "US", [str(count)])])
    planes = np.zeros((9, 5, 7), np.uint16)
    path = write_mosaic(tmp_path / "m.dcm", planes, FIRST, oblique(), SPACING, STEP, header=header)
    if count == 5:
        assert probe([path]).shape == (5, 5, 7)  # as the sides of 5 and of 9 planes are equal
        return
    with pytest.raises(GeometryError, match=r"^m\.dcm: it is a Siemens mosaic of"):
        probe([path])


def test_a_damaged_private_header_is_an_error_that_names_the_file(tmp_path: Path):
    whole = mosaic_csa(7, np.array([0, 0, 1.0]))
    for seed in range(60):
        chance = np.random.default_rng(seed)
        header = bytearray(whole[: chance.integers(8, len(whole))] if seed % 3 == 0 else whole)
        for at in chance.integers(4, len(header), 4):
            header[at] = chance.integers(256)
        data = bytes(header) + b"\0" * (len(header) % 2)
        path = write_mosaic(tmp_path / "m.dcm", PLANES, FIRST, oblique(), SPACING, STEP, header=data)
        try:
            probe([path])
        except DatamintException as error:
            assert str(error).startswith("m.dcm: ")  # noqa: PT017 -- some damage leaves the header readable
            assert isinstance(error, (DecodeError, GeometryError))  # noqa: PT017
