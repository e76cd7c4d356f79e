from __future__ import annotations

import base64
import gzip
import hashlib
import io
from pathlib import Path

import cv2
import httpx
import numpy as np
import pydicom
import pytest

from datamint_like.backends.base import NewAnnotation, NewResource
from datamint_like.dataset import VolumeDataset
from datamint_like.entities import Resource
from datamint_like.slices.packs import Packs
from tests.serving import ADMIN_KEY, Served, served


def _url(resource: Resource) -> str:
    return f"/resources/{resource.id}/file"


def test_a_file_comes_as_it_was_given_with_its_digest(admin: httpx.Client, uploaded: Resource, picture: Path) -> None:
    answer = admin.get(_url(uploaded))
    data = picture.read_bytes()
    digest = hashlib.sha256(data)
    assert answer.content == data
    assert answer.headers["etag"] == f'"{digest.hexdigest()}"'
    assert answer.headers["digest"] == f"sha-256={base64.b64encode(digest.digest()).decode()}"
    assert answer.headers["content-length"] == str(len(data))
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("asked", "status", "span"),
    [
        ("bytes=0-3", 206, (0, 4)),
        ("bytes=4-", 206, (4, None)),
        ("bytes=-5", 206, (-5, None)),
        ("bytes=-100000", 206, (0, None)),
        ("bytes=3-100000", 206, (3, None)),
        ("Bytes = 1 - 2", 206, (1, 3)),
        ("bytes=3-2", 200, (0, None)),
        ("bytes=-", 200, (0, None)),
        ("bytes=a-b", 200, (0, None)),
        ("bytes=0-1,3-4", 200, (0, None)),
        ("pixels=0-3", 200, (0, None)),
        ("bytes=100000-", 416, (0, 0)),
        ("bytes=-0", 416, (0, 0)),
        ("bytes=0-" + "9" * 30, 200, (0, None)),
    ],
)
def test_of_a_range_exactly_its_bytes_come(
    admin: httpx.Client, uploaded: Resource, picture: Path, asked: str, status: int, span: tuple[int, int | None]
) -> None:
    data = picture.read_bytes()
    answer = admin.get(_url(uploaded), headers={"Range": asked})
    assert answer.status_code == status
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{len(data)}"
        assert answer.json()["statusCode"] == 416
        return
    wanted = data[slice(*span)]
    assert answer.content == wanted
    if status == 206:
        start = data.index(wanted) if span[0] >= 0 else len(data) + span[0]
        assert answer.headers["content-range"] == f"bytes {start}-{start + len(wanted) - 1}/{len(data)}"


def test_a_range_of_another_version_gives_the_whole_file(
    admin: httpx.Client, uploaded: Resource, picture: Path
) -> None:
    etag = admin.get(_url(uploaded)).headers["etag"]
    same = admin.get(_url(uploaded), headers={"Range": "bytes=0-3", "If-Range": etag})
    other = admin.get(_url(uploaded), headers={"Range": "bytes=0-3", "If-Range": '"other"'})
    assert (same.status_code, other.status_code) == (206, 200)
    assert other.content == picture.read_bytes()
    assert admin.get(_url(uploaded), headers={"If-None-Match": etag}).status_code == 304


def test_head_tells_length_and_digest_without_bytes(admin: httpx.Client, uploaded: Resource) -> None:
    whole, head = admin.get(_url(uploaded)), admin.head(_url(uploaded))
    assert head.content == b""
    for name in ("content-length", "etag", "digest", "content-type"):
        assert head.headers[name] == whole.headers[name]


def test_a_large_file_comes_whole_and_from_anywhere(server: Served, admin: httpx.Client, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (1500, 2000), dtype=np.uint8)
    path = tmp_path / "large.png"
    cv2.imwrite(str(path), pixels)
    large = server.store.create_resource(NewResource(paths=(path,), filename="large.png"))
    data = path.read_bytes()
    assert len(data) > 2_000_000
    assert admin.get(_url(large)).content == data
    assert admin.get(_url(large), headers={"Range": "bytes=1000000-2100000"}).content == data[1000000:2100001]


def test_each_original_of_a_series_comes_as_it_was_and_the_whole_as_one_file(
    server: Served, admin: httpx.Client, demo_images: Path
) -> None:
    paths = tuple(sorted((demo_images / "ct_ge").iterdir()))[:4]
    series = server.store.create_resource(NewResource(paths=paths, filename="series.dcm"))
    parts = admin.post("/resources/parts", json={"resource_ids": [series.id]}).json()[series.id]
    found = [admin.get(f"/resources/{series.id}/parts/{part['index']}") for part in parts]
    assert {each.content for each in found} == {path.read_bytes() for path in paths}
    assert [hashlib.sha256(each.content).hexdigest() for each in found] == [part["sha256"] for part in parts]
    assert admin.get(f"/resources/{series.id}/parts/4").status_code == 404
    assert admin.get(f"/resources/{series.id}/parts/x").status_code == 422

    whole = admin.get(_url(series))
    assert pydicom.dcmread(io.BytesIO(whole.content)).NumberOfFrames == 4
    assert whole.headers["etag"] == f'"{hashlib.sha256(whole.content).hexdigest()}"'
    again = admin.get(_url(series), headers={"Range": "bytes=5000-"})
    assert again.content == whole.content[5000:]


def test_a_file_of_an_annotation_comes_as_it_was(server: Served, admin: httpx.Client, uploaded: Resource) -> None:
    payload = cv2.imencode(".png", np.eye(8, dtype=np.uint8)[:6] * 255)[1].tobytes()
    drawn, said = server.store.create_annotations(
        uploaded.id,
        [
            NewAnnotation("segmentation", "lesion", scope="frame", frame_index=0, payload=payload),
            NewAnnotation("label", "benign"),
        ],
    )
    path = f"/annotations/{uploaded.id}/annotations/{drawn.id}/file"
    stored = admin.get(path)
    assert stored.content == server.store.blobs().annotation_bytes(drawn)
    assert stored.headers["content-type"] == "image/png"
    assert admin.head(path).headers["content-length"] == str(len(stored.content))
    missing = admin.get(f"/annotations/{uploaded.id}/annotations/{said.id}/file")
    assert missing.status_code == 404
    assert "not found" in missing.json()["message"]
    assert admin.get(f"/annotations/{drawn.id}/annotations/{drawn.id}/file").status_code == 404


def test_a_frame_is_a_picture_of_its_own_size(server: Served, admin: httpx.Client, demo_images: Path) -> None:
    path = min((demo_images / "ct_ge").iterdir())
    image = server.store.create_resource(NewResource(paths=(path,), filename="ct.dcm"))
    answer = admin.get(f"/resources/{image.id}/frames/0", headers={"Accept": "image/*"})
    pixels = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
    dicom = pydicom.dcmread(path)
    assert answer.headers["content-type"] == "image/png"
    assert pixels.shape == (dicom.Rows, dicom.Columns)
    assert pixels.std() > 1
    assert admin.get(f"/resources/{image.id}/frames/1").status_code == 422


def test_the_frame_of_a_picture_is_the_picture(admin: httpx.Client, uploaded: Resource, picture: Path) -> None:
    answer = admin.get(f"/resources/{uploaded.id}/frames/0")
    shown = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(shown, cv2.imread(str(picture), cv2.IMREAD_UNCHANGED))


def test_slices_across_uneven_planes_are_refused_and_those_along_them_come(
    server: Served, admin: httpx.Client, demo_images: Path
) -> None:
    paths = tuple(sorted((demo_images / "ct_ge").iterdir()))
    series = server.store.create_resource(NewResource(paths=paths, filename="series.dcm"))
    assert admin.get(f"/resources/{series.id}/slices/axial/20").status_code == 200
    refused = admin.get(f"/resources/{series.id}/slices/coronal/20")
    assert (refused.status_code, refused.json()["kind"]) == (422, "GeometryError")


def test_slices_carry_the_values_of_the_volume_and_decode_it_once(
    server: Served, admin: httpx.Client, demo_images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = tuple(sorted((demo_images / "ct_ge").iterdir()))[:13]  # those behind are uneven
    series = server.store.create_resource(NewResource(paths=paths, filename="series.dcm"))
    volume = VolumeDataset(resources=[series], server_url=server.store.url)[0]["image"].numpy()
    built = []
    build = Packs.build
    monkeypatch.setattr(Packs, "build", lambda self, *given, **more: built.append(1) or build(self, *given, **more))
    for axis, cut in (("axial", 1), ("coronal", 2), ("sagittal", 3), ("2", 3)):
        for index in (0, 3):
            answer = admin.get(f"/resources/{series.id}/slices/{axis}/{index}?format=npy.gz")
            values = np.load(io.BytesIO(gzip.decompress(answer.content)))
            assert np.array_equal(values, np.take(volume, index, cut))
    assert len(built) == 3
    shown = admin.get(f"/resources/{series.id}/slices/axial/0")
    assert cv2.imdecode(np.frombuffer(shown.content, np.uint8), cv2.IMREAD_UNCHANGED).shape == volume.shape[2:]
    assert admin.get(f"/resources/{series.id}/slices/oblique/0").status_code == 422
    assert admin.get(f"/resources/{series.id}/slices/axial/0?format=tiff").status_code == 422


@pytest.mark.parametrize(
    ("name", "plain", "extended"),
    [
        ("ct.dcm", "ct.dcm", None),
        ('a"b;c.dcm', "a_b;c.dcm", "a%22b%3Bc.dcm"),
        ("../../etc/passwd", "passwd", None),
        ("C:\\patients\\x.dcm", "x.dcm", None),
        ("line\r\nX-Evil: 1.dcm", "lineX-Evil: 1.dcm", None),
        ("Lunge 左.dcm", "Lunge _.dcm", "Lunge%20%E5%B7%A6.dcm"),
    ],
)
def test_a_hostile_name_is_a_name_and_nothing_else(
    server: Served, admin: httpx.Client, picture: Path, name: str, plain: str, extended: str | None
) -> None:
    made = server.store.create_resource(NewResource(paths=(picture,), filename=name, mimetype="text/html\r\nX: y"))
    answer = admin.get(_url(made))
    expected = f'attachment; filename="{plain}"' + (f"; filename*=UTF-8''{extended}" if extended else "")
    assert answer.headers["content-disposition"] == expected
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "x-evil" not in answer.headers


def test_nginx_is_told_where_a_whole_file_lies_and_ranges_are_ours(tmp_path: Path, picture: Path) -> None:
    with served(tmp_path / "store", accel_prefix="/stored") as running, running.client(ADMIN_KEY) as client:
        made = running.store.create_resource(NewResource(paths=(picture,), filename="picture.png"))
        answer = client.get(_url(made))
        place = answer.headers["x-accel-redirect"]
        assert answer.content == b""
        assert place == f"/stored/blobs/{made.sha256[:2]}/{made.sha256}"  # type: ignore[index]
        assert (tmp_path / "store" / place.removeprefix("/stored/")).read_bytes() == picture.read_bytes()
        part = client.get(_url(made), headers={"Range": "bytes=0-3"})
        assert (part.status_code, part.content) == (206, picture.read_bytes()[:4])
        assert "x-accel-redirect" not in part.headers


def test_a_file_that_changed_on_the_disk_is_not_served(server: Served, admin: httpx.Client, uploaded: Resource) -> None:
    path = server.store.blobs().blob_path(uploaded.sha256 or "")
    path.write_bytes(b"x" * uploaded.size)
    answer = admin.get(_url(uploaded))
    assert (answer.status_code, answer.json()["kind"]) == (500, "StorageError")
