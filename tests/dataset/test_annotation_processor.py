"""The annotation processor by itself: records, arrays and tensors in, targets out, no dataset around it."""

from __future__ import annotations

import gzip
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from datamint_like.dataset import VolumeDataset
from datamint_like.dataset.annotation import Annotation
from datamint_like.dataset.annotation_processor import (
    AnnotationProcessor,
    BaseAnnotationProcessor,
    ImageAnnotationProcessor,
    SequenceAnnotationProcessor,
)
from datamint_like.exceptions import DatamintDatasetException, DecodeError, GeometryError, ValidationError
from tests.dataset.conftest import ANA, BEN, Shelf

CODES = {"liver": 1, "tumour": 2}
LCODES: dict[str, dict[Any, int]] = {
    "multilabel": {"benign": 0, "dense": 1},
    "multiclass": {("view", "pa"): 0, ("view", "ap"): 1},
}


def mask(id: str, name: str = "liver", frame: int | None = None, author: str = ANA, **more: Any) -> Annotation:
    return Annotation(
        id=id,
        identifier=name,
        scope="image" if frame is None else "frame",
        annotation_type="segmentation",
        resource_id="r",
        created_by=author,
        frame_index=frame,
        **more,
    )


def said(kind: str, name: str, author: str = ANA, value: str | None = None) -> Annotation:
    return Annotation("1", name, "image", kind, "r", author, text_value=value)


def picture(array: np.ndarray, format: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, format)
    return file.getvalue()


def nifti(planes: np.ndarray) -> bytes:
    """A .nii.gz whose planes along the third axis are these (N, H, W)."""
    image = nib.Nifti1Image(planes.transpose(2, 1, 0), np.diag([2.0, 2.0, 3.0, 1.0]))
    return gzip.compress(image.to_bytes())


def processor(payloads: dict[str, bytes] | None = None, **options: Any) -> AnnotationProcessor:
    load: Callable[[Annotation], bytes] | None = None if payloads is None else lambda ann: payloads[ann.id]
    return AnnotationProcessor(dict(CODES), ["benign", "dense"], LCODES, load=load, **options)


SQUARE = np.zeros((5, 7), np.uint8)
SQUARE[1:3, 2:6] = 255


def test_one_class_has_the_three_published_names_beside_its_own() -> None:
    assert BaseAnnotationProcessor is ImageAnnotationProcessor is SequenceAnnotationProcessor is AnnotationProcessor


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "BMP"])
def test_a_picture_is_one_plane_of_0_and_1(format: str) -> None:
    black_or_white = np.zeros((16, 24), np.uint8)
    black_or_white[8:16, 8:16] = 255  # whole blocks of JPEG, so that it stays exact
    planes = processor({"a": picture(black_or_white, format)}).load_segmentation_data(mask("a", frame=3))
    assert planes.shape == (1, 16, 24)
    assert planes.dtype == np.uint8
    np.testing.assert_array_equal(planes[0], black_or_white // 255)


def test_a_nifti_has_its_planes_in_stored_order_and_labels_become_1() -> None:
    planes = np.zeros((4, 5, 7), np.uint8)
    planes[1, 2, 3], planes[3, 0, 6] = 1, 9
    found = processor({"a": nifti(planes)}).load_segmentation_data(mask("a"))
    np.testing.assert_array_equal(found, planes != 0)
    assert found.dtype == np.uint8


def test_pictures_of_several_channels_are_gray_unless_that_is_refused() -> None:
    colour = np.dstack([np.zeros_like(SQUARE), SQUARE, np.zeros_like(SQUARE), np.full_like(SQUARE, 255)])
    own = processor({"a": picture(colour)})
    np.testing.assert_array_equal(own.load_segmentation_data(mask("a"))[0], SQUARE // 255)
    with pytest.raises(DecodeError, match=r"liver \(a\): it has 4 channels"):
        own.load_segmentation_data(mask("a"), auto_convert_gray=False)
    plain = processor({"a": picture(SQUARE)}).load_segmentation_data(mask("a"), auto_convert_gray=False)
    np.testing.assert_array_equal(plain[0], SQUARE // 255)


def test_without_load_the_local_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "mask.png").write_bytes(picture(SQUARE))
    found = processor().load_segmentation_data(mask("a", file=str(tmp_path / "mask.png")))
    np.testing.assert_array_equal(found[0], SQUARE // 255)
    with pytest.raises(DatamintDatasetException, match="load="):
        processor().load_segmentation_data(mask("a"))
    with pytest.raises(DatamintDatasetException, match=r"gone\.png of annotation a .*No such file") as caught:
        processor().load_segmentation_data(mask("a", file=str(tmp_path / "gone.png")))
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    ("payload", "frame", "error", "says"),
    [
        (b"", None, DecodeError, "an empty file"),
        (b"words that are no picture", None, DecodeError, "no image format"),
        (picture(SQUARE)[:40], 0, DecodeError, "damaged|cut"),
        (gzip.decompress(nifti(np.ones((3, 5, 7), np.uint8)))[:-20], None, DecodeError, "damaged|cut"),
        (nifti(np.ones((3, 5, 7), np.uint8)), 0, GeometryError, "one frame has 3 planes"),
        (nifti(np.ones((3, 5, 7), np.float32) / 3), None, DecodeError, "integers"),
        ("text", None, DecodeError, "got str"),
    ],
    ids=["empty", "words", "cut PNG", "cut NIfTI", "planes of one frame", "fractions", "no bytes"],
)
def test_payloads_that_are_no_masks_are_errors_that_name_the_annotation(
    payload: Any, frame: int | None, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        processor({"a": payload}).load_segmentation_data(mask("a", frame=frame))
    assert str(caught.value).startswith("liver (a): ")


def test_only_masks_have_planes() -> None:
    with pytest.raises(ValidationError, match="label"):
        processor().load_segmentation_data(said("label", "benign"))


def test_frames_of_a_class_are_one_stack_with_its_code() -> None:
    other = np.zeros_like(SQUARE)
    other[4, 0] = 1
    own = processor({"a": picture(SQUARE), "b": picture(other), "c": picture(other)})
    frames = [mask("a", frame=1), mask("b", frame=1), mask("c", frame=3)]
    stack, code = own.collate_frame_segmentations(frames)
    assert stack is not None
    assert (stack.shape, stack.dtype, code) == ((4, 5, 7), np.uint8, 1)
    np.testing.assert_array_equal(stack[1], (SQUARE != 0) | (other != 0))
    assert stack[[0, 2]].sum() == 0
    deeper, _ = own.collate_frame_segmentations(frames, depth=9)
    assert deeper is not None
    assert deeper.shape == (9, 5, 7)
    assert own.collate_frame_segmentations([]) == (None, 0)


def test_frames_that_do_not_belong_together_are_refused() -> None:
    own = processor({"a": picture(SQUARE), "b": picture(SQUARE[:3])})
    with pytest.raises(ValidationError, match="one class"):
        own.collate_frame_segmentations([mask("a", frame=0), mask("b", "tumour", frame=1)])
    with pytest.raises(GeometryError, match="one size"):
        own.collate_frame_segmentations([mask("a", frame=0), mask("b", frame=1)])
    with pytest.raises(GeometryError, match="frames 0 to 1"):
        own.collate_frame_segmentations([mask("a", frame=2)], depth=2)
    with pytest.raises(ValidationError, match="whole image"):
        own.collate_frame_segmentations([mask("a")])
    with pytest.raises(GeometryError, match="Is a frame number wrong"):
        own.collate_frame_segmentations([mask("a", frame=2**40)])


def test_frame_masks_come_by_author_and_class() -> None:
    own = processor({"a": picture(SQUARE), "b": picture(SQUARE), "c": picture(SQUARE)})
    given_frames = [mask("a", frame=2, author=BEN), mask("b", "tumour", frame=0), mask("c", frame=1, author=BEN)]
    masks, codes, of = own.load_frame_segmentations([*given_frames, mask("whole")])
    assert list(masks) == [ANA, BEN]
    assert [each.shape for each in masks[BEN]] == [(1, 3, 5, 7)]
    assert codes == {ANA: [2], BEN: [1]}
    assert of == {ANA: [[given_frames[1]]], BEN: [[given_frames[0], given_frames[2]]]}
    assert own.load_frame_segmentations([], depth=4) == ({}, {}, {})


def test_masks_of_the_whole_come_one_by_one() -> None:
    planes = np.zeros((3, 5, 7), np.uint8)
    planes[1, 1, 1] = 1
    own = processor({"a": nifti(planes), "b": nifti(planes)})
    masks, codes, of = own.load_image_segmentations([mask("b", "tumour"), mask("a"), mask("f", frame=0)])
    assert [each.shape for each in masks[ANA]] == [(3, 5, 7)] * 2
    assert codes == {ANA: [2, 1]}
    assert [each.id for each in of[ANA]] == ["b", "a"]


def test_all_masks_of_a_volume_are_stacked_as_in_an_item() -> None:
    planes = np.zeros((4, 5, 7), np.uint8)
    planes[3] = 1
    own = processor({"w": nifti(planes), "a": picture(SQUARE), "b": picture(SQUARE)})
    masks, codes, of = own.load_segmentations([mask("w", "tumour"), mask("a", frame=0), mask("b", frame=2)])
    assert masks[ANA].shape == (2, 4, 5, 7)
    assert codes[ANA].tolist() == [1, 2]
    assert codes[ANA].dtype == np.int64
    np.testing.assert_array_equal(masks[ANA][0].any(axis=(1, 2)), [True, False, True, False])
    np.testing.assert_array_equal(masks[ANA][1], planes)
    assert [each.id for each in of[ANA]] == ["a", "w"]
    assert own.load_segmentations([]) == ({}, {}, {})


def test_masks_of_a_single_image_are_an_instance_each() -> None:
    own = processor({"a": picture(SQUARE), "b": picture(SQUARE)})
    masks, codes, of = own.load_segmentations([mask("a", frame=0), mask("b", frame=0)])
    assert masks[ANA].shape == (2, 1, 5, 7)
    assert codes[ANA].tolist() == [1, 1]
    assert [each.id for each in of[ANA]] == ["a", "b"]
    together, _, _ = own.load_segmentations([mask("a", frame=0), mask("b", frame=0)], depth=3)
    assert together[ANA].shape == (1, 3, 5, 7)


def test_a_datasets_processor_reads_what_its_items_have(shelf: Shelf) -> None:
    native = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, orientation="native")
    item, own = native[0], pickle.loads(pickle.dumps(native.annotation_processor))
    masks, codes, _ = own.load_segmentations(own.filter_annotations(item["annotations"], type="segmentation"))
    assert list(masks) == list(item["segmentations"])
    for author in masks:
        np.testing.assert_array_equal(masks[author], item["segmentations"][author])
        np.testing.assert_array_equal(codes[author], item["seg_labels"][author])
    labels = own.convert_image_labels(item["annotations"])
    assert {author: each.tolist() for author, each in labels.items()} == {
        author: each.tolist() for author, each in item["image_labels"].items()
    }


def test_an_unknown_class_is_refused_or_gets_the_next_code() -> None:
    with pytest.raises(DatamintDatasetException, match="spleen"):
        processor().resolve_seg_code("spleen")
    own = processor({"a": picture(SQUARE)}, allow_external_annotations=True)
    assert own.load_segmentations([mask("a", "spleen")])[1][ANA].tolist() == [3]
    assert own.seglabel2code == {**CODES, "spleen": 3}
    assert own.resolve_seg_code("spleen") == 3


def test_the_mapping_given_is_the_one_that_grows() -> None:
    codes: dict[str, int] = {}
    own = AnnotationProcessor(codes, [], {}, allow_external_annotations=True)
    assert own.resolve_seg_code("first") == 1
    assert codes == {"first": 1}


def test_annotations_are_filtered_by_type_and_scope() -> None:
    frame_label = Annotation("2", "motion", "frame", "label", "r", ANA, frame_index=1)
    all_of_them = [mask("a"), mask("b", frame=1), said("label", "benign"), frame_label, said("category", "view")]
    pick = AnnotationProcessor.filter_annotations
    assert pick(all_of_them) == all_of_them
    assert [each.id for each in pick(all_of_them, type="segmentation")] == ["a", "b"]
    assert pick(all_of_them, type="label", scope="frame") == [frame_label]
    assert len(pick(all_of_them, scope="image")) == 3
    with pytest.raises(ValidationError, match="`scope` is one of 'frame', 'image', 'all'"):
        pick(all_of_them, scope="slice")  # type: ignore[arg-type]


def test_annotations_are_grouped_by_author_and_identifier() -> None:
    one, two, three = mask("a"), mask("b", author=BEN), mask("c", "tumour", author=BEN)
    group = processor().group_annotations
    assert group([one, two, three]) == {(): [one, two, three]}
    assert group([two, one, three], by_author=True) == {(BEN,): [two, three], (ANA,): [one]}
    assert group([one, two, three], by_identifier=True) == {("liver",): [one, two], ("tumour",): [three]}
    both = group([one, two, three], by_author=True, by_identifier=True)
    assert list(both) == [(ANA, "liver"), (BEN, "liver"), (BEN, "tumour")]


def test_an_author_is_the_creator_else_the_model_else_unknown() -> None:
    author = AnnotationProcessor.get_author
    assert author(mask("a")) == ANA
    assert author(Annotation("1", "x", "image", "label", "r", None, created_by_model="net-7")) == "net-7"
    assert author(Annotation("1", "x", "image", "label", "r", None)) == "unknown"


def test_labels_and_categories_become_tensors_by_author() -> None:
    own = processor()
    labels = own.convert_image_labels([said("label", "dense"), said("label", "benign", BEN), said("label", "odd")])
    assert {author: each.tolist() for author, each in labels.items()} == {ANA: [0, 1], BEN: [1, 0]}
    categories = own.convert_image_categories(
        [said("category", "view", BEN, "ap"), said("category", "view", BEN, "pa")]
    )
    assert {author: each.item() for author, each in categories.items()} == {BEN: 1}
    assert categories[BEN].dtype == torch.int64
    assert categories[BEN].ndim == 0


@pytest.mark.parametrize(("strategy", "expected"), [("union", [1, 1]), ("intersection", [0, 0]), ("mode", [1, 1])])
def test_labels_merge(strategy: Any, expected: list[int]) -> None:
    labels = {ANA: torch.tensor([0, 1]), BEN: torch.tensor([1, 0])}
    merged = processor().merge_image_labels(labels, strategy)
    assert merged.tolist() == expected
    assert merged.dtype == torch.int32
    assert processor().merge_image_labels({}, strategy).tolist() == [0, 0]


def test_categories_merge() -> None:
    merge = AnnotationProcessor.merge_image_categories
    codes = {"a": torch.tensor(1), "b": torch.tensor(1), "c": torch.tensor(0)}
    assert merge(codes, "mode", 3).item() == 1
    assert merge({}, "mode", 3).item() == -1
    assert merge(codes, "union", 3).tolist() == [1, 1, 0]
    assert merge(codes, "intersection", 3).tolist() == [0, 0, 0]


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_instances_become_semantic_masks_of_their_own_kind(kind: Any) -> None:
    masks = np.zeros((2, 1, 2, 2), np.uint8)
    masks[0, 0, 0, 0], masks[1, 0, 1, 1] = 1, 1
    found = processor().instance_to_semantic_segmentation(kind(masks), kind(np.array([2, 1])), 2)
    assert isinstance(found, type(kind(masks)))
    assert found.shape == (3, 1, 2, 2)
    assert found[:, 0, 0, 0].tolist() == [0, 0, 1]
    assert found[:, 0, 1, 0].tolist() == [1, 0, 0]
    assert processor().instance_to_semantic_segmentation(None, np.array([]), 2) is None


STACKS = arrays(np.uint8, (3, 2, 2), elements=st.integers(0, 1))


@given(
    masks=st.lists(STACKS, min_size=1, max_size=5),
    strategy=st.sampled_from(["union", "intersection", "mode"]),
    tensors=st.booleans(),
)
def test_merged_masks_have_background_or_a_class_everywhere_and_never_both(
    masks: list[np.ndarray], strategy: Any, tensors: bool
) -> None:
    codes = np.array([1, 2, 2])
    own = processor()
    semantic = {str(n): own.instance_to_semantic_segmentation(each, codes, 2) for n, each in enumerate(masks)}
    given_kind: Any = {n: torch.from_numpy(each) for n, each in semantic.items()} if tensors else semantic
    merged = own.apply_merge_strategy(given_kind, strategy)
    assert isinstance(merged, torch.Tensor if tensors else np.ndarray)
    found = np.asarray(merged)
    assert found.dtype == np.float32
    votes = sum(each[1:] for each in semantic.values())
    needed = {"union": 1, "intersection": len(masks), "mode": len(masks) / 2}[strategy]
    np.testing.assert_array_equal(found[1:], votes >= needed)
    np.testing.assert_array_equal(found[0] == 1, ~found[1:].any(axis=0))


def test_without_a_strategy_the_masks_stay_and_without_masks_there_is_no_shape() -> None:
    masks = {ANA: torch.zeros(3, 1, 2, 2)}
    assert processor().apply_merge_strategy(masks, None) is masks
    with pytest.raises(ValidationError, match="shape is unknown"):
        processor().apply_merge_strategy({}, "union")
    with pytest.raises(ValidationError, match="'vote'"):
        processor().apply_merge_strategy(masks, "vote")  # type: ignore[call-overload]


def test_codes_that_leave_gaps_are_refused() -> None:
    with pytest.raises(ValidationError, match="multilabel"):
        AnnotationProcessor({}, ["x"], {"multilabel": {"x": 1}})
