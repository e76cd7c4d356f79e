"""What every backend promises of many resources at once: all of a batch or nothing, in order, nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamint_like.backends.base import (
    AnnotationQuery,
    Backend,
    NewAnnotation,
    NewResource,
    NewVolumeMask,
    ResourceQuery,
)
from datamint_like.entities import Part
from datamint_like.exceptions import DatamintException, GeometryError, ItemNotFoundError, ValidationError
from datamint_like.imaging import probe
from datamint_like.imaging._nibabel import Nifti1Image
from datamint_like.testing.contents import WholeContent, whole
from datamint_like.testing.samples import CT_FILES, OTHER_XRAY, XRAY, label, project_of, upload, xray_mask

_PASSING = ("id", "resource_id", "resource_uri", "location", "created_at", "published_on")


def image(path: Path = XRAY, **more: Any) -> NewResource:
    """A row of one image."""
    return NewResource(**{"paths": (path,), "filename": path.name, **more})


def volume(folder: Path) -> tuple[Path, NewVolumeMask]:
    """A small NIfTI volume, and a label map of two structures."""
    affine, path = np.diag([1.0, 2.0, 3.0, 1.0]), folder / "volume.nii"
    nifti: Any = Nifti1Image
    path.write_bytes(nifti(np.arange(60, dtype=np.int16).reshape(3, 4, 5), affine).to_bytes())
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[0], labels[1] = 1, 2
    payload = nifti(labels, affine).to_bytes()
    return path, NewVolumeMask(payload, {1: "fat", 2: "bone"}, NewAnnotation("segmentation", "x"))


def plain(content: WholeContent) -> list[Any]:
    """All of a content but ids and instants."""

    def kept(record: Any) -> dict[str, Any]:
        return {key: value for key, value in record.to_dict().items() if key not in _PASSING}

    return [
        (kept(each), list(map(kept, content.parts[each.id])), list(map(kept, content.annotations[each.id])))
        for each in content.resources
    ]


#: A part that is given by a digest which nothing has.
_NOWHERE = Part(index=0, filename=XRAY.name, size=XRAY.stat().st_size, sha256="0" * 64)
_FACTS = probe([XRAY])
#: For each fault the error, and the fields of a row that hold it.
FAULTY: dict[str, tuple[type[DatamintException], dict[str, Any]]] = {
    "no files": (ValidationError, {"paths": ()}),
    "a file that is gone": (ValidationError, {"paths": (Path("nowhere.png"),)}),
    "files that are no paths": (ValidationError, {"paths": ("x.png",)}),
    "a file that is no image": (ValidationError, {"paths": (Path(__file__),)}),
    "files of two images": (ValidationError, {"paths": (XRAY, OTHER_XRAY)}),
    "two files for the facts of one image": (ValidationError, {"paths": (XRAY, OTHER_XRAY), "facts": _FACTS}),
    "an empty name": (ValidationError, {"filename": " "}),
    "a tag that is none": (ValidationError, {"tags": ("",)}),
    "another project": (ValidationError, {"project_id": "another"}),
    "a part whose bytes are nowhere": (ValidationError, {"paths": (), "facts": _FACTS, "parts": (_NOWHERE,)}),
    "parts that are none": (ValidationError, {"paths": (), "facts": _FACTS, "parts": ("x.png",)}),
    "parts without facts": (ValidationError, {"paths": (), "parts": (_NOWHERE,)}),
    "an annotation that makes no sense": (ValidationError, {"annotations": (label(), label(" "))}),
    "an annotation that is none": (ValidationError, {"annotations": (label(), "fat")}),
    "a mask of another grid": (GeometryError, {"paths": CT_FILES, "annotations": (xray_mask(),)}),
    "an unknown worklist": (ItemNotFoundError, {"annotations": (replace(label(), worklist_id="none"),)}),
}


class BulkPromises:
    """`create_resources`: each batch whole, or not at all."""

    def test_many_resources_are_what_single_creates_make_in_the_order_given(
        self, backend: Backend, tmp_path: Path
    ) -> None:
        path, labels = volume(tmp_path)
        said = (label("benign", "ana@lab.example"), NewAnnotation("category", "view", value="pa"), xray_mask())
        rows = [
            image(tags=("a", " b "), metadata={"PatientID": "P1", "site": 3}, annotations=said, channel="night"),
            NewResource(tuple(reversed(CT_FILES)), "ct", annotations=(label("clear"),)),
            NewResource((path,), path.name, annotations=(label(),), volume_masks=(labels,)),
            image(OTHER_XRAY, modality="DX"),
        ]
        one, many = project_of(backend, name="one"), project_of(backend, name="many")
        for each in rows:
            backend.create_resource(replace(each, project_id=one.id))
        made = backend.create_resources(many.id, rows)
        content = whole(backend.read_project(many.id))
        assert [each.id for each in content.resources] == made
        assert all(each.published for each in content.resources)
        assert [len(content.annotations[each.id]) for each in content.resources] == [3, 1, 3, 0]
        assert plain(content) == plain(whole(backend.read_project(one.id)))
        mask = content.annotations[content.resources[0].id][-1]
        assert backend.blobs().annotation_bytes(mask) == xray_mask().payload

    def test_what_is_there_and_what_is_given_twice_stays_as_it_is(self, backend: Backend) -> None:
        project = project_of(backend, upload(backend), name="p")
        before = whole(backend.read_project(project.id)).resources
        ct = NewResource(CT_FILES, "ct", tags=("first",))
        again = NewResource(tuple(reversed(CT_FILES)), "again", tags=("second",), annotations=(label(),))
        made = backend.create_resources(project.id, [image(tags=("new",), annotations=(label(),)), ct, again])
        assert made[0] is None
        assert made[1] is not None
        assert made[2] is None
        content = whole(backend.read_project(project.id))
        assert content.resources[:1] == before
        assert [each.tags for each in content.resources] == [(), ("first",)]
        assert backend.list_annotations(AnnotationQuery(deleted="include")) == []
        revision = backend.project_revision(project.id)
        assert backend.create_resources(project.id, [again, ct]) == [None, None]
        assert backend.create_resources(project.id, []) == []
        assert backend.project_revision(project.id) == revision
        other = project_of(backend, name="q")
        assert None not in backend.create_resources(other.id, [ct])

    def test_one_that_was_deleted_is_made_again(self, backend: Backend) -> None:
        project = project_of(backend)
        (first,) = backend.create_resources(project.id, [image()])
        backend.delete_resources([str(first)])
        (second,) = backend.create_resources(project.id, [image()])
        assert second not in (first, None)

    @pytest.mark.parametrize("fault", FAULTY)
    def test_a_row_that_does_not_fit_is_named_and_nothing_of_its_batch_stays(
        self, backend: Backend, fault: str
    ) -> None:
        kind, fields = FAULTY[fault]
        project = project_of(backend)
        rows = [image(annotations=(xray_mask(),)), image(OTHER_XRAY, **fields)]
        with pytest.raises(kind, match=r"^Row 1 \(.*\): ."):
            backend.create_resources(project.id, rows)
        assert backend.list_project_resources(project.id) == []
        assert backend.list_resources(ResourceQuery(deleted="include")) == []
        assert backend.list_annotations(AnnotationQuery(deleted="include")) == []

    def test_rows_are_called_by_the_numbers_given(self, backend: Backend) -> None:
        project, rows = project_of(backend), [image(), image(OTHER_XRAY, tags=("",))]
        with pytest.raises(ValidationError, match=rf"^Row 1066 \('{OTHER_XRAY.name}'\): "):
            backend.create_resources(project.id, rows, numbers=(7, 1066))
        with pytest.raises(ValidationError, match="3 numbers for 2 rows"):
            backend.create_resources(project.id, rows, numbers=range(3))

    @pytest.mark.parametrize("bad", [None, "rows", ["x.png"], [XRAY], [None]], ids=repr)
    def test_rows_are_new_resources(self, backend: Backend, bad: Any) -> None:
        with pytest.raises(ValidationError, match="NewResource"):
            backend.create_resources(project_of(backend).id, bad)

    def test_a_project_that_there_is_not_is_named(self, backend: Backend) -> None:
        with pytest.raises(ItemNotFoundError, match="nowhere"):
            backend.create_resources("nowhere", [image()])

    def test_of_many_that_load_the_same_at_once_one_makes_each(self, backend: Backend) -> None:
        project = project_of(backend)
        rows = [image(annotations=(label(),)), image(OTHER_XRAY), NewResource(CT_FILES, "ct")]

        def load(n: int) -> Sequence[str | None]:
            return backend.create_resources(project.id, rows if n % 2 else rows[::-1])

        with ThreadPoolExecutor(4) as threads:
            made = [each for some in threads.map(load, range(4)) for each in some if each is not None]
        assert len(made) == len(set(made)) == 3
        assert sorted(each.id for each in backend.list_project_resources(project.id)) == sorted(made)
        assert len(backend.list_annotations(AnnotationQuery())) == 1
