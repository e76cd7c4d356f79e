"""Many resources of a project in one request: all or none, by its owners, of their own whole uploads."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import httpx
import msgspec
import numpy as np
import pytest

from datamint_like.backends.base import NewAnnotation
from tests.serving import ADMIN_KEY, Served, served_by_process


@pytest.fixture
def project(admin: httpx.Client) -> str:
    found: str = admin.post("/projects", json={"name": "many"}).json()["id"]
    return found


def picture(n: int, folder: Path) -> Path:
    path = folder / f"{n}.png"
    cv2.imwrite(str(path), np.full((4, 6), n, np.uint16))
    return path


def uploaded(client: httpx.Client, path: Path, *, size: int | None = None) -> str:
    data = path.read_bytes()
    upload_id: str = client.post("/uploads", json={"size": len(data), "filename": path.name}).json()["id"]
    answer = client.patch(f"/uploads/{upload_id}", content=data[:size], headers={"Upload-Offset": "0"})
    assert answer.status_code == 200, answer.text
    return upload_id


def row(number: int, *uploads: str, **more: Any) -> dict[str, Any]:
    return {"number": number, "uploads": list(uploads), "new": {"filename": f"{number}.png", **more}}


def load(client: httpx.Client, project: str, *rows: Any, **headers: str) -> httpx.Response:
    return client.post(f"/projects/{project}/resources/from-uploads", json={"rows": list(rows)}, headers=headers)


def members(server: Served, project: str) -> list[str]:
    return [each.id for each in server.store.list_project_resources(project)]


def test_rows_are_made_in_order_and_their_uploads_are_used_up(
    server: Served, admin: httpx.Client, project: str, tmp_path: Path
) -> None:
    said = [{"type": "label", "identifier": "benign", "author": "ana@lab.example"}]
    uploads = [uploaded(admin, picture(n, tmp_path)) for n in range(3)]
    answer = load(admin, project, *(row(n, each, annotations=said) for n, each in enumerate(uploads)))
    assert answer.status_code == 201, answer.text
    assert answer.json() == {"ids": members(server, project)}
    assert {admin.get(f"/uploads/{each}").status_code for each in uploads} == {404}
    twice = [uploaded(admin, picture(n, tmp_path)) for n in (2, 7, 7)]
    made = load(admin, project, *(row(n, each) for n, each in enumerate(twice))).json()["ids"]
    assert made == [None, members(server, project)[-1], None]
    assert {admin.get(f"/uploads/{each}").status_code for each in twice} == {404}
    assert server.store.verify() == []


def test_a_request_that_is_made_again_under_its_key_is_answered_as_it_was(
    server: Served, admin: httpx.Client, project: str, tmp_path: Path
) -> None:
    rows = [row(n, uploaded(admin, picture(n, tmp_path))) for n in range(3)]
    first, again = (load(admin, project, *rows, **{"Idempotency-Key": "one"}) for _ in range(2))
    assert (again.status_code, again.content) == (201, first.content)
    assert len(members(server, project)) == 3
    assert load(admin, project, *rows[:2], **{"Idempotency-Key": "one"}).status_code == 422
    assert load(admin, project, *rows).status_code == 404


FAULTS = ("half a file", "no file", "an unknown upload", "no image", "an unknown worklist", "another project")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_row_that_does_not_fit_is_named_and_all_uploads_stay(
    server: Served, admin: httpx.Client, project: str, tmp_path: Path, fault: str
) -> None:
    good, path = uploaded(admin, picture(0, tmp_path)), picture(1, tmp_path)
    (tmp_path / "notes.txt").write_text("no image")
    bad = {
        "half a file": lambda: row(17, uploaded(admin, path, size=9)),
        "no file": lambda: row(17),
        "an unknown upload": lambda: row(17, "00000000-0000-0000-0000-000000000000"),
        "no image": lambda: row(17, uploaded(admin, tmp_path / "notes.txt")),
        "an unknown worklist": lambda: row(
            17, uploaded(admin, path), annotations=[{"type": "label", "identifier": "x", "worklist_id": "none"}]
        ),
        "another project": lambda: row(17, uploaded(admin, path), project_id="another"),
    }[fault]()
    answer = load(admin, project, row(16, good), bad)
    assert answer.status_code == (404 if "unknown" in fault else 422), answer.text
    assert answer.json()["message"].startswith("Row 17 ('17.png'): ")
    assert members(server, project) == []
    assert server.store.blobs().digests() == []
    assert admin.get(f"/uploads/{good}").status_code == 200


def test_an_upload_is_named_once_in_a_request(admin: httpx.Client, project: str, tmp_path: Path) -> None:
    one, other = (uploaded(admin, picture(n, tmp_path)) for n in range(2))
    for rows in ([row(5, other), row(6, one, one)], [row(5, one), row(6, one)], [row(6, *[one] * 70_000)]):
        answer = load(admin, project, *rows)
        assert (answer.status_code, answer.json()["message"][:17]) == (422, "Row 6 ('6.png'): ")
        assert "named twice" in answer.json()["message"]
    body = {"uploads": [one, one], "new": {"filename": "x.png"}}
    assert admin.post("/resources/from-uploads", json=body).status_code == 422
    assert {admin.get(f"/uploads/{each}").status_code for each in (one, other)} == {200}


BODIES: list[Any] = [
    None,
    [],
    {},
    {"rows": None},
    {"rows": [None]},
    {"rows": [{}]},
    {"rows": [{"number": "x", "uploads": [], "new": {"filename": "x"}}]},
    {"rows": [{"number": 0, "uploads": "x", "new": {"filename": "x"}}]},
    {"rows": [{"number": 0, "uploads": [7], "new": {"filename": "x"}}]},
    {"rows": [{"number": 0, "uploads": [], "new": {}}]},
    {"rows": [{"number": 0, "uploads": [], "new": {"filename": "x", "tags": "a"}}]},
    {"rows": [{"number": 0, "uploads": [], "new": {"filename": "x", "annotations": [{}]}}]},
]


def test_a_body_that_is_none_is_refused(admin: httpx.Client, project: str) -> None:
    place, kind = f"/projects/{project}/resources/from-uploads", {"Content-Type": "application/msgpack"}
    for body in BODIES:
        assert admin.post(place, json=body).status_code == 422, body
        assert admin.post(place, content=msgspec.msgpack.encode(body), headers=kind).status_code == 422, body
    assert admin.post(place, content=b"\x81\xa4rows\xdd\xff\xff\xff\xff", headers=kind).status_code == 422
    for files in (None, "x", [None], ["0" * 64], [["0" * 63]], [["A" * 64]], [[7]]):
        held = admin.post(f"/projects/{project}/resources/held", json={"files": files})
        assert held.status_code == 422, files


def test_a_request_has_a_hundred_thousand_rows_at_most(admin: httpx.Client, project: str) -> None:
    asked = [[f"{n:064x}"] for n in range(100_001)]
    answer = admin.post(f"/projects/{project}/resources/held", json={"files": asked})
    assert (answer.status_code, "100000" in answer.json()["message"]) == (422, True)
    assert len(admin.post(f"/projects/{project}/resources/held", json={"files": asked[1:]}).json()["held"]) == 100_000
    nothing = row(0, "00000000-0000-0000-0000-000000000000")
    assert load(admin, project, *[nothing] * 100_001).status_code == 422


def test_no_rows_are_nothing(server: Served, admin: httpx.Client, project: str) -> None:
    revision = server.store.project_revision(project)
    answer = load(admin, project)
    assert (answer.status_code, answer.json()) == (201, {"ids": []})
    assert server.store.project_revision(project) == revision


def test_what_is_held_is_told_by_digests_in_any_order(
    admin: httpx.Client, project: str, demo_images: Path, tmp_path: Path
) -> None:
    files = sorted((demo_images / "ct_ge").iterdir())
    one = picture(1, tmp_path)
    ids = [uploaded(admin, path) for path in files]
    load(admin, project, row(0, *ids), row(1, uploaded(admin, one)))
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    alone = hashlib.sha256(one.read_bytes()).hexdigest()
    asked = [digests[::-1], digests[1:], [alone], [alone, alone], [], ["0" * 64], *([f"{n:064x}"] for n in range(5000))]
    answer = admin.post(f"/projects/{project}/resources/held", json={"files": asked})
    assert answer.json() == {"held": [True, False, True, *[False] * 5003]}
    other = admin.post("/projects", json={"name": "other"}).json()["id"]
    assert admin.post(f"/projects/{other}/resources/held", json={"files": [[alone]]}).json() == {"held": [False]}


def test_owners_load_of_their_own_uploads_and_readers_ask(
    server: Served, admin: httpx.Client, project: str, tmp_path: Path
) -> None:
    with server.client(server.user("ana@lab.example")) as ana:
        place = f"/projects/{project}/resources/held"
        assert ana.post(place, json={"files": []}).status_code == 403
        for role, may_load in (("PROJECT_READER", 403), ("PROJECT_ANNOTATOR", 403), ("PROJECT_OWNER", 201)):
            admin.post(f"/projects/{project}/members/ana@lab.example", json={"roles": [role]})
            assert ana.post(place, json={"files": []}).status_code == 200
            assert ana.post(place, json={"files": [], "to_load": True}).status_code == (403 if may_load == 403 else 200)
            assert load(ana, project, row(0, uploaded(ana, picture(1, tmp_path)))).status_code == may_load
        (made,) = server.store.list_project_resources(project)
        assert made.created_by == "ana@lab.example"
        assert load(ana, project, row(0, uploaded(admin, picture(2, tmp_path)))).status_code == 404


def test_annotations_go_only_into_worklists_that_their_maker_may_use(
    server: Served, admin: httpx.Client, project: str, tmp_path: Path
) -> None:
    admin.post("/projects", json={"name": "theirs"})
    theirs = server.store.find_project("theirs")
    assert theirs is not None
    with server.client(server.user("ana@lab.example")) as ana:
        admin.post(f"/projects/{project}/members/ana@lab.example", json={"roles": ["PROJECT_OWNER"]})
        said = msgspec.to_builtins(NewAnnotation("label", "benign", worklist_id=theirs.worklist_id))
        answer = load(ana, project, row(0, uploaded(ana, picture(1, tmp_path)), annotations=[said]))
        assert answer.status_code == 403, answer.text
        for worklist_id, status in ((theirs.worklist_id, 403), ("none", 404)):
            other = msgspec.to_builtins(NewAnnotation("label", "benign", worklist_id=worklist_id))
            files = [uploaded(ana, picture(n, tmp_path)) for n in (1, 2)]
            answer = load(ana, project, row(0, files[0]), row(1, files[1], annotations=[other]))
            assert (answer.status_code, answer.json()["message"][:16]) == (status, "Row 1 ('1.png'):")
    assert members(server, project) == []


def test_the_audit_log_names_what_was_made(tmp_path: Path) -> None:
    with served_by_process(tmp_path / "store") as (url, _), httpx.Client(base_url=url) as client:
        client.headers["apikey"] = ADMIN_KEY
        project = client.post("/projects", json={"name": "many"}).json()["id"]
        uploads = [uploaded(client, picture(n, tmp_path)) for n in range(2)]
        made = load(client, project, *(row(n, each) for n, each in enumerate(uploads))).json()["ids"]
        *_, last = (tmp_path / "store" / "audit.jsonl").read_text().splitlines()
    assert json.loads(last)["ids"] == [project, *made]


def test_hundreds_of_rows_are_one_step(server: Served, admin: httpx.Client, project: str, tmp_path: Path) -> None:
    data, owner = picture(1, tmp_path).read_bytes(), server.store.current_user().email
    uploads = [server.store.pending.begin(owner, "1.png", len(data), None) for _ in range(300)]
    for each in uploads:
        each.path.write_bytes(data)
    answer = load(admin, project, *(row(n, each.id) for n, each in enumerate(uploads)))
    assert answer.json()["ids"] == [*members(server, project), *[None] * 299]
