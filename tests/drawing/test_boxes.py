"""Boxes in pictures: in the plane that they are of, in the colours of their worklist, with their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from datamint_like import Api, ImageDataset, VideoDataset, VolumeDataset
from datamint_like.drawing.planes import middle_plane, planes_of
from tests.dataset.conftest import ANA, BEN
from tests.drawing.test_figures import words
from tests.drawing.test_planes import ALL, metainfo

PINK, GREEN = (255, 80, 200), (90, 230, 120)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, demo_images: Path) -> str:
    """A project with boxes of two annotators on a CT, a radiograph and a clip, and one mask."""
    api = Api((tmp_path_factory.mktemp("drawn") / "store").as_uri())
    ct = api.resources.upload_resource(demo_images / "ct_philips")
    xray = api.resources.upload_resource(demo_images / "xray" / "nih_00000001_000.png")
    clip = api.resources.upload_resource(demo_images / "ultrasound" / "examples_ybr_color.dcm")
    project = api.projects.create("boxes", resource_ids=[ct, xray, clip])
    api.annotationsets.create(
        "boxes",
        [ct, xray, clip],
        annotations=[
            {"type": "square", "identifier": "nodule", "scope": "frame", "color": list(PINK)},
            {"type": "square", "identifier": "mass", "scope": "frame"},
        ],
        segmentation_data={"definitions": [{"identifier": "mass", "color": list(GREEN), "index": 1}]},
        project=project,
    )
    for corner, opposite, resource, name, frame, author in (
        ((40, 20), (60, 35), ct, "mass", 3, ANA),
        ((70, 70), (120, 120), ct, "nodule", 3, ANA),
        ((42, 22), (66, 39), ct, "mass", 5, BEN),
        ((300, 100), (400, 180), xray, "mass", None, ANA),
        ((420, 300), (540, 600), xray, r"$\odd$", None, BEN),
        ((100, 50), (150, 90), clip, "mass", 12, ANA),
        ((1, 2), (50, 60), clip, "everywhere", None, BEN),
    ):
        api.annotations.add_box_annotation(corner, opposite, resource, name, frame, author_email=author)
    mask = np.zeros((128, 128), np.uint8)
    mask[20:36, 40:61] = 255
    api.annotations.upload_segmentations(ct, mask, "mass", frame_index=3, author_email=ANA)
    return api.server_url


pytestmark = pytest.mark.filterwarnings("ignore::datamint_like.exceptions.SkippedResourcesWarning")


def of(url: str, kind: Any, **options: Any) -> Any:
    return kind(project="boxes", server_url=url, return_boxes=True, **options)


def drawn(axis: Any) -> dict[tuple[float, ...], tuple[int, ...]]:
    """x1, y1, x2, y2 of the boxes of a picture, with the colour of each."""
    found = {}
    for patch in axis.patches:
        if isinstance(patch, Rectangle) and to_rgb(patch.get_edgecolor()) != (0, 0, 0):
            (x, y), width, height = patch.get_xy(), patch.get_width(), patch.get_height()
            found[x, y, x + width, y + height] = tuple(round(255 * part) for part in to_rgb(patch.get_edgecolor()))
    return found


@given(st.sampled_from(ALL), st.integers(0, 2), st.data())
def test_a_box_lies_on_the_page_where_the_pixels_of_its_mask_do(
    orientation: str, which: int, data: st.DataObject
) -> None:
    shape = (5, 6, 7)
    plane = planes_of(shape, metainfo(orientation, (1, 1, 1)), None)[which]
    rows, columns = (shape[n] for n in range(3) if n != which)
    x1, x2 = sorted(data.draw(st.tuples(*[st.integers(0, columns - 1)] * 2)))
    y1, y2 = sorted(data.draw(st.tuples(*[st.integers(0, rows - 1)] * 2)))
    mask = np.zeros(shape, bool)
    np.moveaxis(mask, which, 0)[plane.index, y1 : y2 + 1, x1 : x2 + 1] = True
    page = plane.of(mask)
    down, across = np.nonzero(page)
    expected = across.min(), down.min(), across.max(), down.max()
    assert plane.on_page((x1, y1, x2, y2), (page.shape[0], page.shape[1])) == expected


@pytest.mark.parametrize("orientation", ["canonical", "native"])
def test_a_volume_shows_a_plane_with_boxes_and_each_annotators_in_a_row(url: str, orientation: str) -> None:
    figure = of(url, VolumeDataset, orientation=orientation).show(0)
    assert len(figure.axes) == 9
    assert figure.axes[0].get_title().startswith("axial 3 ")  # the nearest to the mask
    assert drawn(figure.axes[3]) == {(40.0, 20.0, 60.0, 35.0): GREEN, (70.0, 70.0, 120.0, 120.0): PINK}
    assert not any(drawn(axis) for n, axis in enumerate(figure.axes) if n != 3)
    figure = of(url, VolumeDataset, orientation=orientation, return_segmentations=False).show(0)
    assert figure.axes[0].get_title().startswith("axial 5 ")  # the nearest to the middle
    assert drawn(figure.axes[6]) == {(42.0, 22.0, 66.0, 39.0): GREEN}
    assert not any(drawn(axis) for n, axis in enumerate(figure.axes) if n != 6)
    assert "nodule (on other planes)" in words(figure)


def test_boxes_of_a_slice_have_the_colours_of_their_worklist_and_their_names(url: str) -> None:
    figure = of(url, VolumeDataset).slice("axial").show(3)
    assert drawn(figure.axes[0]) == {}
    assert drawn(figure.axes[1]) == {(40.0, 20.0, 60.0, 35.0): GREEN, (70.0, 70.0, 120.0, 120.0): PINK}
    assert {text.get_text() for text in figure.axes[1].texts} >= {"mass", "nodule"}
    legend = figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["mass", "mass", "nodule"]
    assert [handle.get_facecolor()[3] > 0 for handle in legend.legend_handles] == [True, False, False]


def test_without_boxes_of_the_dataset_none_are_drawn(url: str) -> None:
    figure = VolumeDataset(project="boxes", server_url=url).slice("axial").show(3)
    assert [drawn(axis) for axis in figure.axes] == [{}, {}]
    assert "nodule" not in words(figure)


def test_a_box_that_leaves_the_picture_ends_at_its_edge_and_its_name_is_shown_as_it_is(url: str) -> None:
    figure = of(url, ImageDataset, worklists=None).show(0)
    (axis,) = (axis for axis in figure.axes if axis.get_title() == BEN)
    assert list(drawn(axis)) == [(420.0, 300.0, 540.0, 600.0)]
    assert axis.get_xlim() == (-0.5, 511.5)
    assert axis.get_ylim() == (511.5, -0.5)
    (name,) = axis.texts
    assert (name.get_text(), name.get_parse_math()) == (r"$\odd$", False)
    figure._repr_png_()


def test_a_video_shows_frames_that_have_boxes_and_those_of_every_frame_in_each(url: str) -> None:
    figure = of(url, VideoDataset).show(0)
    assert [axis.get_title() for axis in figure.axes[:4]] == [f"frame {n} of 0-29" for n in (0, 12, 19, 29)]
    assert [list(drawn(axis)) for axis in figure.axes[4:8]] == [[], [(100.0, 50.0, 150.0, 90.0)], [], []]
    assert [list(drawn(axis)) for axis in figure.axes[8:]] == [[(1.0, 2.0, 50.0, 60.0)]] * 4
    assert of(url, VideoDataset).montage(1).axes[0].get_title().endswith("frame 12 of 0-29")


def test_a_montage_of_patches_shows_what_they_hold_of_their_boxes(url: str) -> None:
    patches = of(url, VolumeDataset).patch_grid((4, 64, 128))
    figure = patches.subset([0, 1]).montage(2)
    first, second = (drawn(axis) for axis in figure.axes)
    assert list(first) == [(40.0, 20.0, 60.0, 35.0)]
    assert list(second) == [(70.0, 6.0, 120.0, 56.0)]
    assert figure.axes[0].get_title().endswith("axial 3 of 0-3")


def test_a_plane_with_boxes_stands_for_a_volume_whichever_axis_it_is_of() -> None:
    told = metainfo("SPL", (1, 1, 1))
    assert middle_plane((8, 8, 8), told, None).axis == 0
    assert (
        middle_plane((8, 8, 8), told, None, {(2, 6)}).axis,
        middle_plane((8, 8, 8), told, None, {(2, 6)}).index,
    ) == (
        2,
        6,
    )
    assert middle_plane((8, 8, 8), told, None, {(1, -1)}).axis == 1


def test_more_boxes_than_have_room_are_named_by_the_legend_alone(tmp_path: Path, demo_images: Path) -> None:
    api = Api(tmp_path.as_uri())
    xray = api.resources.upload_resource(demo_images / "xray" / "nih_00000001_000.png")
    for n in range(13):
        api.annotations.add_box_annotation((9 * n, 9 * n), (9 * n + 30, 9 * n + 30), xray, "rib", author_email=ANA)
    figure = ImageDataset(resources=[xray], server_url=api.server_url, return_boxes=True).show(0)
    assert len(drawn(figure.axes[1])) == 13
    assert not figure.axes[1].texts
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["rib"]


def test_a_card_draws_boxes_too(url: str) -> None:
    with_boxes, without = of(url, ImageDataset).prepare(), ImageDataset(project="boxes", server_url=url).prepare()
    assert with_boxes._repr_html_().split("base64,")[1][:4000] != without._repr_html_().split("base64,")[1][:4000]
