from __future__ import annotations

import base64
import hashlib
import os
import socket
import time
from pathlib import Path
from typing import Any

import cv2
import httpx
import msgspec
import nibabel as nib
import numpy as np
import pytest

from datamint_like.backends.base import NewAnnotation
from datamint_like.entities import Resource
from datamint_like.server.tidying import Tidying
from datamint_like.testing.contents import whole
from tests.serving import ADMIN_KEY, Served, served

_DAY_S = 24 * 3600


def _begin(client: httpx.Client, data: bytes, filename: str = "x.png", *, digest: bool = True) -> str:
    sha256 = hashlib.sha256(data).hexdigest() if digest else None
    answer = client.post("/uploads", json={"size": len(data), "filename": filename, "sha256": sha256})
    assert answer.status_code == 200, answer.text
    upload_id: str = answer.json()["id"]
    assert answer.json() == {"id": upload_id, "offset": 0, "size": len(data)}
    return upload_id


def _send(client: httpx.Client, upload_id: str, data: bytes, offset: int = 0) -> httpx.Response:
    return client.patch(f"/uploads/{upload_id}", content=data, headers={"Upload-Offset": str(offset)})


def _aged(folder: Path) -> Path:
    """The folder of an upload, as if nothing had come for a day."""
    long_ago = time.time() - _DAY_S - 60
    for path in (*folder.iterdir(), folder):
        os.utime(path, (long_ago, long_ago))
    return folder


def _whole(client: httpx.Client, path: Path) -> str:
    upload_id = _begin(client, path.read_bytes(), path.name)
    assert _send(client, upload_id, path.read_bytes()).status_code == 200
    return upload_id


def test_a_file_comes_in_pieces_and_becomes_a_resource(admin: httpx.Client, picture: Path, tmp_path: Path) -> None:
    data = picture.read_bytes()
    upload_id = _begin(admin, data, "picture.png")
    assert _send(admin, upload_id, data[:30]).json()["offset"] == 30
    assert admin.get(f"/uploads/{upload_id}").json() == {"id": upload_id, "offset": 30, "size": len(data)}
    assert _send(admin, upload_id, data[30:], 30).json()["offset"] == len(data)
    body = {"uploads": [upload_id], "new": {"filename": "mine.png", "tags": ["a"], "publish": True}}
    made = admin.post("/resources/from-uploads", json=body)
    assert made.status_code == 201
    assert made.json()["made"] is True
    resource = Resource.from_dict(made.json()["resource"])
    assert (resource.filename, resource.tags, resource.status) == ("mine.png", ("a",), "published")
    assert admin.get(f"/resources/{resource.id}/file").content == data
    assert admin.get(f"/uploads/{upload_id}").status_code == 404
    assert not any((tmp_path / "store" / "incoming" / "uploads").iterdir())


def test_a_piece_that_does_not_begin_at_the_end_tells_where_that_is(admin: httpx.Client, picture: Path) -> None:
    data = picture.read_bytes()
    upload_id = _begin(admin, data)
    _send(admin, upload_id, data[:30])
    for offset in (0, 29, 31):
        answer = _send(admin, upload_id, data[30:40], offset)
        assert (answer.status_code, answer.json()["offset"]) == (409, 30)
    assert admin.get(f"/uploads/{upload_id}").json()["offset"] == 30


@pytest.mark.parametrize("header", [{}, {"Upload-Offset": "-1"}, {"Upload-Offset": "x"}, {"Upload-Offset": "9" * 30}])
def test_a_piece_says_where_it_begins(admin: httpx.Client, header: dict[str, str]) -> None:
    upload_id = _begin(admin, b"abc")
    assert admin.patch(f"/uploads/{upload_id}", content=b"a", headers=header).status_code == 422


def test_more_than_was_announced_is_refused(admin: httpx.Client) -> None:
    upload_id = _begin(admin, b"abc")
    assert _send(admin, upload_id, b"abcd").status_code == 422
    unannounced = admin.patch(f"/uploads/{upload_id}", content=iter([b"ab", b"cd"]), headers={"Upload-Offset": "0"})
    assert unannounced.status_code == 422
    assert admin.get(f"/uploads/{upload_id}").json()["offset"] == 0


def test_other_bytes_than_the_digest_says_are_refused_and_dropped(admin: httpx.Client) -> None:
    upload_id = _begin(admin, b"abc")
    answer = _send(admin, upload_id, b"abd")
    assert (answer.status_code, answer.json()["kind"]) == (422, "ValidationError")
    assert admin.get(f"/uploads/{upload_id}").status_code == 404


@pytest.mark.parametrize("said", [{"size": -1}, {"size": "x"}, {"sha256": "abc"}, {"filename": 7}])
def test_a_file_that_cannot_be_is_refused_before_it_comes(admin: httpx.Client, said: dict[str, Any]) -> None:
    assert admin.post("/uploads", json={"size": 3, "filename": "x", **said}).status_code == 422


@pytest.mark.parametrize("upload_id", ["x", "..", "%2e%2e%2fuploads", "00000000-0000-0000-0000-000000000000"])
def test_an_unknown_upload_is_not_found(admin: httpx.Client, upload_id: str) -> None:
    for answer in (
        admin.get(f"/uploads/{upload_id}"),
        _send(admin, upload_id, b""),
        admin.delete(f"/uploads/{upload_id}"),
    ):
        assert answer.status_code == 404
    body = {"uploads": [upload_id], "new": {"filename": "x"}}
    assert admin.post("/resources/from-uploads", json=body).status_code == 404


def test_an_upload_is_its_owners_alone(server: Served, admin: httpx.Client) -> None:
    upload_id = _begin(admin, b"abc")
    with server.client(server.user("ana@lab.example")) as ana:
        assert ana.get(f"/uploads/{upload_id}").status_code == 404
        assert _send(ana, upload_id, b"abc").status_code == 404
        assert ana.delete(f"/uploads/{upload_id}").status_code == 404
        body = {"uploads": [upload_id], "new": {"filename": "x"}}
        assert ana.post("/resources/from-uploads", json=body).status_code == 404


def test_an_upload_that_is_dropped_is_gone(admin: httpx.Client, tmp_path: Path) -> None:
    upload_id = _begin(admin, b"abc")
    assert admin.delete(f"/uploads/{upload_id}").status_code == 200
    assert admin.get(f"/uploads/{upload_id}").status_code == 404
    assert not any((tmp_path / "store" / "incoming" / "uploads").iterdir())


def test_an_upload_is_kept_for_a_day_from_its_last_piece(server: Served, admin: httpx.Client, tmp_path: Path) -> None:
    old, young = _begin(admin, b"abc"), _begin(admin, b"abc")
    _aged(tmp_path / "store" / "incoming" / "uploads" / old)
    server.store.tidy()
    assert admin.get(f"/uploads/{old}").status_code == 404
    assert admin.get(f"/uploads/{young}").status_code == 200


def test_old_uploads_are_removed_while_the_server_runs(server: Served, admin: httpx.Client, tmp_path: Path) -> None:
    folder = tmp_path / "store" / "incoming" / "uploads"
    now = [1000.0]
    tidying = Tidying(clock=lambda: now[0])
    tidying.when_due(server.store)
    old = _aged(folder / _begin(admin, b"abc"))
    for later, left in ((3599.0, True), (3601.0, False)):
        now[0] = 1000.0 + later
        tidying.when_due(server.store)
        assert old.exists() is left


def test_when_another_upload_begins_old_ones_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datamint_like.server.tidying.EVERY_S", 0.0)
    with served(tmp_path / "store") as server, server.client() as admin:
        first, old = _begin(admin, b"abc"), _begin(admin, b"abc")
        _aged(tmp_path / "store" / "incoming" / "uploads" / old)
        second = _begin(admin, b"abc")
        assert admin.get(f"/uploads/{old}").status_code == 404
        assert {admin.get(f"/uploads/{each}").status_code for each in (first, second)} == {200}


def test_a_resource_is_made_of_whole_uploads_only(admin: httpx.Client, picture: Path) -> None:
    data = picture.read_bytes()
    upload_id = _begin(admin, data)
    _send(admin, upload_id, data[:30])
    answer = admin.post("/resources/from-uploads", json={"uploads": [upload_id], "new": {"filename": "x.png"}})
    assert answer.status_code == 422
    assert f"30 of {len(data)}" in answer.json()["message"]
    assert admin.get(f"/uploads/{upload_id}").json()["offset"] == 30


def test_nothing_is_made_of_no_files(admin: httpx.Client) -> None:
    for more in ({}, {"anonymize": True}):
        answer = admin.post("/resources/from-uploads", json={"uploads": [], "new": {"filename": "x.png"}, **more})
        assert (answer.status_code, "has no files" in answer.json()["message"]) == (422, True)


def test_a_series_is_made_of_its_files_in_any_order(admin: httpx.Client, demo_images: Path) -> None:
    paths = sorted((demo_images / "ct_ge").iterdir())[:4]
    uploads = [_whole(admin, path) for path in (paths[2], paths[0], paths[3], paths[1])]
    body = {"uploads": uploads, "new": {"filename": "series.dcm"}}
    series = admin.post("/resources/from-uploads", json=body).json()["resource"]
    parts = admin.post("/resources/parts", json={"resource_ids": [series["id"]]}).json()[series["id"]]
    assert [part["filename"] for part in parts] in ([p.name for p in paths], [p.name for p in reversed(paths)])
    assert series["metadata"]["frame_count"] == 4


def test_files_of_one_name_are_files_of_their_own(admin: httpx.Client, demo_images: Path) -> None:
    paths = sorted((demo_images / "ct_ge").iterdir())[:3]
    uploads = []
    for path in paths:
        upload_id = _begin(admin, path.read_bytes(), "IM.dcm")
        _send(admin, upload_id, path.read_bytes())
        uploads.append(upload_id)
    answer = admin.post("/resources/from-uploads", json={"uploads": uploads, "new": {"filename": "series.dcm"}})
    assert answer.json()["resource"]["metadata"]["frame_count"] == 3


def test_a_resource_comes_with_its_annotations_and_masks_or_not_at_all(
    server: Served, admin: httpx.Client, tmp_path: Path
) -> None:
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    volume, labels = tmp_path / "v.nii.gz", tmp_path / "m.nii.gz"
    nib.save(nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), affine), volume)
    nib.save(nib.Nifti1Image(np.eye(2, 3, dtype=np.uint8)[..., None].repeat(4, 2), affine), labels)
    mask = {
        "payload": labels.read_bytes(),
        "names": {1: "lesion"},
        "template": {"type": "segmentation", "identifier": ""},
    }
    new = {
        "filename": "v.nii.gz",
        "annotations": [{"type": "label", "identifier": "benign", "author": "r1@lab.example"}],
        "volume_masks": [mask],
    }
    kind = {"Content-Type": "application/msgpack"}
    body = msgspec.msgpack.encode({"uploads": [_whole(admin, volume)], "new": new})
    made = admin.post("/resources/from-uploads", content=body, headers=kind).json()["resource"]
    found = whole(server.store.read_resources([made["id"]])).annotations[made["id"]]
    assert [(each.annotation_type, each.identifier) for each in found] == [
        ("label", "benign"),
        ("segmentation", "lesion"),
    ]

    bad = {**new, "annotations": [{"type": "nonsense", "identifier": "x"}]}
    upload = _whole(admin, volume)
    as_json = {
        "uploads": [upload],
        "new": {**bad, "volume_masks": [{**mask, "payload": base64.b64encode(b"x").decode()}]},
    }
    assert admin.post("/resources/from-uploads", json=as_json).status_code == 422
    assert admin.get("/resources").json()["totalCount"] == 1
    assert admin.get(f"/uploads/{upload}").status_code == 200


def test_once_gives_the_resource_that_the_project_has(admin: httpx.Client, picture: Path) -> None:
    project = admin.post("/projects", json={"name": "a"}).json()["id"]
    answers = []
    for _ in range(2):
        body = {"uploads": [_whole(admin, picture)], "new": {"filename": "p.png", "project_id": project}, "once": True}
        answers.append(admin.post("/resources/from-uploads", json=body).json())
    assert [each["made"] for each in answers] == [True, False]
    assert answers[0]["resource"]["id"] == answers[1]["resource"]["id"]


def test_repeated_under_its_key_it_answers_although_the_uploads_are_used(admin: httpx.Client, picture: Path) -> None:
    body = {"uploads": [_whole(admin, picture)], "new": {"filename": "p.png"}}
    first, again = (
        admin.post("/resources/from-uploads", json=body, headers={"Idempotency-Key": "one"}) for _ in range(2)
    )
    assert (again.status_code, again.json()) == (201, first.json())
    assert admin.post("/resources/from-uploads", json=body).status_code == 404


def test_only_an_owner_puts_a_resource_into_a_project(server: Served, admin: httpx.Client, picture: Path) -> None:
    project = admin.post("/projects", json={"name": "a"}).json()["id"]
    with server.client(server.user("ana@lab.example")) as ana:
        for role, status in (("PROJECT_ANNOTATOR", 403), ("PROJECT_OWNER", 201)):
            admin.post(f"/projects/{project}/members/ana@lab.example", json={"roles": [role]})
            body = {"uploads": [_whole(ana, picture)], "new": {"filename": "p.png", "project_id": project}}
            assert ana.post("/resources/from-uploads", json=body).status_code == status


def test_an_annotation_goes_only_into_a_worklist_that_its_maker_may_use(
    server: Served, admin: httpx.Client, picture: Path
) -> None:
    project = admin.post("/projects", json={"name": "a"}).json()["id"]
    (worklist,) = admin.get(f"/projects/{project}/worklists").json()
    said = msgspec.to_builtins(NewAnnotation("label", "benign", worklist_id=worklist["id"]))
    with server.client(server.user("ana@lab.example")) as ana:
        body = {"uploads": [_whole(ana, picture)], "new": {"filename": "p.png", "annotations": [said]}}
        assert ana.post("/resources/from-uploads", json=body).status_code == 403


def test_a_picture_of_many_pieces_is_the_same_picture(admin: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    cv2.imwrite(str(path), np.random.default_rng(1).integers(0, 255, (1200, 1500), dtype=np.uint8))
    data = path.read_bytes()
    upload_id = _begin(admin, data, digest=False)
    at = 0
    while at < len(data):
        at = _send(admin, upload_id, data[at : at + 300_000], at).json()["offset"]
    body = {"uploads": [upload_id], "new": {"filename": "large.png"}}
    made = admin.post("/resources/from-uploads", json=body).json()["resource"]
    assert made["sha256"] == hashlib.sha256(data).hexdigest()


def test_what_arrived_of_a_piece_that_broke_off_stays(server: Served, admin: httpx.Client) -> None:
    data = os.urandom(600_000)
    upload_id = _begin(admin, data)
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"PATCH /uploads/{upload_id} HTTP/1.1\r\nHost: x\r\napikey: {ADMIN_KEY}\r\nUpload-Offset: 0\r\n"
        connection.sendall(f"{head}Content-Length: 600000\r\n\r\n".encode() + data[:400_000])
        for _ in range(200):
            if admin.get(f"/uploads/{upload_id}").json()["offset"] > 0:
                break
            time.sleep(0.05)
        busy = _send(admin, upload_id, data[:10])
        assert busy.status_code == 409
    for _ in range(200):
        offset = admin.get(f"/uploads/{upload_id}").json()["offset"]
        if offset == 400_000:
            break
        time.sleep(0.05)
    assert offset == 400_000
    assert _send(admin, upload_id, data[offset:], offset).json()["offset"] == len(data)
