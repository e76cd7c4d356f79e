"""DICOM SEG on the grid of its image: against highdicom, against labels of other tools, and where it must refuse."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import JPEG2000Lossless, RLELossless

from datamint_like.exceptions import DecodeError, GeometryError, ValidationError
from datamint_like.imaging import (
    Affine,
    Group,
    HeaderFacts,
    Segmentation,
    Turn,
    decode_mask,
    decode_segments,
    probe,
    sniff_mask,
)
from tests.imaging.conftest import only_group
from tests.imaging.mask_files import error_of, write_seg

TURNS = [Turn(axes, flips) for axes in permutations(range(3)) for flips in product((False, True), repeat=3)]
_SEED = 11


def read(path: Path, facts: HeaderFacts, **options: float) -> Segmentation:
    return decode_segments(path.read_bytes(), facts, name=path.name, **options)  # type: ignore[arg-type]


def arrays(found: Segmentation) -> np.ndarray:
    """(K, J, I, segments)."""
    return np.stack([segment.array for segment in found.segments], axis=-1)


def blobs(group: Group, segments: int = 2) -> np.ndarray:
    """Overlapping boxes with ragged borders, and planes where nothing is."""
    masks = np.zeros((*group.facts.shape, segments), np.uint8)
    noise = np.random.default_rng(_SEED).random(group.facts.shape) < 0.7
    for n in range(segments):
        masks[2 + n : 9 + 3 * n, 20 + 5 * n : 60, 31 : 80 + n, n] = 1
        masks[..., n] &= noise
    return masks


def by_highdicom(path: Path, group: Group) -> np.ndarray:
    """(K, J, I, segments) as highdicom reads it, in the order of the resource's planes."""
    seg = hd.seg.segread(path)
    uids = [pydicom.dcmread(part, stop_before_pixels=True).SOPInstanceUID for part in group.paths]
    labels = [number for number in seg.segment_numbers if number]
    return np.asarray(
        seg.get_pixels_by_source_instance(
            uids,
            segment_numbers=labels,
            assert_missing_frames_are_empty=True,
            rescale_fractional=False,
            ignore_spatial_locations=True,
        )
    )


def changed(path: Path, **elements: object) -> bytes:
    """The file with other elements; None removes."""
    dataset = pydicom.dcmread(path)
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    stream = io.BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory, regular_ct: Group) -> Path:
    return write_seg(tmp_path_factory.mktemp("seg") / "binary.dcm", regular_ct.paths, blobs(regular_ct))


def test_overlapping_segments_come_whole_with_their_names(binary: Path, regular_ct: Group):
    found = read(binary, regular_ct.facts)
    assert np.array_equal(arrays(found), blobs(regular_ct))
    assert np.array_equal(arrays(found), by_highdicom(binary, regular_ct))
    assert arrays(found).dtype == np.uint8
    first, second = found.segments
    assert (first.name, first.number, second.name, second.number) == ("Liver", 1, "Lesion", 2)
    assert first.code == ("10200004", "SCT", "Liver")
    assert first.creator == "Silva^Ana"
    assert first.algorithm == "MANUAL"
    assert found.instance_uid == pydicom.dcmread(binary).SOPInstanceUID


def test_frames_are_placed_on_a_tilted_series_of_uneven_planes(tmp_path: Path, irregular_ct: Group):
    masks = blobs(irregular_ct)
    path = write_seg(tmp_path / "tilted.dcm", irregular_ct.paths, masks)
    assert np.array_equal(arrays(read(path, irregular_ct.facts)), masks)


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_frames_are_turned_exactly_onto_the_same_grid_in_another_orientation(
    turn: Turn, binary: Path, regular_ct: Group
):
    facts = regular_ct.facts
    assert facts.affine is not None
    turned = replace(facts, affine=turn.affine(facts.affine, facts.shape), shape=turn.shape(facts.shape))
    for segment, mask in zip(read(binary, turned).segments, np.moveaxis(blobs(regular_ct), -1, 0), strict=True):
        assert np.array_equal(segment.array, turn.array(mask))


def test_the_order_of_frames_plays_no_role(binary: Path, regular_ct: Group, tmp_path: Path):
    masks = blobs(regular_ct)[::-1]
    backwards = write_seg(tmp_path / "b.dcm", regular_ct.paths[::-1], masks, omit_empty_frames=False)
    assert np.array_equal(arrays(read(backwards, regular_ct.facts)), blobs(regular_ct))


def test_a_segment_without_a_frame_is_there_and_empty(tmp_path: Path, regular_ct: Group):
    masks = blobs(regular_ct)
    masks[..., 1] = 0
    liver, lesion = read(write_seg(tmp_path / "e.dcm", regular_ct.paths, masks), regular_ct.facts).segments
    assert (liver.empty, lesion.empty) == (False, True)
    assert lesion.array.shape == regular_ct.facts.shape
    assert not lesion.array.any()


@pytest.mark.parametrize("syntax", [None, RLELossless, JPEG2000Lossless], ids=["plain", "rle", "jpeg2000"])
def test_a_fraction_counts_from_the_threshold_on(syntax: str | None, tmp_path: Path, regular_ct: Group):
    fractions = np.zeros(regular_ct.facts.shape, np.float32)
    fractions[3, 5, 6:11] = [0.2, 0.4, 0.5, 0.6, 1.0]
    more = {"transfer_syntax_uid": syntax} if syntax else {}
    path = write_seg(
        tmp_path / "f.dcm",
        regular_ct.paths,
        fractions,
        ["Liver"],
        kind="FRACTIONAL",
        max_fractional_value=100,
        **more,
    )
    assert read(path, regular_ct.facts).segments[0].array[3, 5, 6:11].tolist() == [0, 0, 1, 1, 1]
    assert read(path, regular_ct.facts, threshold=0.3).segments[0].array[3, 5, 6:11].tolist() == [0, 1, 1, 1, 1]
    with pytest.raises(ValidationError, match="above 0 up to 1, not 0"):
        read(path, regular_ct.facts, threshold=0)


@pytest.mark.parametrize("count", [2, 300], ids=["8 bit", "16 bit"])
@pytest.mark.parametrize("syntax", [None, RLELossless], ids=["plain", "rle"])
def test_a_label_map_has_a_segment_for_each_label(count: int, syntax: str | None, tmp_path: Path, regular_ct: Group):
    labels = np.zeros(regular_ct.facts.shape, np.uint16)
    labels[4:7, 10:50, 12:40] = np.random.default_rng(_SEED).integers(0, count + 1, (3, 40, 28))
    names = [f"organ {n}" for n in range(1, count + 1)]
    more = {"transfer_syntax_uid": syntax} if syntax else {}
    path = write_seg(tmp_path / "l.dcm", regular_ct.paths, labels, names, kind="LABELMAP", **more)
    assert pydicom.dcmread(path).BitsAllocated == (8 if count == 2 else 16)
    found = read(path, regular_ct.facts)
    assert [segment.name for segment in found.segments] == names
    for segment in found.segments:
        assert np.array_equal(segment.array, labels == segment.number)


def test_a_label_without_a_segment_is_an_error_and_the_padding_value_is_none(tmp_path: Path, regular_ct: Group):
    labels = np.zeros(regular_ct.facts.shape, np.uint8)
    labels[4, 10, 10:12] = [1, 2]
    path = write_seg(tmp_path / "l.dcm", regular_ct.paths, labels, kind="LABELMAP")
    padded = decode_segments(changed(path, PixelPaddingValue=2), regular_ct.facts, name="p")
    assert [int(segment.array.sum()) for segment in padded.segments] == [1, 0]
    dataset = pydicom.dcmread(path)
    unknown = changed(path, SegmentSequence=dataset.SegmentSequence[:2])
    with pytest.raises(DecodeError, match=r"holds the label 2, which no segment has. Described are 1"):
        decode_segments(unknown, regular_ct.facts, name="u")


def test_frames_of_odd_size_need_not_start_at_a_byte(tmp_path: Path, regular_ct: Group):
    small = []
    for n, path in enumerate(regular_ct.paths[:9]):
        dataset = pydicom.dcmread(path)
        dataset.PixelData = dataset.pixel_array[:5, :7].tobytes() + b"\0\0"
        dataset.Rows, dataset.Columns = 5, 7
        dataset.save_as(tmp_path / f"{n}.dcm")
        small.append(tmp_path / f"{n}.dcm")
    masks = np.random.default_rng(_SEED).integers(0, 2, (9, 5, 7, 1)).astype(np.uint8)
    path = write_seg(tmp_path / "seg", small, masks, ["Liver"])
    (tmp_path / "seg").rename(path := tmp_path.parent / f"{tmp_path.name}.seg")
    group = only_group(tmp_path)
    order = [small.index(part) for part in group.paths]
    assert np.array_equal(arrays(read(path, group.facts)), masks[order])
    assert np.array_equal(by_highdicom(path, group), masks[order])


# -- other tools


@pytest.mark.parametrize(
    ("seg", "images"),
    [
        ("seg/liver.dcm", "seg/ct_3slice"),
        ("seg/partial_overlaps.dcm", "seg/ct_3slice"),
        ("seg/24x38x3/seg/label.seg", "seg/24x38x3/image"),
        ("seg/sparse-labelmap-noppv.dcm", "seg/24x38x3/image"),
        ("seg/sparse-labelmap-ppv5.dcm", "seg/24x38x3/image"),
        ("seg/highdicom/seg_image_ct_binary.dcm", "seg/highdicom/ct_source"),
        ("seg/highdicom/seg_image_ct_binary_overlap.dcm", "seg/highdicom/ct_source"),
        ("derived/ct_small_ge_labels/seg_binary.dcm", "derived/ct_small_ge_tilt_irregular"),
        ("derived/ct_small_axial_labels/seg_labelmap.dcm", "derived/ct_small_philips_axial"),
    ],
)
@pytest.mark.filterwarnings("ignore")  # pydicom's, about what the tools wrote
def test_segmentations_of_other_tools_are_read_as_highdicom_reads_them(seg: str, images: str, real_data: Path):
    group = only_group(real_data / images)
    found = arrays(read(real_data / seg, group.facts))
    assert found.any()
    assert np.array_equal(found, by_highdicom(real_data / seg, group))


@pytest.mark.parametrize(
    ("seg", "images", "label"),
    [
        ("seg/liver.dcm", "seg/ct_3slice", "seg/liver_seg.nrrd"),
        ("seg/24x38x3/seg/label.seg", "seg/24x38x3/image", "seg/24x38x3/nrrd/label.nrrd"),
    ],
)
def test_a_segmentation_lies_where_its_label_map_does(seg: str, images: str, label: str, real_data: Path):
    group = only_group(real_data / images)
    (segment,) = read(real_data / seg, group.facts).segments
    truth = sitk.ReadImage(str(real_data / label))
    assert group.facts.affine is not None
    for index in np.argwhere(segment.array)[::97]:
        lps = group.facts.affine.points([index])[0] * [-1, -1, 1]
        assert truth[truth.TransformPhysicalPointToIndex(lps.tolist())] == 1
    assert int(segment.array.sum()) == int((sitk.GetArrayFromImage(truth) == 1).sum())


def test_fractions_of_another_tool_are_cut_at_half(real_data: Path):
    folder = real_data / "seg/highdicom"
    group = only_group(folder / "ct_source")
    for name in ("seg_image_ct_true_fractional.dcm", "seg_image_ct_binary_fractional.dcm"):
        most = float(pydicom.dcmread(folder / name).MaximumFractionalValue)
        expected = by_highdicom(folder / name, group) / most >= 0.5
        assert expected.any()
        assert np.array_equal(arrays(read(folder / name, group.facts)), expected)


def test_a_segmentation_and_the_nifti_of_the_same_mask_agree(real_data: Path, regular_ct: Group):
    folder = real_data / "derived/ct_small_axial_labels"
    truth = decode_mask((folder / "label.nii.gz").read_bytes(), regular_ct.facts, name="label")
    for segment in read(folder / "seg_labelmap.dcm", regular_ct.facts).segments:
        assert np.array_equal(segment.array, truth == segment.number)


def test_the_tiles_of_a_slide_are_refused_by_name(real_data: Path, regular_ct: Group):
    for path in sorted((real_data / "seg/highdicom").glob("seg_image_sm_*.dcm")):
        with pytest.raises(DecodeError, match=rf"{path.name}: it is a segmentation of a whole-slide image"):
            read(path, regular_ct.facts)


def test_masks_of_a_series_lie_on_its_nifti_and_on_its_multi_frame_file(real_data: Path):
    folder = real_data / "derived/ct_small_axial_labels"
    nifti = probe([folder / "ct.nii.gz"])
    truth = decode_mask((folder / "label.nii.gz").read_bytes(), nifti, name="label")
    for segment in read(folder / "seg_labelmap.dcm", nifti).segments:
        assert np.array_equal(segment.array, truth == segment.number)
    body, dense = read(folder / "rtstruct.dcm", nifti).segments
    assert np.array_equal(body.array, truth > 0)
    assert np.array_equal(dense.array, truth == 2)
    multi = real_data / "seg/24x38x3"
    (on_file,) = read(multi / "seg/label.seg", probe([multi / "multiframe/mf.dcm"])).segments
    (on_series,) = read(multi / "seg/label.seg", only_group(multi / "image").facts).segments
    assert np.array_equal(on_file.array, on_series.array)


# -- where there is no position


def flat(shape: tuple[int, int, int], instance_uid: str | None, kind: str = "image") -> HeaderFacts:
    return HeaderFacts("dicom", kind, "application/dicom", 1, shape, "int16", instance_uid=instance_uid)  # type: ignore[arg-type]


def test_a_segmentation_of_a_radiograph_is_bound_by_the_image_that_it_names(real_data: Path):
    path = real_data / "seg/highdicom/seg_image_cr_binary.dcm"
    dataset = pydicom.dcmread(path)
    uid = dataset.SourceImageSequence[0].ReferencedSOPInstanceUID
    (segment,) = read(path, flat((1, 16, 16), uid)).segments
    assert np.array_equal(segment.array[0], dataset.pixel_array)
    with pytest.raises(GeometryError, match=r"it was drawn on the image .* not on this one, 1.2.3"):
        read(path, flat((1, 16, 16), "1.2.3"))
    with pytest.raises(GeometryError, match=r"16 x 16 pixels .* the image 16 x 17"):
        read(path, flat((1, 16, 17), uid))


def test_frames_without_a_place_go_to_the_frames_that_they_name(binary: Path, regular_ct: Group):
    dataset = pydicom.dcmread(binary)
    for n, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        del group.PlanePositionSequence
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        source.ReferencedSOPInstanceUID, source.ReferencedFrameNumber = "1.2.3", n % 5 + 2
    stream = io.BytesIO()
    dataset.save_as(stream)
    found = decode_segments(stream.getvalue(), flat((8, 128, 128), "1.2.3", "video"), name="v")
    assert found.segments[0].planes == (1, 2, 3, 4, 5)
    with pytest.raises(GeometryError, match="names no frame of the image, which has 3"):
        decode_segments(stream.getvalue(), flat((3, 128, 128), "1.2.3", "video"), name="v")


# -- refusals


def moved(group: Group, shift: tuple[float, float, float], scale: float = 1.0) -> HeaderFacts:
    """The facts of a series that lies `shift` voxels (k, j, i) off."""
    assert group.facts.affine is not None
    step = np.diag([1, scale, scale, 1.0])
    step[:3, 3] = shift
    return replace(group.facts, affine=group.facts.affine @ Affine(step))


def test_a_plane_between_planes_is_an_error_that_says_where(binary: Path, regular_ct: Group):
    with pytest.raises(
        GeometryError,
        match=r"binary.dcm: frame 1 lies at -?[\d.]+ mm along the normal, between plane \d+ \(.* mm\) and "
        r"plane \d+ .*, 0.40 mm from the nearest",
    ):
        read(binary, moved(regular_ct, (0.4, 0, 0)))


def test_a_plane_beyond_the_image_is_an_error_that_says_how_far(binary: Path, regular_ct: Group):
    with pytest.raises(
        GeometryError,
        match=r"frame \d+ lies at .* mm along the normal, 1.00 mm from plane 0 .*, the nearest of the image's 32",
    ):
        read(binary, moved(regular_ct, (4, 0, 0)))


@pytest.mark.parametrize(("shift", "scale"), [((0, 0.1, 0), 1), ((0, 0, 0.4), 1), ((0, 0, 0), 1.01)])
def test_another_grid_is_an_error_that_names_both(
    shift: tuple[float, float, float], scale: float, binary: Path, regular_ct: Group
):
    with pytest.raises(
        GeometryError, match=r"128 x 128 pixels .* and Affine\(.*the image .*\(32, 128, 128\) and Affine"
    ):
        read(binary, moved(regular_ct, shift, scale))


def test_a_grid_that_is_the_same_within_rounding_is_taken(binary: Path, regular_ct: Group):
    assert np.array_equal(arrays(read(binary, moved(regular_ct, (0.03, -0.04, 0.04)))), blobs(regular_ct))


def test_a_mask_that_reaches_over_the_border_is_refused_and_one_inside_is_placed(binary: Path, regular_ct: Group):
    inside = replace(moved(regular_ct, (0, 10, 20)), shape=(32, 60, 64))
    assert np.array_equal(arrays(read(binary, inside)), blobs(regular_ct)[:, 10:70, 20:84])
    with pytest.raises(GeometryError, match="lies partly outside the image"):
        read(binary, replace(moved(regular_ct, (0, 10, 20)), shape=(32, 60, 40)))


def test_a_misfit_says_that_it_was_drawn_on_another_series(binary: Path, irregular_ct: Group):
    with pytest.raises(GeometryError, match=r"It was drawn on the series [\d.]+; this image is of the series [\d.]+"):
        read(binary, irregular_ct.facts)


def test_headers_that_lie_are_named_errors(binary: Path, regular_ct: Group):
    for elements, reason in (
        ({"NumberOfFrames": 10**9}, "which no image has"),
        ({"Rows": 65535, "Columns": 65535, "NumberOfFrames": 10**6}, "more than the limit"),
        ({"Rows": 1, "Columns": 1, "NumberOfFrames": 10**6, "PerFrameFunctionalGroupsSequence": None}, "cut short"),
        ({"SegmentationType": "SURFACE"}, "of the type 'SURFACE'"),
        ({"SegmentSequence": None}, "describes no segments"),
        ({"PerFrameFunctionalGroupsSequence": None}, "names no segment|carr"),
        ({"PixelData": b"\1\2"}, "cut short"),
    ):
        with pytest.raises((DecodeError, GeometryError), match=reason):
            decode_segments(changed(binary, **elements), regular_ct.facts, name="lie")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_give_only_our_errors(data: st.DataObject, binary: Path, regular_ct: Group):
    payload = bytearray(binary.read_bytes())
    if data.draw(st.booleans()):
        payload = payload[: data.draw(st.integers(0, len(payload)))]
    for _ in range(data.draw(st.integers(0, 8))):
        if payload:
            at = data.draw(st.integers(0, len(payload) - 1) | st.integers(0, min(9000, len(payload) - 1)))
            payload[at] ^= 1 << data.draw(st.integers(0, 7))
    sniff_mask(bytes(payload))
    error = error_of(bytes(payload), regular_ct.facts, max_voxels=10**8)
    assert error is None or error.startswith("d: ")


def test_a_file_cut_anywhere_is_an_error(binary: Path, regular_ct: Group):
    whole = binary.read_bytes()
    for share in np.linspace(0, 0.999, 40):
        with pytest.raises(DecodeError, match=r"^cut: "):
            decode_segments(whole[: int(len(whole) * share)], regular_ct.facts, name="cut")
