"""Nothing is made of a file whose digest was not compared, or that is gone, whatever happened at its last byte."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from datamint_like.backends.local.pending import PendingUpload, Piece


def picture(n: int = 0) -> bytes:
    noise = np.random.default_rng(n).integers(0, 255, (600, 800), np.uint8)
    data: bytes = cv2.imencode(".png", noise)[1].tobytes()
    return data


def begun(client: httpx.Client, data: bytes, sha256: str | None) -> str:
    said = {"size": len(data), "filename": "x.png", "sha256": sha256}
    upload_id: str = client.post("/uploads", json=said).json()["id"]
    return upload_id


def sent(client: httpx.Client, upload_id: str, data: bytes | Iterator[bytes]) -> httpx.Response:
    return client.patch(f"/uploads/{upload_id}", content=data, headers={"Upload-Offset": "0"})


@pytest.fixture(params=["one", "many"])
def route(request: pytest.FixtureRequest, admin: httpx.Client) -> tuple[str, Any]:
    """Both ways to make something of an upload."""
    if request.param == "one":
        return "/resources/from-uploads", lambda some: {"uploads": some, "new": {"filename": "x.png"}}
    project = admin.post("/projects", json={"name": "p"}).json()["id"]
    place = f"/projects/{project}/resources/from-uploads"
    return place, lambda some: {"rows": [{"number": 7, "uploads": some, "new": {"filename": "x.png"}}]}


def test_a_digest_that_a_killed_server_did_not_compare_is_compared_before_use(
    admin: httpx.Client, route: tuple[str, Any], tmp_path: Path
) -> None:
    (place, body), data = route, picture()
    for sha256, status in (("0" * 64, 422), (hashlib.sha256(data).hexdigest(), 201)):
        upload_id = begun(admin, data, sha256)
        (tmp_path / "store" / "incoming" / "uploads" / upload_id / "data").write_bytes(data)  # all that it left
        answer = admin.post(place, json=body([upload_id]))
        assert answer.status_code == status, answer.text
        assert admin.get(f"/uploads/{upload_id}").status_code == 404
    assert admin.get("/resources").json()["totalCount"] == 1


def test_a_digest_is_compared_although_the_last_piece_has_not_ended(
    admin: httpx.Client, route: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (place, body), data, answers = route, picture(), []
    upload_id = begun(admin, data, "0" * 64)
    keep = Piece.keep

    def keep_and_use(piece: Piece) -> None:
        keep(piece)
        with httpx.Client(base_url=admin.base_url, headers=admin.headers, timeout=30) as other:
            answers.append(other.post(place, json=body([upload_id])))

    monkeypatch.setattr(Piece, "keep", keep_and_use)
    assert sent(admin, upload_id, data).status_code == 404
    assert [each.status_code for each in answers] == [422]
    assert "SHA-256" in answers[0].json()["message"]
    assert admin.get("/resources").json()["totalCount"] == 0


def test_a_file_that_was_compared_is_not_read_again(
    admin: httpx.Client, route: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (place, body), data = route, picture()
    upload_id = begun(admin, data, hashlib.sha256(data).hexdigest())
    assert sent(admin, upload_id, data).status_code == 200
    monkeypatch.setattr("datamint_like.backends.local.pending.sha256_of", None)
    assert admin.post(place, json=body([upload_id])).status_code == 201


def test_an_upload_that_is_dropped_while_a_piece_comes_is_not_found(admin: httpx.Client) -> None:
    data = os.urandom(300_000)
    upload_id = begun(admin, data, None)

    def halves() -> Iterator[bytes]:
        yield data[:150_000]
        admin.delete(f"/uploads/{upload_id}")
        yield data[150_000:]

    with httpx.Client(base_url=admin.base_url, headers=admin.headers, timeout=30) as other:
        assert sent(other, upload_id, halves()).status_code == 404


@pytest.mark.parametrize("moment", ["offset", "check"])
def test_an_upload_that_is_dropped_while_a_resource_is_made_is_not_found(
    admin: httpx.Client, route: tuple[str, Any], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    (place, body), data = route, picture()
    upload_id = begun(admin, data, None)
    assert sent(admin, upload_id, data).status_code == 200
    if moment == "check":
        monkeypatch.setattr(PendingUpload, "check", PendingUpload.remove)
    else:
        monkeypatch.setattr(PendingUpload, "path", property(lambda of: of.folder / "gone"))
    assert admin.post(place, json=body([upload_id])).status_code == 404
