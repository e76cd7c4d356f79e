"""Building a dataset: what it needs, what it refuses, and what it says."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamint_like.dataset import ImageDataset, VideoDataset, VolumeDataset
from datamint_like.exceptions import (
    CacheError,
    DatamintDatasetException,
    ItemNotFoundError,
    SkippedResourcesWarning,
    ValidationError,
)
from tests.dataset.conftest import Shelf

pytestmark = pytest.mark.filterwarnings("ignore::datamint_like.exceptions.SkippedResourcesWarning")


def test_a_project_is_found_by_name_by_id_and_as_an_object(shelf: Shelf) -> None:
    by_name = ImageDataset(project="mixed", server_url=shelf.url)
    project = by_name.project
    assert project is not None
    for given in (project.id, project):
        assert len(ImageDataset(project=given, server_url=shelf.url)) == len(by_name) == 2


def test_resources_are_taken_as_ids_or_objects_in_the_order_given(shelf: Shelf) -> None:
    given = [shelf.plain_xray.id, shelf.xray]
    dataset = ImageDataset(resources=given, server_url=shelf.url)
    assert [r.id for r in dataset.resources] == [shelf.plain_xray.id, shelf.xray.id]
    assert dataset.project is None


def test_an_unknown_project_names_itself_and_the_store_that_was_searched(shelf: Shelf) -> None:
    with pytest.raises(ItemNotFoundError, match=r"'liver'.*file://.*'mixed'"):
        ImageDataset(project="liver", server_url=shelf.url).prepare()


@pytest.mark.parametrize("arguments", [{}, {"project": "mixed", "resources": []}])
def test_both_or_neither_of_project_and_resources_is_refused_at_once(arguments: dict[str, Any]) -> None:
    with pytest.raises(DatamintDatasetException, match="either project= or resources="):
        ImageDataset(**arguments)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"include_annotators": ["a"], "exclude_annotators": ["b"]}, "include_annotators"),
        ({"return_as_semantic_segmentation": True, "return_segmentations": False}, "return_segmentations=True"),
        ({"semantic_seg_merge_strategy": "union"}, "return_as_semantic_segmentation=True"),
        (
            {"return_as_semantic_segmentation": True, "semantic_seg_merge_strategy": "best"},
            "semantic_seg_merge_strategy",
        ),
        ({"image_labels_merge_strategy": "majority"}, "image_labels_merge_strategy"),
        ({"worklists": "mine"}, "worklists"),
        ({"memory_cache": "lots"}, "256MB"),
        ({"intensity": "bright"}, "intensity"),
        ({"intensity": ("window", 40)}, "intensity"),
        ({"dtype": "complex64"}, "dtype"),
        ({"dtype": 5}, "dtype"),
        ({"include_annotators": 5}, "include_annotators= takes a list of names"),
        ({"irregular_spacing": "fix"}, "irregular_spacing"),
    ],
)
def test_options_that_make_no_sense_are_refused_at_construction(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        ImageDataset(project="mixed", **options)
    assert isinstance(caught.value, (DatamintDatasetException, ValidationError))


def test_a_keyword_that_does_not_exist_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="retrun_boxes"):
        ImageDataset(project="mixed", retrun_boxes=True)


def test_resources_of_another_kind_are_left_out_with_one_warning_that_counts_them(shelf: Shelf) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dataset = VideoDataset(project="mixed", server_url=shelf.url)
        assert len(dataset) == 1
        len(dataset)
    assert [(w.category, w.filename) for w in caught] == [(SkippedResourcesWarning, __file__)]
    assert "4 of 5 resources" in str(caught[0].message)
    with pytest.raises(DatamintDatasetException, match="4 of 5"):
        VideoDataset(project="mixed", server_url=shelf.url, strict_kind=True).prepare()


def test_nothing_is_read_before_it_is_needed(shelf: Shelf) -> None:
    dataset = ImageDataset(project="no such project", server_url=shelf.url)
    assert "not prepared" in repr(dataset)
    with pytest.raises(ItemNotFoundError):
        len(dataset)


def test_unannotated_resources_are_left_out_when_asked(shelf: Shelf) -> None:
    annotated = ImageDataset(project="mixed", server_url=shelf.url, include_unannotated=False)
    assert [r.id for r in annotated.resources] == [shelf.xray.id]
    nobody = ImageDataset(project="mixed", server_url=shelf.url, include_unannotated=False, include_annotators=["eve"])
    assert len(nobody) == 0
    assert list(nobody.resource_annotations) == []


def test_names_outside_the_worklist_are_left_out_with_a_warning_that_names_them(shelf: Shelf) -> None:
    from datamint_like.backends.base import NewAnnotation, NewProject
    from datamint_like.entities import AnnotationSpec
    from datamint_like.exceptions import DatamintWarning

    shelf.backend.create_project(
        NewProject(
            name="narrow",
            resource_ids=(shelf.philips.id,),
            annotations=(AnnotationSpec(type="label", identifier="contrast", scope="image"),),
        )
    )
    del NewAnnotation
    with pytest.warns(DatamintWarning, match=r"segmentation 'soft' \(2\)"):
        narrow = VolumeDataset(project="narrow", server_url=shelf.url).prepare()
    assert narrow.segmentation_labels_set == []
    assert narrow[0]["segmentations"] == {}
    wide = VolumeDataset(project="narrow", server_url=shelf.url, allow_external_annotations=True)
    assert wide.segmentation_labels_set == ["bone", "soft"]
    for none in (None, []):  # no schema is followed, however that is said
        inferred = VolumeDataset(project="narrow", server_url=shelf.url, worklists=none)
        assert inferred.image_labels_set == ["artefact", "contrast"]
        assert inferred.segmentation_labels_set == ["bone", "soft"]


def test_the_newest_snapshot_opens_without_the_store(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="auto_update=True"):
        ImageDataset(project="mixed", server_url=shelf.url, auto_update=False).prepare()
    online = ImageDataset(project="mixed", server_url=shelf.url).prepare()
    for store in (shelf.url, shelf.url.removeprefix("file://")):
        offline = ImageDataset(project="mixed", server_url=store, auto_update=False)
        assert offline.fingerprint == online.fingerprint


def test_a_list_of_resources_has_no_snapshot_to_open(shelf: Shelf) -> None:
    with pytest.raises(DatamintDatasetException, match=r"auto_update=False.*project="):
        ImageDataset(resources=[shelf.xray], server_url=shelf.url, auto_update=False)


def test_one_resource_is_a_list_of_one(shelf: Shelf) -> None:
    for one in (shelf.xray, shelf.xray.id):
        assert [r.id for r in ImageDataset(resources=one, server_url=shelf.url).resources] == [shelf.xray.id]


def test_a_dataset_is_pinned_to_the_revision_it_was_prepared_at(tmp_path: Path, demo_images: Path) -> None:
    from datamint_like.backends import open_backend
    from datamint_like.backends.base import NewProject, NewResource

    backend = open_backend((tmp_path / "store").as_uri())
    image = NewResource(paths=(demo_images / "xray" / "nih_00000001_000.png",), filename="a.png")
    project = backend.create_project(NewProject(name="p", resource_ids=(backend.create_resource(image).id,)))
    before = ImageDataset(project="p", server_url=backend.url).prepare()
    backend.add_project_resources(project.id, [backend.create_resource(image).id])
    after = ImageDataset(project="p", server_url=backend.url)
    assert (len(before), len(after)) == (1, 2)
    assert len(before.subset([0])) == 1
    assert before.fingerprint != after.fingerprint


def test_an_empty_project_is_an_empty_dataset(tmp_path: Path) -> None:
    from datamint_like.backends import open_backend
    from datamint_like.backends.base import NewProject

    backend = open_backend((tmp_path / "store").as_uri())
    backend.create_project(NewProject(name="empty"))
    dataset = ImageDataset(project="empty", server_url=backend.url)
    assert (len(dataset), list(dataset), list(dataset.resources), list(dataset.resource_annotations)) == (0, [], [], [])


FLAGS = [
    "auto_update",
    "return_metainfo",
    "return_segmentations",
    "return_as_semantic_segmentation",
    "include_unannotated",
    "allow_external_annotations",
    "strict_kind",
    "return_objects",
    "resample_masks",
]


@pytest.mark.parametrize("keyword", FLAGS)
@pytest.mark.parametrize("value", ["no", 1, None])
def test_a_flag_is_true_or_false_and_nothing_else(shelf: Shelf, keyword: str, value: object) -> None:
    with pytest.raises(DatamintDatasetException, match=rf"^{keyword} is True or False, not {value!r}\.$"):
        ImageDataset(project="mixed", server_url=shelf.url, **{keyword: value})


@pytest.mark.parametrize("keyword", FLAGS)
def test_a_flag_of_numpy_is_the_same_as_pythons(shelf: Shelf, keyword: str) -> None:
    plain, of_numpy = (
        ImageDataset(resources=[shelf.xray], server_url=shelf.url, **{keyword: value}) for value in (True, np.True_)
    )
    assert plain.fingerprint == of_numpy.fingerprint


@pytest.mark.parametrize("value", [5, ["mixed"], b"mixed"])
def test_a_project_is_a_text_or_a_project_and_refused_at_once(shelf: Shelf, value: Any) -> None:
    with pytest.raises(DatamintDatasetException, match=r"^project is a name, an id or a Project, not "):
        ImageDataset(project=value, server_url=shelf.url)


def test_resources_that_are_no_list_are_refused_at_once(shelf: Shelf) -> None:
    with pytest.raises(DatamintDatasetException, match=r"resources= takes Resource objects or ids, not 5"):
        ImageDataset(resources=5, server_url=shelf.url)  # type: ignore[arg-type]


@pytest.mark.parametrize("keyword", ["by_patient", "use_project_splits", "use_server_splits"])
def test_a_flag_of_a_split_is_true_or_false(shelf: Shelf, keyword: str) -> None:
    dataset = ImageDataset(project="mixed", server_url=shelf.url)
    with pytest.raises(DatamintDatasetException, match=rf"^{keyword} is True or False, not 'no'"):
        dataset.split(**{keyword: "no"}, train=0.5, val=0.5)
    assert set(dataset.split(by_patient=np.False_, train=0.5, val=0.5)) == {"train", "val"}
