"""Figures of real items: what they show and say."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datamint_like import ImageDataset, VideoDataset, VolumeDataset
from datamint_like.drawing.show import spread
from datamint_like.exceptions import DatamintDatasetException, MissingExtraError
from tests.dataset.conftest import ANA, BEN, Shelf


def ct(shelf: Shelf, **options: Any) -> VolumeDataset:
    return VolumeDataset(project="mixed", server_url=shelf.url, irregular_spacing="keep", **options)


pytestmark = pytest.mark.filterwarnings("ignore::datamint_like.exceptions.SkippedResourcesWarning")


def words(figure: Any) -> str:
    texts = [text.get_text() for text in figure.texts]
    for axis in figure.axes:
        texts += [axis.get_title(), axis.get_ylabel(), *(text.get_text() for text in axis.texts)]
    texts += [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return "\n".join(texts)


def test_a_ct_shows_three_planes_of_the_image_and_of_each_annotator(shelf: Shelf) -> None:
    figure = ct(shelf).show(0)
    assert len(figure.axes) == 9
    said = words(figure)
    for expected in ("philips.dcm", ANA, BEN, "window 900 / 2500 HU (header)", "axial 16", "soft", "motion (frame 3)"):
        assert expected in said
    assert "bone (on other planes)" in said


def test_masks_are_drawn_in_the_colour_of_their_worklist(shelf: Shelf) -> None:
    figure = ct(shelf).show(0)
    plain, ana = (np.asarray(figure.axes[n].images[0].get_array()) for n in (0, 3))
    assert (ana == (200, 80, 60)).all(axis=-1).sum() > 50  # its outline
    changed = (plain != ana).any(axis=-1)
    assert changed[30:60, 40:90].all()
    assert changed.sum() == 30 * 50


def test_planes_of_one_volume_are_drawn_at_one_scale(shelf: Shelf) -> None:
    figure = ct(shelf).show(0)
    figure._repr_png_()
    per_mm = []
    for axis, height_mm in zip(figure.axes[:3], (128 * 1.8046875, 32.0, 32.0), strict=True):
        per_mm.append(axis.get_window_extent().height / height_mm)
    assert per_mm == pytest.approx([per_mm[0]] * 3, rel=0.03)


def test_unevenly_spaced_planes_are_said_to_be(shelf: Shelf) -> None:
    assert "unevenly spaced" in words(ct(shelf).show(1))
    assert "unevenly" not in words(ct(shelf).slice("axial").show(40))


def test_a_radiograph_shows_categories_and_a_clip_shows_frames(shelf: Shelf) -> None:
    figure = ImageDataset(project="mixed", server_url=shelf.url).show(0)
    assert len(figure.axes) == 2
    assert "view: pa" in words(figure)
    assert "values 0 to 255" in words(figure)
    clip = VideoDataset(project="mixed", server_url=shelf.url).show(0)
    assert [axis.get_title() for axis in clip.axes] == [f"frame {n} of 0-29" for n in (0, 10, 19, 29)]
    assert "colour as stored" in words(clip)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"intensity": ("window", 40, 80)}, "values 0 to 1"),
        ({"intensity": lambda array: array * 2.0}, "percentile"),
        ({"alb_transform": lambda image, masks: {"image": image[:40], "masks": masks[:, :40]}}, "after transforms"),
        ({"return_as_semantic_segmentation": True, "semantic_seg_merge_strategy": "union"}, "merged"),
        ({"return_as_semantic_segmentation": True, "return_objects": False}, BEN),
        ({"return_segmentations": False}, "image"),
        ({"dtype": "float32"}, "header"),
    ],
)
def test_every_form_of_item_can_be_shown(shelf: Shelf, options: dict[str, Any], said: str) -> None:
    assert said in words(ct(shelf, **options).slice("axial").show(10))
    ct(shelf, **options).slice("coronal").montage(2)


def test_letters_are_left_out_after_transforms_and_colour_of_other_types_stays_colour(shelf: Shelf) -> None:
    def turned(image: Any, masks: Any) -> dict[str, Any]:
        return {"image": image[:, ::-1].copy(), "masks": masks[:, :, ::-1].copy()}

    assert not ct(shelf, alb_transform=turned).slice("axial").show(3).axes[0].texts
    assert ct(shelf).slice("axial").show(3).axes[0].texts

    def scaled(image: Any, masks: Any) -> dict[str, Any]:
        return {"image": image.astype(np.float32) / 255, "masks": masks}

    clips = VideoDataset(project="mixed", server_url=shelf.url)
    plain = np.asarray(clips.show(0).axes[0].images[0].get_array()).astype(int)
    clips.set_transform(scaled)
    shown = np.asarray(clips.show(0).axes[0].images[0].get_array()).astype(int)
    assert np.abs(shown - plain).max() <= 1


def test_a_montage_shows_items_from_first_to_last(shelf: Shelf) -> None:
    figure = ct(shelf).slice("axial").montage(5)
    assert len(figure.axes) == 5
    assert figure.axes[0].get_title() == "philips.dcm, axial 0"
    assert figure.axes[-1].get_title() == "ge.dcm, axial 27"
    assert "5 of 60 items" in words(figure)
    assert len(ct(shelf).montage(9).axes) == 2


def test_a_notebook_gets_one_png_and_pyplot_is_left_alone(shelf: Shelf) -> None:
    figure = ImageDataset(project="mixed", server_url=shelf.url).show(-1)
    picture = Image.open(io.BytesIO(figure._repr_png_()))
    np.testing.assert_allclose(picture.size, figure.get_size_inches() * 90, atol=1)
    if "matplotlib.pyplot" in sys.modules:
        assert not sys.modules["matplotlib.pyplot"].get_fignums()


def test_names_with_markup_are_shown_as_they_are(shelf: Shelf) -> None:
    figure = ImageDataset(project="mixed", server_url=shelf.url).show(0)
    for text in figure.texts:
        assert not text.get_parse_math()
    figure.axes[0].set_title(r"$\broken")
    figure._repr_png_()


def test_misuse_is_refused(shelf: Shelf) -> None:
    dataset = ImageDataset(project="mixed", server_url=shelf.url)
    with pytest.raises(IndexError):
        dataset.show(7)
    for wrong in (0, 101, 2.5, True):
        with pytest.raises(DatamintDatasetException, match="1 to 100"):
            dataset.montage(wrong)  # type: ignore[arg-type]
    with pytest.raises(DatamintDatasetException, match="no items"):
        dataset.subset([]).montage()
    with pytest.raises(DatamintDatasetException, match="max_annotators"):
        dataset.show(0, max_annotators=0)


def test_without_matplotlib_the_error_says_how_to_install_it(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"datamint-like\[notebooks\]"):
        ImageDataset(project="mixed", server_url=shelf.url).show(0)


def test_annotators_beyond_the_limit_are_counted(shelf: Shelf) -> None:
    figure = ct(shelf).show(0, max_annotators=1)
    assert len(figure.axes) == 6
    assert "and 1 more annotators" in words(figure)


def test_spread_takes_first_and_last() -> None:
    assert spread(10, 3) == [0, 4, 9]
    assert spread(2, 5) == [0, 1]
    assert spread(9, 1) == [0]
    assert spread(0, 4) == []
