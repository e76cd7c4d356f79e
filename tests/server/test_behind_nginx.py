"""The nginx block of docs/server.md, as it stands there, in front of a real server."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import nibabel as nib
import numpy as np
import pytest

from datamint_like import Api, VolumeDataset
from datamint_like.backends import open_backend
from datamint_like.backends.base import NewProject, NewResource
from datamint_like.entities import Resource
from tests.servers.nginx import nginx
from tests.serving import ADMIN_KEY, Served, served

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "server.md").read_text(encoding="utf-8")
(BLOCK,) = re.findall(r"^```nginx\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def volume_file(path: Path, shape: tuple[int, int, int]) -> Path:
    values = np.random.default_rng(7).integers(0, 255, shape, dtype=np.uint8)
    nib.save(nib.Nifti1Image(values, np.eye(4)), path)
    return path


@dataclass(frozen=True)
class Front:
    """A server behind nginx, and a resource of one file in its store."""

    url: str
    behind: Served
    resource: Resource
    data: bytes

    def client(self, key: str | None = ADMIN_KEY) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"apikey": key} if key else {}, timeout=30)

    @property
    def file(self) -> str:
        return f"/resources/{self.resource.id}/file"


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("nginx")
    with served(folder / "store", accel_prefix="/stored") as behind:
        path = volume_file(folder / "large.nii", (40, 200, 200))
        resource = behind.store.create_resource(NewResource((path,), "large.nii"))
        block = BLOCK.replace("http://127.0.0.1:8100", behind.url).replace("/data/store/", f"{folder}/store/")
        assert behind.url in block
        assert f"{folder}/store/" in block
        with nginx(folder / "nginx", block) as url:
            yield Front(url, behind, resource, path.read_bytes())


def test_a_whole_file_is_sent_by_nginx_as_the_server_would(front: Front) -> None:
    with front.client() as client, front.behind.client() as direct:
        answer = client.get(front.file)
        redirect = direct.get(front.file)
        assert (redirect.content, "x-accel-redirect" in redirect.headers) == (b"", True)
        assert answer.content == front.data
        digest = hashlib.sha256(front.data)
        assert answer.headers["etag"] == f'"{digest.hexdigest()}"'
        assert answer.headers["digest"] == f"sha-256={base64.b64encode(digest.digest()).decode()}"
        assert answer.headers["content-length"] == str(len(front.data))
        assert "x-accel-redirect" not in answer.headers
        for name in ("content-type", "content-disposition", "cache-control", "x-content-type-options"):
            assert answer.headers[name] == redirect.headers[name], name
        head = client.head(front.file)
        assert (head.headers["content-length"], head.headers["etag"]) == (
            str(len(front.data)),
            answer.headers["etag"],
        )


def test_ranges_and_conditions_hold(front: Front) -> None:
    etag = f'"{front.resource.sha256}"'
    with front.client() as client:
        part = client.get(front.file, headers={"Range": "bytes=100-299"})
        assert (part.status_code, part.content) == (206, front.data[100:300])
        assert part.headers["content-range"] == f"bytes 100-299/{len(front.data)}"
        rest = client.get(front.file, headers={"Range": f"bytes={len(front.data) - 9}-", "If-Range": etag})
        assert (rest.status_code, rest.content) == (206, front.data[-9:])
        whole = client.get(front.file, headers={"Range": "bytes=5-", "If-Range": '"another"'})
        assert (whole.status_code, whole.content) == (200, front.data)
        assert client.get(front.file, headers={"If-None-Match": etag}).status_code == 304
        assert client.get(front.file, headers={"Range": f"bytes={len(front.data)}-"}).status_code == 416


def test_nobody_gets_a_file_by_its_place_or_without_a_key(front: Front) -> None:
    digest = front.resource.sha256 or ""
    place = f"blobs/{digest[:2]}/{digest}"
    paths = [f"/stored/{place}", "/stored/store.sqlite", f"/stored/../stored/{place}", f"/x/../stored/{place}"]
    paths += ["/stored/%2e%2e/store/store.sqlite", f"//stored/{place}", f"/stored%2f{place}", "/stored../store.sqlite"]
    for key in (ADMIN_KEY, None):
        for path in paths:
            status, body = raw(front.url, path, key, {"X-Accel-Redirect": f"/stored/{place}"})
            assert status in (400, 401, 404), path
            assert front.data[:64] not in body
            assert b"SQLite format" not in body
    with front.client(None) as stranger:
        assert stranger.get(front.file, headers={"X-Accel-Redirect": f"/stored/{place}"}).status_code == 401
    outsider = front.behind.user("outsider@lab.example")
    with front.client(outsider) as client:
        assert client.get(front.file).status_code in (403, 404)


def raw(url: str, path: str, key: str | None, headers: dict[str, str]) -> tuple[int, bytes]:
    """Status and all bytes of an answer to a path that no client makes tidy first."""
    at = urlsplit(url)
    lines = [f"GET {path} HTTP/1.1", f"Host: {at.netloc}", "Connection: close"]
    lines += [f"apikey: {key}"] if key else []
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection((at.hostname or "", at.port or 0), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        with connection.makefile("rb") as file:
            answer = file.read()
    return int(answer.split()[1]), answer


def test_uploads_streams_and_datasets_pass(front: Front, demo_images: Path, tmp_path: Path) -> None:
    files = sorted((demo_images / "ct_philips").iterdir())[:6]
    with Api(server_url=front.url, api_key=ADMIN_KEY) as api:
        large = volume_file(tmp_path / "twenty.nii", (500, 200, 200))  # in pieces of 8 MiB
        made = api.resources.upload_resource(str(large))
        series = api.resources.upload_resources([str(each) for each in files], assemble_dicoms=True).resource_ids
        project = api.projects.create("behind", resources_ids=[made, *series], exists_ok=True)
        assert project
    here = {"server_url": front.behind.store.url, "cache_dir": tmp_path / "here"}
    there = {"server_url": front.url, "api_key": ADMIN_KEY, "cache_dir": tmp_path / "there"}
    dataset, same = VolumeDataset("behind", **there), VolumeDataset("behind", **here)
    assert dataset.prefetch().files == 7
    for left, right in zip(dataset, same, strict=True):
        assert np.array_equal(left["image"], right["image"])
    assert dataset.fingerprint == same.fingerprint
    backend = open_backend(front.url, api_key=ADMIN_KEY, cache_dir=tmp_path / "b")
    backend.create_project(NewProject(name="made through nginx"))
    assert front.behind.store.find_project("made through nginx") is not None
    backend.close()
