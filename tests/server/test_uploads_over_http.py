from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any

import cv2
import httpx
import nibabel as nib
import numpy as np
import pytest

from datamint_like.backends.base import ResourceQuery
from tests.serving import ADMIN_KEY, Served, served

_TEXT = "text/plain"
_ANY = ResourceQuery(limit=5)


def _form(path: Path, mimetype: str, filename: str | None = None, **fields: str) -> list[tuple[str, Any]]:
    """The form of published clients, in their order."""
    texts = {"source_filepath": str(path.absolute()), "mimetype": mimetype, "bypass_inbox": "false", **fields}
    metadata = texts.pop("metadata", None)
    form: list[tuple[str, Any]] = [
        ("source", (None, "api", _TEXT)),
        ("resource", (filename or path.name, path.read_bytes(), mimetype)),
        *((name, (None, value, _TEXT)) for name, value in texts.items()),
    ]
    return form if metadata is None else [*form, ("metadata", (None, metadata, "application/json"))]


def _nothing_left(folder: Path) -> bool:
    return list((folder / "incoming").glob("*.partial")) == []


@pytest.fixture
def samples(tmp_path: Path, demo_images: Path) -> dict[str, Path]:
    """A file of each kind."""
    volume = tmp_path / "v.nii.gz"
    nib.save(nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4)), volume)
    video = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 5, (32, 24))
    for level in range(5):
        writer.write(np.full((24, 32, 3), level * 40, np.uint8))
    writer.release()
    picture = tmp_path / "p.png"
    cv2.imwrite(str(picture), np.zeros((4, 5), np.uint8))
    dicom = min((demo_images / "ct_ge").iterdir())
    return {"dicom": dicom, "nifti": volume, "video": video, "picture": picture}


@pytest.mark.parametrize(
    ("kind", "mimetype", "storage", "frames"),
    [
        ("dicom", "application/dicom", "DicomResource", 1),
        ("nifti", "application/nifti", "NiftiResource", 4),
        ("video", "video/x-msvideo", "VideoResource", 5),
        ("picture", "image/png", "ImageResource", 1),
    ],
)
def test_a_file_of_each_kind_is_stored_as_it_came(
    admin: httpx.Client, samples: dict[str, Path], kind: str, mimetype: str, storage: str, frames: int
) -> None:
    path = samples[kind]
    made = admin.post("/resources", files=_form(path, mimetype))
    assert made.status_code == 201
    resource = admin.get(f"/resources/{made.json()['id']}").json()
    assert resource["mimetype"] == mimetype
    assert resource["storage"] == storage
    assert resource["metadata"]["frame_count"] == frames
    assert resource["size"] == path.stat().st_size
    assert resource["source_filepath"] == path.name
    assert admin.get(f"/resources/{resource['id']}/file").content == path.read_bytes()


def test_what_the_form_says_of_a_file_is_kept(admin: httpx.Client, samples: dict[str, Path]) -> None:
    form = _form(
        samples["picture"],
        "image/x-own",
        channel="ward 3",
        modality="XA",
        bypass_inbox="true",
        tags="a, b,,",
        metadata='{"dose": 1.5}',
    )
    made = admin.post("/resources", files=form).json()["id"]
    resource = admin.get(f"/resources/{made}").json()
    assert resource["upload_channel"] == "ward 3"
    assert resource["modality"] == "XA"
    assert resource["status"] == "published"
    assert resource["tags"] == ["a", "b"]
    assert resource["metadata"]["dose"] == 1.5
    assert resource["mimetype"] == "image/x-own"
    assert resource["upload_mechanism"] == "api"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("/data/patients/Doe^John/scan.png", "scan.png"),
        ("C:\\patients\\Doe\\scan.png", "scan.png"),
        ("../../outside.png", "outside.png"),
    ],
)
def test_no_folder_of_the_uploader_is_kept(
    server: Served, admin: httpx.Client, samples: dict[str, Path], tmp_path: Path, sent: str, kept: str
) -> None:
    form = _form(samples["picture"], "image/png", filename=sent, source_filepath=sent)
    resource = admin.get(f"/resources/{admin.post('/resources', files=form).json()['id']}").json()
    assert resource["filename"] == resource["source_filepath"] == kept
    server.store.close()
    assert "Doe" not in (tmp_path / "store" / "store.sqlite").read_bytes().decode("latin-1")
    assert not (tmp_path / "outside.png").exists()


@pytest.mark.parametrize(
    "name", ["..", ".", "", "a" * 400 + ".png", "left\x00right.png", "Größe 左.png", "%2e%2e%2fx.png"]
)
def test_any_name_is_only_a_name(admin: httpx.Client, samples: dict[str, Path], tmp_path: Path, name: str) -> None:
    path = samples["picture"]
    form = [("resource", (name or "x", path.read_bytes(), "image/png"))]
    made = admin.post("/resources", files=form)
    assert made.status_code == 201, made.text
    stored = admin.get(f"/resources/{made.json()['id']}").json()["filename"]
    assert stored not in ("", ".", "..")
    assert "/" not in stored
    assert len(stored) <= 255
    assert _nothing_left(tmp_path / "store")


def test_equal_bytes_are_two_resources_of_one_stored_file(
    admin: httpx.Client, samples: dict[str, Path], tmp_path: Path
) -> None:
    ids = {admin.post("/resources", files=_form(samples["picture"], "image/png")).json()["id"] for _ in range(2)}
    assert len(ids) == 2
    assert len(list((tmp_path / "store" / "blobs").glob("*/*"))) == 1


def test_a_form_is_made_once_under_a_key_whatever_its_boundary(admin: httpx.Client, samples: dict[str, Path]) -> None:
    key = {"Idempotency-Key": "upload-1"}
    first, again = (admin.post("/resources", files=_form(samples["picture"], "image/png"), headers=key) for _ in "12")
    assert first.json() == again.json()
    other = admin.post("/resources", files=_form(samples["nifti"], "application/nifti"), headers=key)
    assert other.status_code == 422
    assert admin.get("/resources").json()["totalCount"] == 1


def _body(picture: bytes) -> bytes:
    return (
        b'--B\r\nContent-Disposition: form-data; name="resource"; filename="p.png"\r\n\r\n' + picture + b"\r\n--B--\r\n"
    )


@pytest.mark.parametrize(
    ("content_type", "change", "status"),
    [
        ("multipart/form-data; boundary=B", lambda body: body[:60], 400),
        ("multipart/form-data; boundary=B", lambda body: body[:-9], 400),
        ("multipart/form-data; boundary=B", lambda body: b"no form at all", 400),
        ("multipart/form-data; boundary=B", lambda body: b"", 400),
        ("multipart/form-data; boundary=B", lambda body: body.replace(b'name="resource"; ', b""), 400),
        (
            "multipart/form-data; boundary=B",
            lambda body: body.replace(b"\r\n\r\n", b"\r\nX: " + b"y" * 20000 + b"\r\n\r\n", 1),
            400,
        ),
        ("multipart/form-data; boundary=B", lambda body: body.replace(b'name="resource"', b'name="other"'), 422),
        ("multipart/form-data; boundary=B", lambda body: body.replace(b"IHDR", b"JUNK"), 422),
        ("multipart/form-data", lambda body: body, 400),
        ("multipart/form-data; boundary=" + "b" * 400, lambda body: body, 400),
        ("application/json", lambda body: b"{}", 400),
    ],
)
def test_a_form_that_is_none_is_refused_and_leaves_nothing(
    admin: httpx.Client, samples: dict[str, Path], tmp_path: Path, content_type: str, change: Any, status: int
) -> None:
    body = change(_body(samples["picture"].read_bytes()))
    answer = admin.post("/resources", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == status, answer.text
    assert answer.json()["message"]
    assert _nothing_left(tmp_path / "store")
    assert admin.get("/resources").json()["totalCount"] == 0


@pytest.mark.parametrize(("name", "text"), [("metadata", "{"), ("metadata", "[1]")])
def test_a_field_that_cannot_be_used_is_named(
    admin: httpx.Client, samples: dict[str, Path], name: str, text: str
) -> None:
    answer = admin.post("/resources", files=_form(samples["picture"], "image/png", **{name: text}))
    assert answer.status_code == 422
    assert name in answer.json()["message"]


def test_a_file_beyond_the_limit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with served(tmp_path / "store", max_upload=100_000) as running, running.client(ADMIN_KEY) as client:
        form = [("resource", ("large.png", os.urandom(3_000_000), "image/png"))]
        assert client.post("/resources", files=form).status_code == 413
        begun = client.post("/uploads", json={"size": 100_001, "filename": "x"})
        assert begun.status_code == 413
        assert "The file 'x' has " in begun.json()["message"]
        assert _nothing_left(tmp_path / "store")


def _raw(url: str, head: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(f"{head}\r\nHost: x\r\napikey: {ADMIN_KEY}\r\n".encode())
    return connection


def _wait_until(true: Any) -> None:
    for _ in range(200):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it did not become true within 10 s")


def test_a_client_that_breaks_off_leaves_nothing(server: Served, samples: dict[str, Path], tmp_path: Path) -> None:
    body = _body(os.urandom(3_000_000))
    kind = "Content-Type: multipart/form-data; boundary=B"
    with _raw(server.url, "POST /resources HTTP/1.1") as connection:
        connection.sendall(f"{kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body[:2_000_000])
        incoming = tmp_path / "store" / "incoming"
        _wait_until(lambda: any(incoming.glob("*.partial/*")))
    _wait_until(lambda: _nothing_left(tmp_path / "store"))
    assert server.store.page_of_resources(_ANY)[1] == 0


def test_a_client_that_falls_silent_is_told_so(tmp_path: Path) -> None:
    with served(tmp_path / "store", patience_s=0.2) as running:
        with _raw(running.url, "POST /resources HTTP/1.1") as connection:
            head = "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 1000\r\n\r\n--B\r\n"
            connection.sendall(head.encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 408 ")
        assert _nothing_left(tmp_path / "store")


def test_a_resource_uploaded_by_someone_is_theirs_alone(server: Served, samples: dict[str, Path]) -> None:
    form = _form(samples["picture"], "image/png")
    with server.client(server.user("ana@lab.example")) as ana, server.client(server.user("bo@lab.example")) as bo:
        made = ana.post("/resources", files=form).json()["id"]
        assert ana.get(f"/resources/{made}").json()["created_by"] == "ana@lab.example"
        assert ana.get(f"/resources/{made}/file").status_code == 200
        assert bo.get(f"/resources/{made}/file").status_code == 403
        assert bo.get("/resources").json()["totalCount"] == 0


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("Gr%C3%B6%C3%9Fe%20%22x%22.png", 'Größe "x".png'), ("%2e%2e%2fx.png", "x.png"), ("100%.png", "100%.png")],
)
def test_a_name_that_the_client_quoted_is_kept_as_it_was(
    admin: httpx.Client, samples: dict[str, Path], sent: str, kept: str
) -> None:
    body = _body(samples["picture"].read_bytes()).replace(b'filename="p.png"', f'filename="{sent}"'.encode())
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    made = admin.post("/resources", content=body, headers=headers).json()["id"]
    assert admin.get(f"/resources/{made}").json()["filename"] == kept
