"""RTSTRUCT contours as masks: analytic shapes, other tools' truth, planes that do not fit, hostile files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging import Affine, Group, HeaderFacts, Segmentation, Turn, decode_segments, sniff_mask
from datamint_like.imaging.masks import polygons, rtstruct
from tests.imaging.conftest import only_group
from tests.imaging.mask_files import Rois, error_of, write_rtstruct

SHAPE = (4, 40, 50)
OBLIQUE = Affine([[0.5, -0.2, 0.65, 20], [0.3, 0.66, 0.1, -30], [2.9, -0.05, -0.1, 40], [0, 0, 0, 1]])
#: Planes keep being planes: their order, rows and columns may run either way, and rows may be columns.
IN_PLANE = [Turn(axes, flips) for axes in ((0, 1, 2), (0, 2, 1)) for flips in product((False, True), repeat=3)]


def volume(affine: Affine = OBLIQUE, shape: tuple[int, int, int] = SHAPE) -> HeaderFacts:
    return HeaderFacts("dicom", "volume", "application/dicom", 1, shape, "int16", affine)


def placed(points: object, plane: float, facts: HeaderFacts) -> np.ndarray:
    """Points (j, i) of a plane in LPS mm."""
    corners = np.asarray(points, dtype=float)
    assert facts.affine is not None
    if facts.plane_origins is not None:
        offset = corners @ facts.affine.matrix[:3, 1:3].T
        return (np.array(facts.plane_origins[round(plane)]) + offset) * [-1, -1, 1]
    return facts.affine.points(np.c_[np.full(len(corners), plane), corners]) * [-1, -1, 1]


def drawn(rois: Rois, facts: HeaderFacts, tmp_path: Path) -> Segmentation:
    return decode_segments(write_rtstruct(tmp_path / "rt.dcm", rois).read_bytes(), facts, name="rt.dcm")


def mask_of(contours: Sequence[object], facts: HeaderFacts, tmp_path: Path, kind: str = "CLOSED_PLANAR") -> np.ndarray:
    """(J, I) of plane 1 of one ROI; nothing lies elsewhere."""
    found = drawn({"roi": [(kind, placed(points, 1, facts)) for points in contours]}, facts, tmp_path)
    (segment,) = found.segments
    array = segment.array
    assert segment.planes in ((1,), ())
    assert array.sum() == array[1].sum()
    return array[1]


def box(top: float, left: float, bottom: float, right: float) -> list[tuple[float, float]]:
    return [(top, left), (top, right), (bottom, right), (bottom, left)]


def ring(j: float, i: float, radius: float, points: int = 720) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.c_[j + radius * np.sin(angle), i + radius * np.cos(angle)]


# -- analytic shapes


@pytest.mark.parametrize(
    ("edges", "rows", "columns"),
    [
        ((9.5, 14.5, 19.5, 30.5), (10, 20), (15, 31)),
        ((9.49, 14.49, 19.51, 30.51), (10, 20), (15, 31)),
        ((10, 15, 20, 31), (10, 21), (15, 32)),
        ((10.02, 15.02, 19.98, 30.98), (11, 20), (16, 31)),
        ((-30, 14.5, 4.5, 900), (0, 5), (15, 50)),
    ],
    ids=["between pixels", "just beyond", "through centres", "just inside", "over the border"],
)
def test_a_rectangle_marks_the_pixels_whose_centre_is_inside_or_on_it(
    edges: tuple[float, float, float, float], rows: tuple[int, int], columns: tuple[int, int], tmp_path: Path
):
    expected = np.zeros(SHAPE[1:], np.uint8)
    expected[slice(*rows), slice(*columns)] = 1
    assert np.array_equal(mask_of([box(*edges)], volume(), tmp_path), expected)


def test_a_circle_marks_what_lies_within_its_radius(tmp_path: Path):
    j, i = np.mgrid[: SHAPE[1], : SHAPE[2]]
    far = np.hypot(j - 19.3, i - 22.7)
    found = mask_of([ring(19.3, 22.7, 12.4)], volume(), tmp_path)
    sure = np.abs(far - 12.4) > 0.02
    assert np.array_equal(found[sure], (far < 12.4)[sure])
    assert abs(int(found.sum()) - np.pi * 12.4**2) < 12


@pytest.mark.parametrize("kind", ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"])
def test_an_inner_contour_is_a_hole_and_one_inside_that_is_not(kind: str, tmp_path: Path):
    found = mask_of(
        [box(4.5, 4.5, 34.5, 34.5), box(9.5, 9.5, 29.5, 29.5), box(14.5, 14.5, 19.5, 19.5)], volume(), tmp_path, kind
    )
    expected = np.zeros(SHAPE[1:], np.uint8)
    expected[5:35, 5:35] = 1
    expected[10:30, 10:30] = 0
    expected[15:20, 15:20] = 1
    assert np.array_equal(found, expected)


def test_a_keyhole_is_a_hole(tmp_path: Path):
    keyhole = [(4.5, 4.5), (4.5, 34.5), (34.5, 34.5), (34.5, 4.5), (20.3, 4.5)]
    keyhole += [(20.3, 9.5), (29.5, 9.5), (29.5, 29.5), (9.5, 29.5), (9.5, 9.5), (20.3, 9.5), (20.3, 4.5)]
    expected = np.zeros(SHAPE[1:], np.uint8)
    expected[5:35, 5:35] = 1
    expected[10:30, 10:30] = 0
    assert np.array_equal(mask_of([keyhole], volume(), tmp_path), expected)


def test_an_annulus_has_its_area(tmp_path: Path):
    found = mask_of([ring(20.1, 24.2, 15.3), ring(20.1, 24.2, 8.2)], volume(), tmp_path)
    assert abs(int(found.sum()) - np.pi * (15.3**2 - 8.2**2)) < 15
    assert not found[18:23, 22:27].any()


def test_two_pieces_on_one_plane_are_one_segment(tmp_path: Path):
    found = mask_of([box(2.5, 2.5, 6.5, 6.5), box(20.5, 30.5, 25.5, 40.5)], volume(), tmp_path)
    assert int(found.sum()) == 4 * 4 + 5 * 10


def test_a_point_drawn_as_a_closed_contour_is_its_pixel(tmp_path: Path):
    found = mask_of([[(7, 9)], [(3, 4), (3, 6)]], volume(), tmp_path)
    assert np.argwhere(found).tolist() == [[3, 4], [3, 5], [3, 6], [7, 9]]


def test_two_decimals_of_a_millimetre_are_enough_for_a_contour_through_pixel_centres():
    points = np.array(box(10, 15, 20, 31)) + 0.009 * np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]])
    assert int(polygons.fill([points], SHAPE[1:]).sum()) == 11 * 17


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.floats(-8, 25), st.floats(-8, 25)), min_size=3, max_size=9), min_size=1, max_size=3)
)
@example([[(0.25, 0.25), (9.75, 0.25), (0.25, 9.75), (9.75, 9.75)]])
def test_any_polygons_are_filled_as_a_crossing_count_says(shapes: list[list[tuple[float, float]]]):
    found = polygons.fill([np.array(shape) for shape in shapes], (16, 17))
    edges = [(np.array(a), np.array(b)) for s in shapes for a, b in zip(s, s[1:] + s[:1], strict=True)]
    for j, i in product(range(16), range(17)):
        near = min(_distance(np.array([j, i]), a, b) for a, b in edges)
        if 1e-6 < near <= 2 * polygons.ON_EDGE:
            continue  # on the edge within the tolerance, or not quite
        crossings = sum(_crosses(j, i, a, b) for a, b in edges)
        assert found[j, i] == (near <= 1e-6 or crossings % 2 == 1)


def _distance(point: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    along = b - a
    share = 0.0 if not along.any() else float(np.clip((point - a) @ along / max(along @ along, 1e-300), 0, 1))
    return float(np.hypot(*(point - a - share * along)))


def _crosses(j: int, i: int, a: np.ndarray, b: np.ndarray) -> bool:
    """Whether an upright ray from the pixel meets the edge: another direction than the code's own."""
    if (a[1] <= i) == (b[1] <= i):
        return False
    return bool(a[0] + (i - a[1]) / (b[1] - a[1]) * (b[0] - a[0]) > j)


def test_many_long_edges_are_filled_in_pieces(monkeypatch: pytest.MonkeyPatch):
    points = np.random.default_rng(4).uniform(-20, 60, (500, 2))
    whole = polygons.fill([points], SHAPE[1:])
    monkeypatch.setattr(polygons, "_TOGETHER", 64)
    assert np.array_equal(polygons.fill([points], SHAPE[1:]), whole)


# -- in space


@pytest.mark.parametrize("turn", IN_PLANE, ids=str)
def test_contours_lie_right_whichever_way_planes_rows_and_columns_run(turn: Turn, tmp_path: Path):
    path = write_rtstruct(tmp_path / "rt.dcm", {"a": [("CLOSED_PLANAR", placed(ring(12, 31, 7.3), 2, volume()))]})
    straight = decode_segments(path.read_bytes(), volume(), name="a").segments[0].array
    turned = volume(turn.affine(OBLIQUE, SHAPE), turn.shape(SHAPE))
    found = decode_segments(path.read_bytes(), turned, name="a").segments[0].array
    assert straight.sum() > 100
    assert np.array_equal(found, turn.array(straight))


def test_contours_lie_on_each_plane_of_a_tilted_series_of_uneven_planes(irregular_ct: Group, tmp_path: Path):
    facts = irregular_ct.facts
    rois = {"a": [("CLOSED_PLANAR", placed(box(9.5, 14.5 + k, 19.5, 30.5), k, facts)) for k in range(28)]}
    (segment,) = drawn(rois, facts, tmp_path).segments
    expected = np.zeros(facts.shape, np.uint8)
    for k in range(28):
        expected[k, 10:20, min(15 + k, 31) : max(15 + k, 31)] = 1
    assert facts.plane_origins is not None
    assert np.array_equal(segment.array, expected)


def test_the_plane_is_found_without_slice_references_on_a_single_image(tmp_path: Path):
    facts = replace(volume(shape=(1, 40, 50)), kind="image")
    (segment,) = drawn(
        {"a": [("CLOSED_PLANAR", placed(box(9.5, 9.5, 12.5, 12.5), 0, facts))]}, facts, tmp_path
    ).segments
    assert int(segment.array.sum()) == 9


def test_each_region_is_a_segment_with_its_name_colour_and_person(tmp_path: Path):
    facts = volume()
    contour = ("CLOSED_PLANAR", placed(box(9.5, 9.5, 12.5, 12.5), 1, facts))
    first, second = drawn({"Liver": [contour], "Tumour": []}, facts, tmp_path).segments
    assert (first.name, first.number, first.colour, first.creator, first.algorithm) == (
        "Liver",
        1,
        (255, 0, 1),
        "Silva^Ana",
        "MANUAL",
    )
    assert (second.name, second.empty) == ("Tumour", True)


def test_points_and_open_lines_are_counted_and_never_filled(tmp_path: Path):
    facts = volume()
    rois: Rois = {
        "Isocentre": [("POINT", placed([(5, 5)], 1.4, facts))],
        "Path": [
            ("OPEN_PLANAR", placed(box(2, 2, 20, 20), 1, facts)),
            ("OPEN_PLANAR", placed(box(2, 2, 20, 20), 2, facts)),
            ("CLOSED_PLANAR", placed(box(9.5, 9.5, 12.5, 12.5), 1, facts)),
        ],
    }
    found = drawn(rois, facts, tmp_path)
    assert [int(segment.array.sum()) for segment in found.segments] == [0, 9]
    assert found.notes == (
        "1 contour of 'Isocentre' (POINT) left out: they enclose nothing.",
        "2 contours of 'Path' (OPEN_PLANAR) left out: they enclose nothing.",
    )


def test_a_contour_between_planes_is_an_error_that_says_where(tmp_path: Path):
    facts = volume()
    with pytest.raises(
        GeometryError,
        match=r"^rt.dcm: contour 1 of 'a' lies at -?[\d.]+ mm along the normal, between plane 1 \(-?[\d.]+ mm\) and "
        r"plane 2 \(-?[\d.]+ mm\) of the image, 1.\d\d mm from the nearest",
    ):
        drawn({"a": [("CLOSED_PLANAR", placed(box(5, 5, 9, 9), 1.5, facts))]}, facts, tmp_path)


def test_a_contour_in_a_gap_of_an_uneven_series_is_an_error(irregular_ct: Group, tmp_path: Path):
    facts = irregular_ct.facts
    middle = (placed(box(5, 5, 9, 9), 20, facts) + placed(box(5, 5, 9, 9), 21, facts)) / 2
    with pytest.raises(GeometryError, match=r"between plane 20 \(.*\) and plane 21"):
        drawn({"a": [("CLOSED_PLANAR", middle)]}, facts, tmp_path)


def test_a_contour_beyond_the_series_is_an_error(tmp_path: Path):
    facts = volume()
    with pytest.raises(GeometryError, match=r"from plane 3 \(.* mm\), the nearest of the image's 4"):
        drawn({"a": [("CLOSED_PLANAR", placed(box(5, 5, 9, 9), 5, facts))]}, facts, tmp_path)


def test_contours_of_another_orientation_are_an_error(tmp_path: Path):
    facts = volume()
    assert facts.affine is not None
    across = facts.affine.points([(0, 10, 10), (3, 10, 10), (3, 10, 30), (0, 10, 30)]) * [-1, -1, 1]
    with pytest.raises(GeometryError, match="does not lie in the planes of the image: it reaches over"):
        drawn({"a": [("CLOSED_PLANAR", across)]}, facts, tmp_path)


def test_an_image_without_a_place_is_an_error(tmp_path: Path):
    with pytest.raises(GeometryError, match="the image has no place in patient space"):
        drawn({"a": [("CLOSED_PLANAR", np.ones((3, 3)))]}, replace(volume(), affine=None), tmp_path)


# -- other tools


def test_contours_and_the_label_map_that_they_were_drawn_from_agree_voxel_for_voxel(real_data: Path, regular_ct: Group):
    """rt-utils traced both with OpenCV: its "Body" is everything, its label map 1 (the rest of it) and 2 (dense)."""
    folder = real_data / "derived/ct_small_axial_labels"
    body, dense = decode_segments((folder / "rtstruct.dcm").read_bytes(), regular_ct.facts, name="rt").segments
    rest, seg_dense = decode_segments((folder / "seg_labelmap.dcm").read_bytes(), regular_ct.facts, name="s").segments
    assert int(dense.array.sum()) == 15807
    assert np.array_equal(dense.array, seg_dense.array)
    assert np.array_equal(body.array, rest.array | seg_dense.array)


def test_a_clinical_structure_set_is_read_in_bounded_time(real_data: Path):
    folder = real_data / "rtstruct/dicompyler"
    dataset = pydicom.dcmread(folder / "rtss.dcm")
    ct = only_group_of(folder / "ct.0.dcm")
    heights = sorted(
        {float(c.ContourData[2]) for r in dataset.ROIContourSequence for c in r.get("ContourSequence", [])}
    )
    assert ct.affine is not None
    matrix = ct.affine.matrix.copy()
    matrix[:3, 0], matrix[2, 3] = (0, 0, 3), heights[0]
    facts = replace(ct, kind="volume", affine=Affine(matrix), shape=(len(heights), *ct.shape[1:]))
    start = time.perf_counter()
    found = decode_segments((folder / "rtss.dcm").read_bytes(), facts, name="rtss.dcm")
    assert time.perf_counter() - start < 20
    named = {segment.name: segment for segment in found.segments}
    assert len(named["BODY"].planes) == len(heights)
    for roi, segment in zip(dataset.ROIContourSequence, found.segments, strict=True):
        area = sum(_area(contour) for contour in roi.get("ContourSequence", []))
        voxel = float(np.prod(facts.affine.spacing[1:])) if facts.affine else 0
        if area > 5000 and segment.name in ("BODY", "Heart", "Lt Lung", "Rt Lung"):
            assert segment.array.sum() * voxel == pytest.approx(area, rel=0.02)


def _area(contour: Dataset) -> float:
    x, y = np.array(contour.ContourData, dtype=float).reshape(-1, 3)[:, :2].T
    return abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1))) / 2


def only_group_of(path: Path) -> HeaderFacts:
    from datamint_like.imaging import probe

    return probe([path])


def test_planes_that_the_series_lacks_are_an_error_and_those_it_has_are_drawn(real_data: Path, tmp_path: Path):
    folder = real_data / "rtstruct/rt_utils/mock_data"
    for name in ("ct_1.dcm", "ct_2.dcm"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    group = only_group(tmp_path)
    (segment,) = decode_segments((folder / "rt.dcm").read_bytes(), group.facts, name="rt").segments
    assert segment.planes == (0,)
    with pytest.raises(
        GeometryError,
        match=r"invalid: contour 1 of 'ROI-1' lies at 70.00 mm .* 5.00 mm from plane 1 .* It references 5 images, of "
        "which this series has at most 2",
    ):
        decode_segments((folder / "invalid_reference_rt.dcm").read_bytes(), group.facts, name="invalid")


# -- hostile files


def test_numbers_that_are_no_places_are_errors(tmp_path: Path):
    facts = volume()
    square = placed(box(5, 5, 9, 9), 1, facts)
    for value, reason in ((np.nan, "no places in a patient"), (np.inf, "no places"), (1e300, "beyond 1 km")):
        path = write_rtstruct(tmp_path / "bad.dcm", {"a": [("CLOSED_PLANAR", square)]})
        payload = path.read_bytes().replace(
            f"{square[0, 0]:.9g}".encode(), f"{value:.9g}".encode().ljust(len(f"{square[0, 0]:.9g}"))
        )
        with pytest.raises(DecodeError, match=rf"^bad.dcm: .*{reason}"):
            decode_segments(payload, facts, name="bad.dcm")


def test_counts_that_lie_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    facts = volume()
    path = write_rtstruct(tmp_path / "rt.dcm", {"a": [("CLOSED_PLANAR", placed(box(5, 5, 9, 9), 1, facts))]})
    dataset = pydicom.dcmread(path)
    contour = dataset.ROIContourSequence[0].ContourSequence[0]
    contour.NumberOfContourPoints = 10**9
    dataset.save_as(path)
    with pytest.raises(DecodeError, match="claims 1,000,000,000 points, but holds 12 coordinates"):
        decode_segments(path.read_bytes(), facts, name="rt.dcm")
    monkeypatch.setattr(rtstruct, "MAX_POINTS", 3)
    with pytest.raises(DecodeError, match="more than 3 points, the limit"):
        decode_segments(path.read_bytes(), facts, name="rt.dcm")


def test_a_file_without_contours_or_regions_is_an_error(tmp_path: Path):
    facts = volume()
    for missing, reason in (
        ("ROIContourSequence", "without contours"),
        ("StructureSetROISequence", "names no regions"),
    ):
        path = write_rtstruct(
            tmp_path / "rt.dcm", {"a": [("CLOSED_PLANAR", placed(box(5, 5, 9, 9), 1, facts))]}, **{missing: None}
        )
        with pytest.raises(DecodeError, match=reason):
            decode_segments(path.read_bytes(), facts, name="rt.dcm")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_give_only_our_errors(data: st.DataObject, tmp_path: Path):
    facts = volume()
    path = tmp_path / "rt.dcm"
    if not path.exists():
        rois: Rois = {
            n: [("CLOSED_PLANAR", placed(ring(20, 20, r, 40), k, facts)) for k in range(4)]
            for n, r in (("a", 5), ("b", 9))
        }
        write_rtstruct(path, rois)
    payload = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        payload = payload[: data.draw(st.integers(0, len(payload)))]
    for _ in range(data.draw(st.integers(0, 8))):
        if payload:
            payload[data.draw(st.integers(0, len(payload) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    sniff_mask(bytes(payload))
    error = error_of(bytes(payload), facts)
    assert error is None or error.startswith("d: ")


def test_a_file_cut_anywhere_is_an_error(tmp_path: Path):
    facts = volume()
    rois: Rois = {n: [("CLOSED_PLANAR", placed(ring(20, 20, 9, 40), k, facts)) for k in range(4)] for n in "abc"}
    whole = write_rtstruct(tmp_path / "rt.dcm", rois, RTROIObservationsSequence=None).read_bytes()
    for cut in range(0, len(whole) - 1, 97):
        with pytest.raises(DecodeError, match=r"^cut: "):
            decode_segments(whole[:cut], facts, name="cut")
