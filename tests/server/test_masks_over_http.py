"""Masks: made first and attached after, sent as label maps, or sent whole in our own calls."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import cv2
import httpx
import msgspec
import nibabel as nib
import numpy as np
import pytest

from datamint_like import ImageDataset
from datamint_like.backends.base import AnnotationQuery
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.entities import Resource
from datamint_like.testing.contents import whole
from datamint_like.testing.samples import CT_FILES, XRAY_MASK, project_of, upload
from tests.serving import ADMIN_KEY, Served, served, served_by_process

UNKNOWN = "00000000-0000-0000-0000-000000000000"
WAITING = {
    "type": "segmentation",
    "identifier": "lesion",
    "scope": "frame",
    "frame_index": 0,
    "import_author": "b@lab.example",
    "source": "imported",
}


def picture(*, inverted: bool = False) -> bytes:
    """The X-ray's lungs as published clients send them: 8-bit gray, 0 and 255."""
    mask = cv2.imread(str(XRAY_MASK), cv2.IMREAD_GRAYSCALE)
    encoded: np.ndarray[Any, np.dtype[np.uint8]] = cv2.imencode(
        ".png", np.where((mask > 0) != inverted, 255, 0).astype(np.uint8)
    )[1]
    return encoded.tobytes()


def label_map(affine: Any = None) -> bytes:
    """Two labels on the CT's grid (x, y, z), as an array is sent: uncompressed, with the identity as affine."""
    array = np.zeros((128, 128, 28), np.uint8)
    array[3:9, 4:20, 5:12] = 1
    array[30:40, 30:50, 20:25] = 2
    return nib.Nifti1Image(array, np.eye(4) if affine is None else affine).to_bytes()


def file_of(content: bytes, name: str = "lesion", kind: str = "image/png") -> dict[str, Any]:
    return {"file": (name, content, kind)}


def waiting(admin: httpx.Client, resource: Resource, **more: Any) -> str:
    answer = admin.post(f"/annotations/{resource.id}/annotations", json=[{**WAITING, **more}])
    assert answer.status_code == 201, answer.text
    return str(answer.json()[0])


def test_a_segmentation_is_nowhere_until_its_file_is_attached(server: Served, admin: httpx.Client) -> None:
    resource = upload(server.store)
    project = project_of(server.store, resource)
    made = waiting(admin, resource)
    assert admin.get(f"/annotations/{made}").json()["file"] is None
    assert server.store.list_annotations(AnnotationQuery(deleted="include")) == []
    assert whole(server.store.read_project(project.id)).annotations == {resource.id: []}
    assert server.store.count_annotated([project.id]) == {project.id: 0}

    before = server.store.project_revision(project.id)
    answer = admin.post(f"/annotations/{resource.id}/annotations/{made}/file", files=file_of(picture()))
    assert answer.status_code == 200
    assert "error" not in answer.json()
    assert server.store.project_revision(project.id) != before
    (row,) = whole(server.store.read_project(project.id)).annotations[resource.id]
    assert (row.id, row.file, row.created_by) == (made, "lesion", "b@lab.example")
    assert server.store.count_annotated([project.id]) == {project.id: 1}
    assert server.store.blobs().annotation_bytes(row) == picture()


def test_a_dataset_reads_the_attached_mask_and_not_the_waiting_one(server: Served, admin: httpx.Client) -> None:
    resource = upload(server.store)
    project_of(server.store, resource, name="Lungs")
    made = waiting(admin, resource)
    waiting(admin, resource, identifier="never")
    admin.post(f"/annotations/{resource.id}/annotations/{made}/file", files=file_of(picture()))
    item = ImageDataset(project="Lungs", server_url=server.store.url)[0]
    expected = cv2.imread(str(XRAY_MASK), cv2.IMREAD_GRAYSCALE) > 0
    assert list(item["segmentations"]) == ["b@lab.example"]
    np.testing.assert_array_equal(item["segmentations"]["b@lab.example"].numpy(), expected[None])


def test_the_same_file_once_more_changes_nothing_and_another_is_refused(server: Served, admin: httpx.Client) -> None:
    resource = upload(server.store)
    place = f"/annotations/{resource.id}/annotations/{waiting(admin, resource)}/file"
    assert admin.post(place, files=file_of(picture())).status_code == 200
    assert admin.post(place, files=file_of(picture())).status_code == 200
    assert admin.post(place, files=file_of(picture(inverted=True))).status_code == 422


@pytest.mark.parametrize(
    ("files", "status"),
    [
        ({"other": ("x", b"x", "image/png")}, 422),
        (file_of(b"no mask"), 422),
        (file_of(cv2.imencode(".png", np.zeros((5, 5), np.uint8))[1].tobytes()), 422),
    ],
)
def test_what_is_no_mask_of_the_image_is_refused_and_the_segmentation_waits_on(
    server: Served, admin: httpx.Client, files: dict[str, Any], status: int
) -> None:
    resource = upload(server.store)
    place = f"/annotations/{resource.id}/annotations/{waiting(admin, resource)}/file"
    assert admin.post(place, files=files).status_code == status
    assert server.store.list_annotations(AnnotationQuery()) == []
    assert admin.post(place, files=file_of(picture())).status_code == 200


def test_a_body_that_is_no_form_is_refused(server: Served, admin: httpx.Client) -> None:
    resource = upload(server.store)
    place = f"/annotations/{resource.id}/annotations/{waiting(admin, resource)}/file"
    broken = admin.post(place, content=b"--x\r\nnonsense", headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert broken.status_code == 422
    assert admin.post(place, content=picture()).status_code == 422


def test_a_file_goes_only_to_a_segmentation_of_that_resource(server: Served, admin: httpx.Client) -> None:
    resource, other = upload(server.store), upload(server.store)
    made = waiting(admin, resource)
    (plain,) = admin.post(f"/annotations/{resource.id}/annotations", json=[{"type": "label", "identifier": "x"}]).json()

    def code(resource_id: str, annotation_id: str) -> int:
        place = f"/annotations/{resource_id}/annotations/{annotation_id}/file"
        return admin.post(place, files=file_of(picture())).status_code

    assert code(other.id, made) == 404
    assert code(resource.id, UNKNOWN) == 404
    assert code(resource.id, plain) == 422
    admin.delete(f"/annotations/{made}")
    assert code(resource.id, made) == 404


def test_an_annotator_attaches_to_their_own_and_to_a_models_but_not_to_anothers(
    server: Served, admin: httpx.Client
) -> None:
    resource = upload(server.store)
    project = project_of(server.store, resource)
    key = server.user("ana@lab.example")
    server.store.administration.put_member(project.id, "ana@lab.example", ["PROJECT_ANNOTATOR"])
    others = waiting(admin, resource)
    mine = {key: value for key, value in WAITING.items() if key != "import_author"}
    with server.client(key) as ana:
        own, models = ana.post(
            f"/annotations/{resource.id}/annotations", json=[mine, {**mine, "model_id": "net", "is_model": True}]
        ).json()

        def code(made: str) -> int:
            place = f"/annotations/{resource.id}/annotations/{made}/file"
            return ana.post(place, files=file_of(picture())).status_code

        assert [code(own), code(models), code(others)] == [200, 200, 403]
    by_model = server.store.get_annotation(models)
    assert (by_model.created_by, by_model.created_by_model) == (None, "net")


def test_a_body_larger_than_the_server_takes_is_413(tmp_path: Path) -> None:
    with served(tmp_path / "small", max_body=2000) as server, server.client() as admin:
        resource = upload(server.store)
        made = waiting(admin, resource)
        place = f"/annotations/{resource.id}/annotations/{made}/file"
        assert admin.post(place, files=file_of(b"x" * 3000)).status_code == 413


def test_a_label_map_becomes_one_binary_mask_a_label_on_the_volumes_own_affine(
    server: Served, admin: httpx.Client
) -> None:
    volume = upload(server.store, *CT_FILES)
    form = {"segmentation_map": json.dumps({"1": "lesion", "2": "organ", "default": "rest"}), "source": "imported"}
    form |= {"model_id": "net", "imported_from": "study 7"}
    place = f"/annotations/{volume.id}/segmentations/file"
    answer = admin.post(place, files=file_of(label_map(), "segmentation.nii", "application/nifti"), data=form)
    assert answer.status_code == 201, answer.text
    rows = [server.store.get_annotation(each) for each in answer.json()]
    assert [(row.identifier, row.scope, row.frame_index) for row in rows] == [
        ("lesion", "image", None),
        ("organ", "image", None),
    ]
    assert {(row.created_by, row.created_by_model, row.imported_from, row.source) for row in rows} == {
        (None, "net", "study 7", "imported")
    }
    own = nib.Nifti1Image.from_bytes(gzip.decompress(server.store.blobs().annotation_bytes(rows[0])))
    assert not np.allclose(own.affine, np.eye(4))
    expected = np.asarray(nib.Nifti1Image.from_bytes(label_map()).dataobj) == 1
    np.testing.assert_array_equal(np.asarray(own.dataobj) > 0, expected)


@pytest.mark.parametrize(
    "names", ["{}", '{"1": "lesion"}', "[]", '{"1": 5, "2": "x"}', "no json", '{"1": "", "2": "b"}']
)
def test_a_label_without_a_name_refuses_the_map(server: Served, admin: httpx.Client, names: str) -> None:
    volume = upload(server.store, *CT_FILES)
    answer = admin.post(
        f"/annotations/{volume.id}/segmentations/file",
        files=file_of(label_map(), "segmentation.nii", "application/nifti"),
        data={"segmentation_map": names},
    )
    assert answer.status_code == 422
    assert server.store.list_annotations(AnnotationQuery()) == []


def test_a_map_on_another_grid_is_refused(server: Served, admin: httpx.Client) -> None:
    volume = upload(server.store, *CT_FILES)
    answer = admin.post(
        f"/annotations/{volume.id}/segmentations/file",
        files=file_of(label_map(np.diag([9, 9, 9, 1])), "mask.nii", "application/nifti"),
        data={"segmentation_map": '{"1": "a", "2": "b"}'},
    )
    assert answer.status_code == 422
    assert answer.json()["kind"] == "GeometryError"


def test_our_own_calls_bring_masks_as_bytes_or_base64(server: Served, admin: httpx.Client) -> None:
    resource = upload(server.store)
    new = {"type": "segmentation", "identifier": "lung", "scope": "frame", "frame_index": 0, "payload": picture()}
    packed = msgspec.msgpack.encode({"annotations": [new], "once": False})
    headers = {"Content-Type": "application/msgpack"}
    place = f"/resources/{resource.id}/annotations"
    (first,) = admin.post(place, content=packed, headers=headers).json()
    (second,) = admin.post(place, content=msgspec.json.encode({"annotations": [new]})).json()
    assert first["sha256"] == second["sha256"]
    del new["payload"]
    assert admin.post(place, json={"annotations": [new]}).status_code == 422


def test_our_own_volume_mask_takes_names_by_label(server: Served, admin: httpx.Client) -> None:
    volume = upload(server.store, *CT_FILES)
    body = {"payload": label_map(), "names": {"1": "lesion", "2": "organ"}}
    body["template"] = {"type": "segmentation", "identifier": "mask", "author": "b@lab.example"}
    packed, headers = msgspec.msgpack.encode(body), {"Content-Type": "application/msgpack"}
    rows = admin.post(f"/resources/{volume.id}/volume-mask", content=packed, headers=headers).json()
    assert [(row["identifier"], row["created_by"]) for row in rows] == [
        ("lesion", "b@lab.example"),
        ("organ", "b@lab.example"),
    ]
    again = admin.post(f"/resources/{volume.id}/volume-mask", content=msgspec.json.encode(body))
    assert [row["sha256"] for row in again.json()] == [row["sha256"] for row in rows]


def test_an_origin_that_is_there_is_not_stored_once_more(server: Served, admin: httpx.Client) -> None:
    resource = upload(server.store)
    body = {"annotations": [{"type": "label", "identifier": "x", "imported_from": "file 1"}], "once": True}
    assert len(admin.post(f"/resources/{resource.id}/annotations", json=body).json()) == 1
    assert admin.post(f"/resources/{resource.id}/annotations", json=body).json() == []


def test_a_server_killed_between_making_and_attaching_leaves_nothing_half_done(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    store = LocalBackend(folder.as_uri())
    resource = upload(store)
    project = project_of(store, resource)
    store.close()
    with (
        served_by_process(folder) as (url, process),
        httpx.Client(base_url=url, headers={"apikey": ADMIN_KEY}) as client,
    ):
        made = waiting(client, resource)
        process.kill()
        process.wait(timeout=30)
    reopened = LocalBackend(folder.as_uri())
    assert whole(reopened.read_project(project.id)).annotations == {resource.id: []}
    assert reopened.verify() == []
    reopened.close()
    with served_by_process(folder) as (url, _), httpx.Client(base_url=url, headers={"apikey": ADMIN_KEY}) as client:
        place = f"/annotations/{resource.id}/annotations/{made}/file"
        assert client.post(place, files=file_of(picture())).status_code == 200
    reopened = LocalBackend(folder.as_uri())
    assert [each.id for each in whole(reopened.read_project(project.id)).annotations[resource.id]] == [made]
    reopened.close()


def test_a_segmentation_that_waited_for_more_than_a_day_is_swept_away(
    server: Served, admin: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = upload(server.store)
    made = waiting(admin, resource)
    server.store.sweep()
    assert admin.get(f"/annotations/{made}").status_code == 200
    later = server.store.now()
    monkeypatch.setattr("datamint_like.backends.local.clock.a_day_ago", lambda: later)
    server.store.sweep()
    assert admin.get(f"/annotations/{made}").status_code == 404
