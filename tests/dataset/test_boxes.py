"""Boxes: as they were drawn, in the item's own pixels, alike with masks of the same pixels wherever those go."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812 -- its users' name for it
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datamint_like import Api
from datamint_like.dataset import ImageDataset, SlicedVideoDataset, VideoDataset, VolumeDataset
from datamint_like.dataset.boxes import box_targets, slice_box_targets
from datamint_like.entities import Annotation
from datamint_like.exceptions import DatamintDatasetException
from datamint_like.imaging import place_of, required_facts, turn_of
from datamint_like.imaging.affine import Affine
from datamint_like.imaging.types import HeaderFacts, Orientation
from tests.dataset.conftest import ANA, BEN
from tests.dataset.drawn_boxes import AFFINES, BOXES, SHAPE, SPACE, extent, pixel_boxes, signed_affine, square


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, demo_images: Path) -> Api:
    """An even and an uneven CT, two radiographs and a clip; boxes and masks of equal pixels of two annotators."""
    api = Api((tmp_path_factory.mktemp("boxes") / "store").as_uri())
    api.projects.create("boxes")
    files = {
        "philips": demo_images / "ct_philips",
        "ge": demo_images / "ct_ge",
        "one": demo_images / "xray" / "nih_00000001_000.png",
        "two": demo_images / "xray" / "nih_00027426_000.png",
        "clip": demo_images / "ultrasound" / "examples_ybr_color.dcm",
    }
    for path in files.values():
        api.resources.upload_resource(path, publish_to="boxes")
    return api


@pytest.fixture(scope="module")
def ids(api: Api) -> dict[str, str]:
    found = api.projects.get_project_resources("boxes")
    return dict(zip(("philips", "ge", "one", "two", "clip"), [r.id for r in found], strict=True))


@pytest.fixture(scope="module")
def drawn(api: Api, ids: dict[str, str]) -> dict[str, str]:
    """The resources with their boxes; a mask has the pixels of a box of equal name."""
    for name, author, frame, box in (
        ("one", ANA, 0, (10, 20, 30, 50)),
        ("one", ANA, 0, (300, 100, 400, 180)),
        ("one", BEN, 0, (12, 22, 33, 44)),
        ("philips", ANA, 3, (40, 20, 60, 35)),
        ("clip", BEN, 2, (100, 50, 150, 90)),
    ):
        x1, y1, x2, y2 = box
        whole = name == "one"
        api.annotations.add_box_annotation(
            (x2, y1), (x1, y2), ids[name], "mass", None if whole else frame, author_email=author
        )
        size = {"one": (512, 512), "philips": (128, 128), "clip": (240, 320)}[name]
        mask = np.zeros(size, np.uint8)
        mask[y1 : y2 + 1, x1 : x2 + 1] = 255
        api.annotations.upload_segmentations(
            ids[name], mask, name="mass", frame_index=None if whole else frame, author_email=author
        )
    api.annotations.add_box_annotation((1, 2), (5, 8), ids["clip"], "everywhere", author_email=ANA)
    return ids


def of(api: Api, kind: Any, resource: str | list[str], **options: Any) -> Any:
    resources = [resource] if isinstance(resource, str) else resource
    return kind(resources=resources, server_url=api.server_url, return_boxes=True, **options)


# --- images


def test_boxes_of_an_image_are_as_they_were_drawn_by_author_and_name(api: Api, drawn: dict[str, str]) -> None:
    images = of(api, ImageDataset, [drawn["one"], drawn["two"]])
    first, second = images[0], images[1]
    assert list(first["boxes"]) == [ANA, BEN]
    assert first["boxes"][ANA].dtype == torch.float32
    assert first["boxes"][ANA].tolist() == [[10, 20, 30, 50], [300, 100, 400, 180]]
    assert first["boxes"][BEN].tolist() == [[12, 22, 33, 44]]
    assert first["box_labels"][ANA].dtype == torch.int64
    assert images.boxlabel2code == {"mass": 1}
    assert images.box_labels_set == ["mass"]
    assert first["box_labels"][ANA].tolist() == [1, 1]
    assert set(first) == set(second)
    assert "box_planes" not in first
    assert second["boxes"] == second["box_labels"] == {}
    assert "boxes" not in ImageDataset(resources=[drawn["one"]], server_url=api.server_url)[0]
    assert (
        images.fingerprint
        != ImageDataset(resources=[drawn["one"], drawn["two"]], server_url=api.server_url).fingerprint
    )


def test_a_selection_of_annotators_selects_their_boxes(api: Api, drawn: dict[str, str]) -> None:
    assert list(of(api, ImageDataset, drawn["one"], exclude_annotators=[BEN])[0]["boxes"]) == [ANA]


# --- geometry


@given(affine=AFFINES, box=pixel_boxes(), orientation=st.sampled_from(["canonical", "native"]))
@settings(deadline=None)
def test_a_box_goes_where_the_mask_of_its_pixels_goes(
    affine: Affine, box: tuple[int, int, int, int, int], orientation: Orientation
) -> None:
    frame, x1, y1, x2, y2 = box
    facts = HeaderFacts("nifti", "volume", "application/nifti", 1, SHAPE, "int16", affine)
    mask = np.zeros(SHAPE, np.uint8)
    mask[frame, y1 : y2 + 1, x1 : x2 + 1] = 1
    turned = turn_of(facts, orientation).array(mask)
    place = place_of(facts, orientation)
    item = box_targets([square([(x1, y1, frame), (x2, y2, frame)], "pixel", frame)], SPACE, BOXES, place, orientation)
    ((axis, index),) = item["box_planes"][ANA].tolist()
    assert np.flatnonzero(turned.any(axis=tuple(n for n in range(3) if n != axis))).tolist() == [index]
    assert item["boxes"][ANA].tolist() == [extent(np.take(turned, index, axis))]
    for plane in range(turned.shape[axis]):
        cut = slice_box_targets(
            [square([(x1, y1, frame), (x2, y2, frame)], "pixel", frame)],
            SPACE, BOXES, place, orientation, axis=axis, index=plane,
        )  # fmt: skip
        assert cut["boxes"][ANA].tolist() == (item["boxes"][ANA].tolist() if plane == index else [])
        assert cut["box_labels"][ANA].tolist() == ([1] if plane == index else [])


@given(affine=AFFINES, box=pixel_boxes(), orientation=st.sampled_from(["canonical", "native"]), axis=st.integers(0, 2))
@settings(deadline=None)
def test_a_box_in_patient_millimetres_finds_its_plane_and_pixels(
    affine: Affine, box: tuple[int, int, int, int, int], orientation: Orientation, axis: int
) -> None:
    facts = HeaderFacts("nifti", "volume", "application/nifti", 1, SHAPE, "int16", affine)
    place = place_of(facts, orientation)
    assert place.affine is not None
    shape = turn_of(facts, orientation).shape(SHAPE)
    others = [n for n in range(3) if n != axis]
    low, high = np.zeros(3), np.array(shape, float) - 1
    low[axis] = high[axis] = box[0] % shape[axis]
    low[others] += 0.25
    corners = [(place.affine.matrix @ [*at, 1])[:3] * (-1, -1, 1) for at in (low, high)]  # RAS to LPS
    item = box_targets([square([c.tolist() for c in corners], "patient")], SPACE, BOXES, place, orientation)
    assert item["box_planes"][ANA].tolist() == [[axis, low[axis]]]
    y, x = others
    np.testing.assert_allclose(item["boxes"][ANA], [[low[x], low[y], high[x], high[y]]], atol=1e-5)


def test_a_patient_box_on_a_tilted_uneven_series_lies_in_the_slice_at_its_place(
    api: Api, ids: dict[str, str], demo_images: Path
) -> None:
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in (demo_images / "ct_ge").iterdir()]
    headers.sort(key=lambda header: float(header.ImagePositionPatient[2]))
    place = place_of(required_facts(api.resources.get_by_id(ids["ge"])))
    assert place.plane_origins is not None
    for n, header in enumerate(headers):
        origin, turn = np.array(header.ImagePositionPatient, float), np.array(header.ImageOrientationPatient, float)
        down, right = map(float, header.PixelSpacing)
        corners = [(origin + x * right * turn[:3] + y * down * turn[3:]).tolist() for x, y in ((3, 5), (90, 80))]
        drawn = [square(corners, "patient")]
        item = box_targets(drawn, SPACE, BOXES, place, "canonical")
        assert item["box_planes"][ANA].tolist() == [[0, n]]
        np.testing.assert_allclose(item["boxes"][ANA], [[3, 5, 90, 80]], atol=1e-3)
        for index in range(len(headers)):
            cut = slice_box_targets(drawn, SPACE, BOXES, place, "canonical", axis=0, index=index)
            assert len(cut["boxes"][ANA]) == (index == n)


def boxes_as_simpleitk_finds_them(folder: Path, corners: list[tuple[float, float, float]]) -> np.ndarray:
    """(n, 3) continuous indices k, j, i of patient points."""
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    image = sitk.ReadImage(names)
    return np.array([image.TransformPhysicalPointToContinuousIndex(point)[::-1] for point in corners])


@pytest.mark.parametrize("series", ["demo", "mr/hitachi_oblique", "mr/t1_7t_studyforrest"])
def test_patient_boxes_lie_where_simpleitk_says(
    series: str, demo_images: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = demo_images / "ct_philips" if series == "demo" else request.getfixturevalue("real_data") / series
    api = Api((tmp_path / "store").as_uri())
    resource = api.resources.upload_resource(folder)
    image = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    x, y, z = image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()])
    for plane, (corner, opposite) in {
        "axial": ((x - 9, y - 5, z), (x + 11, y + 7, z)),
        "coronal": ((x - 9, y, z - 1), (x + 11, y, z + 1)),
    }.items():
        api.annotations.add_box_annotation(corner, opposite, resource, plane, coords_system="patient", author_email=ANA)
    item = of(api, VolumeDataset, resource, orientation="native")[0]
    (drawn,) = {tuple(a.identifier for a in item["annotations"])}
    for n, annotation in enumerate(item["annotations"]):
        found = boxes_as_simpleitk_finds_them(folder, annotation.geometry["points"])
        axis, index = item["box_planes"][ANA][n].tolist()
        rows, columns = (a for a in range(3) if a != axis)
        expected = [found[:, columns].min(), found[:, rows].min(), found[:, columns].max(), found[:, rows].max()]
        np.testing.assert_allclose(item["boxes"][ANA][n], expected, atol=2e-3, err_msg=drawn[n])
        assert abs(found[:, axis].min() + found[:, axis].max() - 2 * index) <= 1.01


def test_boxes_of_a_volume_lie_in_the_planes_that_its_masks_lie_in(api: Api, drawn: dict[str, str]) -> None:
    volumes = of(api, VolumeDataset, drawn["philips"])
    volume = volumes[0]
    ((axis, index),) = volume["box_planes"][ANA].tolist()
    assert volume["boxes"][ANA].tolist() == [extent(volume["segmentations"][ANA][0].select(axis, index))]
    slices = volumes.slice("axial")
    assert axis == 0
    assert [len(item["boxes"][ANA]) for item in slices] == [int(n == index) for n in range(len(slices))]
    assert slices[index]["boxes"][ANA].tolist() == volume["boxes"][ANA].tolist()
    across = volumes.slice("coronal")[30]
    assert across["boxes"][ANA].shape == (0, 4)
    assert across["box_labels"][ANA].shape == (0,)


def test_a_box_without_a_frame_is_on_every_frame_and_others_on_their_own(api: Api, drawn: dict[str, str]) -> None:
    video = of(api, VideoDataset, drawn["clip"])[0]
    assert video["box_planes"][ANA].tolist() == [[0, -1]]
    assert video["box_planes"][BEN].tolist() == [[0, 2]]
    assert video["boxes"][BEN].tolist() == [extent(video["segmentations"][BEN][0, 2])]
    for frames in (of(api, VideoDataset, drawn["clip"]).frame_by_frame(), of(api, SlicedVideoDataset, drawn["clip"])):
        for number in (0, 2, 5):
            item = frames[number]
            assert item["boxes"][ANA].tolist() == [[1, 2, 5, 8]]
            assert len(item["boxes"][BEN]) == (number == 2)


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        (square([(1, 2), (3, 4)], "pixel", 5), "frame 5; the resource has frames 0 to 4"),
        (square([(1, 2, 900), (3, 4, 900)], "patient"), r"outside.*LPS\+ mm"),
        (square([(900, 2, 16), (903, 4, 16)], "patient"), r"outside.*beside the pixels.*LPS\+ mm"),
        (square([(100, 100), (200, 200)], "pixel", 1), "outside.*beside the pixels"),
        (square([(2, -9), (5, -0.5)], "pixel", 1), "outside.*beside the pixels"),
        (square([(8.5, 2), (9, 3)], "pixel"), "outside.*beside the pixels"),
        (square([(1, 2)], "pixel", 1), "no readable geometry"),
    ],
)
def test_a_box_that_cannot_be_placed_names_the_annotation(annotation: Annotation, says: str) -> None:
    affine = signed_affine((2, 1, 0), (1, 1, 1))
    facts = HeaderFacts("nifti", "volume", "application/nifti", 1, SHAPE, "int16", affine)
    with pytest.raises(DatamintDatasetException, match=rf"annotation a1\).*{says}.*Delete or correct"):
        box_targets([annotation], SPACE, BOXES, place_of(facts), "canonical")


@given(
    affine=AFFINES, orientation=st.sampled_from(["canonical", "native"]), axis=st.integers(0, 2), start=st.booleans()
)
@settings(deadline=None)
def test_a_patient_box_is_refused_only_where_it_shares_nothing_with_the_pixels_of_its_plane(
    affine: Affine, orientation: Orientation, axis: int, start: bool
) -> None:
    facts = HeaderFacts("nifti", "volume", "application/nifti", 1, SHAPE, "int16", affine)
    place = place_of(facts, orientation)
    assert place.affine is not None
    shape = turn_of(facts, orientation).shape(SHAPE)
    beside = (axis + 1) % 3
    edge, outwards = (-0.5, -1) if start else (shape[beside] - 0.5, 1)
    for inwards in (0.25, -0.25):
        low, high = np.full(3, 0.25), np.array(shape, float) - 1.25
        low[axis] = high[axis] = 1
        low[beside], high[beside] = sorted((edge - outwards * inwards, edge + outwards * 40))
        corners = [((place.affine.matrix @ [*at, 1])[:3] * (-1, -1, 1)).tolist() for at in (low, high)]
        drawn = [square(corners, "patient")]
        if inwards > 0:
            item = box_targets(drawn, SPACE, BOXES, place, orientation)
            y, x = (n for n in range(3) if n != axis)
            np.testing.assert_allclose(item["boxes"][ANA], [[low[x], low[y], high[x], high[y]]], atol=1e-5)
        else:
            with pytest.raises(DatamintDatasetException, match=r"annotation a1\).*outside"):
                box_targets(drawn, SPACE, BOXES, place, orientation)


@pytest.mark.parametrize("orientation", ["canonical", "native"])
@pytest.mark.parametrize(("corner", "opposite"), [((-4, -4), (-0.25, -0.25)), ((8.25, 6.25), (30, 30))])
def test_a_pixel_box_that_overlaps_a_corner_of_its_frame_is_kept_whole(
    corner: tuple[float, float], opposite: tuple[float, float], orientation: Orientation
) -> None:
    affine = signed_affine((2, 1, 0), (1, 1, 1))
    facts = HeaderFacts("nifti", "volume", "application/nifti", 1, SHAPE, "int16", affine)
    item = box_targets(
        [square([corner, opposite], "pixel", 2)], SPACE, BOXES, place_of(facts, orientation), orientation
    )
    x1, y1, x2, y2 = item["boxes"][ANA][0]
    assert (x2 - x1, y2 - y1) == (opposite[0] - corner[0], opposite[1] - corner[1])


def test_a_patient_box_on_a_picture_without_geometry_is_refused() -> None:
    place = place_of(HeaderFacts("raster", "image", "image/png", 1, (1, 7, 9), "uint8"))
    with pytest.raises(DatamintDatasetException, match="no geometry"):
        box_targets([square([(1, 2, 3), (3, 4, 3)], "patient")], SPACE, BOXES, place, "canonical")


# --- transforms


def composed(*transforms: Any, form: str = "pascal_voc", **options: Any) -> A.Compose:
    return A.Compose(list(transforms), bbox_params=A.BboxParams(format=form, **options))


TURNS = [A.HorizontalFlip(p=1.0), A.VerticalFlip(p=1.0), A.Transpose(p=1.0), A.RandomRotate90(p=1.0)]


@pytest.mark.parametrize("turn", TURNS, ids=lambda turn: type(turn).__name__)
@pytest.mark.parametrize("form", ["pascal_voc", "coco", "yolo", "albumentations"])
def test_boxes_and_masks_of_the_same_pixels_stay_alike_through_a_transform(
    api: Api, drawn: dict[str, str], turn: Any, form: str
) -> None:
    transform = composed(turn, form=form)
    item = of(api, ImageDataset, drawn["one"], alb_transform=transform, seed=3)[0]
    for author in (ANA, BEN):
        alike = [extent(mask) for mask in item["segmentations"][author]]
        assert len(alike) == len(item["boxes"][author]) == len(item["box_labels"][author])
        np.testing.assert_allclose(item["boxes"][author], alike, atol=1e-3)


@pytest.mark.parametrize("cut", ["slice", "frame", "volume", "video"])
def test_boxes_of_slices_frames_volumes_and_videos_follow_too(api: Api, drawn: dict[str, str], cut: str) -> None:
    flip = composed(A.HorizontalFlip(p=1.0), label_fields=["what"])
    name, author = ("philips", ANA) if cut in ("slice", "volume") else ("clip", BEN)
    dataset = of(api, VolumeDataset if name == "philips" else VideoDataset, drawn[name])
    if cut in ("slice", "frame"):
        dataset = dataset.slice("axial") if cut == "slice" else dataset.frame_by_frame()
    at = next(n for n, item in enumerate(dataset) if len(item["boxes"][author]))
    plain = dataset[at]
    dataset.set_transform(flip)
    made = dataset[at]
    width = plain["image"].shape[-1]
    (x1, y1, x2, y2) = plain["boxes"][author][0].tolist()
    np.testing.assert_allclose(made["boxes"][author], [[width - 1 - x2, y1, width - 1 - x1, y2]], atol=1e-3)
    assert {key: type(value) for key, value in made.items()} == {key: type(value) for key, value in plain.items()}
    mask = made["segmentations"][author][0]
    if mask.ndim == 3:
        ((axis, index),) = made["box_planes"][author].tolist()
        mask = mask.select(axis, index)
    np.testing.assert_allclose(made["boxes"][author], [extent(mask)], atol=1e-3)


def test_boxes_that_a_transform_drops_drop_their_labels_and_authors_stay(api: Api, drawn: dict[str, str]) -> None:
    crop = composed(A.Crop(0, 0, 60, 60), label_fields=["one", "two"])
    item = of(api, ImageDataset, drawn["one"], alb_transform=crop)[0]
    np.testing.assert_allclose(item["boxes"][ANA], [[10, 20, 30, 50]], atol=1e-3)
    assert item["box_labels"][ANA].tolist() == [1]
    away = of(api, ImageDataset, drawn["one"], alb_transform=composed(A.Crop(100, 0, 160, 60)))[0]
    assert {author: tuple(own.shape) for author, own in away["boxes"].items()} == {ANA: (0, 4), BEN: (0, 4)}
    assert {author: tuple(own.shape) for author, own in away["box_labels"].items()} == {ANA: (0,), BEN: (0,)}
    empty = of(api, ImageDataset, drawn["two"], alb_transform=crop)[0]
    assert empty["boxes"] == {}


def test_a_box_that_leaves_the_picture_is_clipped_before_a_transform(api: Api, ids: dict[str, str]) -> None:
    api.annotations.add_box_annotation((500, -20), (530, 10), ids["two"], "edge", author_email="eve@lab.example")
    options: dict[str, Any] = {"include_annotators": ["eve@lab.example"]}
    assert of(api, ImageDataset, ids["two"], **options)[0]["boxes"]["eve@lab.example"].tolist() == [[500, -20, 530, 10]]
    item = of(api, ImageDataset, ids["two"], alb_transform=composed(A.VerticalFlip(p=1.0)), **options)[0]
    np.testing.assert_allclose(item["boxes"]["eve@lab.example"], [[500, 501, 511.5, 511.5]], atol=1e-3)


def test_a_transform_without_bbox_params_is_refused_with_what_to_add(api: Api, drawn: dict[str, str]) -> None:
    for transform in (A.Compose([A.HorizontalFlip(p=1.0)]), A.HorizontalFlip(p=1.0)):
        with pytest.raises(DatamintDatasetException, match=r"bbox_params=albumentations\.BboxParams"):
            of(api, ImageDataset, drawn["one"], alb_transform=transform)
        dataset = of(api, ImageDataset, drawn["one"])
        for late in (dataset.set_transform, dataset.add_transform):
            with pytest.raises(DatamintDatasetException, match="bbox_params"):
                late(transform)


def test_a_compose_with_bbox_params_also_serves_items_without_boxes(api: Api, drawn: dict[str, str]) -> None:
    transform = composed(A.HorizontalFlip(p=1.0), label_fields=["what"])
    plain = ImageDataset(resources=[drawn["one"]], server_url=api.server_url, alb_transform=transform)[0]
    assert torch.equal(plain["image"], of(api, ImageDataset, drawn["one"], alb_transform=transform)[0]["image"])


@pytest.mark.parametrize("kind", ["3-D transform", "callable", "box across"])
def test_what_boxes_of_whole_volumes_cannot_follow_is_refused(api: Api, drawn: dict[str, str], kind: str) -> None:
    resource = drawn["philips"]
    transform: Any = composed(A.HorizontalFlip(p=1.0), A.CenterCrop3D((4, 64, 64)))
    if kind == "callable":
        transform = lambda **given: given  # noqa: E731
    if kind == "box across":
        transform = composed(A.HorizontalFlip(p=1.0))
        affine = VolumeDataset(resources=[resource], server_url=api.server_url)[0]["metainfo"]["affine"]
        corners = [((affine @ [d, 40, w, 1])[:3] * (-1, -1, 1)).tolist() for d, w in ((3, 30), (9, 60))]
        corners[1][1] = corners[0][1]
        api.annotations.add_box_annotation(
            *corners, resource, "across", coords_system="patient", author_email="eve@lab.example"
        )
        coronal = of(api, VolumeDataset, resource).slice("coronal")[40]
        np.testing.assert_allclose(coronal["boxes"]["eve@lab.example"], [[30, 3, 60, 9]], atol=1e-3)
    with pytest.raises(DatamintDatasetException, match=r"[Cc]ut it into slices"):
        of(api, VolumeDataset, resource, alb_transform=transform)[0]


@pytest.mark.parametrize("flag", ["no", 2, None])
def test_flags_of_boxes_and_folds_are_true_or_false(api: Api, ids: dict[str, str], flag: Any) -> None:
    with pytest.raises(DatamintDatasetException, match="return_boxes"):
        ImageDataset(resources=[ids["one"]], server_url=api.server_url, return_boxes=flag)
    images = of(api, ImageDataset, [ids["one"], ids["two"]])
    for split in (lambda: images.kfold(2, by_patient=flag), lambda: images.split(a=0.5, b=0.5, by_patient=flag)):
        with pytest.raises(DatamintDatasetException, match="by_patient"):
            split()


class Halved:
    """A callable of one's own that takes every second pixel, and drops the boxes of less than 20 pixels."""

    def __call__(self, image: Any, masks: Any, bboxes: Any, bbox_ids: Any) -> dict[str, Any]:
        kept = (bboxes[:, 3] - bboxes[:, 1]) >= 24
        halves = {"image": image[::2, ::2], "masks": masks[:, ::2, ::2]}
        return {**halves, "bboxes": bboxes[kept] / 2, "bbox_ids": bbox_ids[kept]}


def test_a_callable_of_ones_own_gets_boxes_from_the_corner_and_returns_those_it_keeps(
    api: Api, drawn: dict[str, str]
) -> None:
    item = of(api, ImageDataset, drawn["one"], alb_transform=Halved())[0]
    assert item["boxes"][ANA].tolist() == [[4.75, 9.75, 14.75, 24.75], [149.75, 49.75, 199.75, 89.75]]
    assert item["boxes"][BEN].shape == (0, 4)
    assert item["box_labels"][BEN].shape == (0,)
    with pytest.raises(DatamintDatasetException, match="bbox_ids"):
        of(api, ImageDataset, drawn["one"], alb_transform=lambda image, masks, **_: {"image": image, "masks": masks})[0]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_hold_the_boxes_of_every_item(api: Api, drawn: dict[str, str], workers: int) -> None:
    images = pickle.loads(pickle.dumps(of(api, ImageDataset, [drawn["one"], drawn["two"]], include_annotators=[ANA])))
    (batch,) = images.get_dataloader(batch_size=2, num_workers=workers)
    assert [sorted(boxes) for boxes in batch["boxes"]] == [[ANA], []]
    assert batch["boxes"][0][ANA].tolist() == [[10, 20, 30, 50], [300, 100, 400, 180]]
