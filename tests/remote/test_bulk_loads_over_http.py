"""Many resources to a server: what they are on the embedded store, sent once, gone on with after whatever happened."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from datamint_like import Api
from datamint_like.api import _bulk
from datamint_like.backends.base import AnnotationQuery, NewResource
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.backends.remote import serving as announced
from datamint_like.backends.remote import uploads
from datamint_like.backends.remote.backend import HttpBackend
from datamint_like.backends.remote.retries import RetryPolicy
from datamint_like.backends.remote.serving import Capabilities, capabilities
from datamint_like.entities import Part
from datamint_like.exceptions import (
    DatamintException,
    NetworkError,
    PermissionDeniedError,
    ServerError,
    ValidationError,
)
from datamint_like.imaging import probe
from datamint_like.testing._bulk_promises import image, plain
from datamint_like.testing.contents import whole
from datamint_like.testing.fault_server import Cut, Fault, FaultServer, Reset, Status
from datamint_like.testing.samples import CT_FILES, OTHER_XRAY, XRAY, label, project_of, xray_mask
from tests import serving
from tests.serving import Served


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with serving.served(tmp_path / "store") as running:
        yield running


@pytest.fixture
def backend(proxy: FaultServer, policy: RetryPolicy) -> HttpBackend:
    return HttpBackend(proxy.url, serving.ADMIN_KEY, policy=policy)


@pytest.fixture
def api(backend: HttpBackend, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """A handle on that backend, whose retries wait for nobody."""
    monkeypatch.setenv("DATAMINT_LIKE_API_KEY", serving.ADMIN_KEY)
    with Api(backend.url) as handle:
        handle.__dict__["backend"] = backend
        yield handle


def part(path: Path, index: int = 0, **more: Any) -> Part:
    """A file that its manifest knows."""
    found = {"size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    return Part(**{"index": index, "filename": path.name, "linked_path": str(path), **found, **more})


def known(*paths: Path, **more: Any) -> NewResource:
    """A row of files that its manifest knows."""
    parts = tuple(part(path, index) for index, path in enumerate(paths))
    return NewResource(**{"paths": (), "filename": paths[0].name, "facts": probe(paths), "parts": parts, **more})


def pictures(folder: Path, count: int) -> list[NewResource]:
    """Rows of small pictures, no two alike, each with a label."""
    folder.mkdir(exist_ok=True)
    rows = []
    for n in range(count):
        path = folder / f"{n:04d}.png"
        if not path.exists():
            cv2.imwrite(str(path), np.full((4, 6), n, np.uint16))
        rows.append(NewResource((path,), path.name, annotations=(label(str(n)),)))
    return rows


def sent(proxy: FaultServer) -> list[str]:
    """The pieces of files that went to the server."""
    return [each.path for each in proxy.seen if each.method == "PATCH"]


def left_over(server: Served) -> list[Path]:
    """Uploads that the server keeps."""
    folder = server.store.blobs().incoming / "uploads"
    return list(folder.iterdir()) if folder.exists() else []


def test_rows_of_known_files_are_what_the_embedded_store_makes_of_them(
    server: Served, api: Api, tmp_path: Path
) -> None:
    said = (label("benign", "ana@lab.example"), xray_mask())
    rows = [known(XRAY, annotations=said, tags=("a",)), known(*CT_FILES, filename="ct"), known(OTHER_XRAY)]
    contents = []
    with Api((tmp_path / "here").as_uri()) as here:
        for handle in (here, api):
            handle.projects.create("many")
            assert str(handle.resources.bulk_load(rows, "many")) == "3 resources made, 0 there already."
            assert str(handle.resources.bulk_load(rows[::-1], "many")) == "0 resources made, 3 there already."
            project = handle.projects.get_by_name("many")
            assert project is not None
            contents.append(plain(whole(handle.backend.read_project(project.id))))
    for resource, parts, _ in [row for content in contents for row in content]:
        del resource["customer_id"]  # each store has its own
        for each in parts:
            for name in ("linked_path", "mtime_ns"):
                each.pop(name, None)
    assert contents[0] == contents[1]
    assert left_over(server) == []
    assert server.store.verify() == []


def test_a_file_whose_name_is_no_unicode_is_called_as_on_the_embedded_store(api: Api, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"x\xff.png")
    path.write_bytes(XRAY.read_bytes())
    with Api((tmp_path / "here").as_uri()) as here:
        for handle in (here, api):
            handle.projects.create("many")
            assert handle.resources.bulk_load([NewResource((path,), path.name)], "many").made == 1
            (made,) = handle.projects.get_project_resources("many")
            assert made.filename == "x?.png"


def test_a_known_file_is_sent_under_the_name_of_its_part_alone_or_with_others(backend: HttpBackend) -> None:
    project = project_of(backend)
    row = known(XRAY, parts=(part(XRAY, filename="IM0001.png"),), project_id=project.id)
    (made,) = backend.create_resources(project.id, [row])
    same, fresh = backend.create_resource_once(row)
    assert (same.id, fresh) == (made, False)
    for each in (same, backend.create_resource(row)):
        assert each.sha256 == row.parts[0].sha256
        assert backend.list_parts([each.id])[each.id][0].filename == "IM0001.png"


def test_what_the_project_holds_or_is_given_twice_is_not_sent(
    server: Served, backend: HttpBackend, proxy: FaultServer
) -> None:
    project = project_of(backend)
    first = backend.create_resources(project.id, [image(), known(*CT_FILES), image()])
    assert [each is None for each in first] == [False, False, True]
    assert len(set(sent(proxy))) == 1 + len(CT_FILES)
    proxy.seen.clear()
    assert backend.create_resources(project.id, [known(XRAY), known(*CT_FILES)]) == [None, None]
    assert [each.path.rpartition("/")[2] for each in proxy.seen] == [project.id, "held"]
    assert left_over(server) == []


def test_a_row_that_is_there_already_is_checked_whole_by_an_embedded_store_and_by_its_types_over_http(
    api: Api, tmp_path: Path
) -> None:
    senseless = image(annotations=(replace(label(), type="nonsense"),))
    with Api((tmp_path / "here").as_uri()) as here:
        for handle in (here, api):
            handle.projects.create("many")
            handle.resources.bulk_load([image()], "many")
            with pytest.raises(ValidationError, match=r"^Row 0 "):
                handle.resources.bulk_load([image(tags="chest")], "many")
        with pytest.raises(ValidationError, match=r"^Row 0 .*nonsense"):
            here.resources.bulk_load([senseless], "many")
        assert api.resources.bulk_load([senseless], "many").present == 1


@pytest.mark.parametrize("role", ["PROJECT_READER", "PROJECT_ANNOTATOR"])
def test_who_may_not_load_is_told_so_before_a_file_is_sent(
    server: Served, backend: HttpBackend, proxy: FaultServer, policy: RetryPolicy, role: str
) -> None:
    project, key = project_of(backend), server.user("ana@lab.example")
    with server.client() as admin:
        admin.post(f"/projects/{project.id}/members/ana@lab.example", json={"roles": [role]})
    with pytest.raises(PermissionDeniedError, match=r"role owner"):
        HttpBackend(proxy.url, key, policy=policy).create_resources(project.id, [image()])
    assert not [each for each in proxy.seen if "/uploads" in each.path]


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "other bytes than were told": ({"parts": (part(XRAY, sha256="0" * 64),)}, "not those of the SHA-256"),
    "another size than was told": ({"parts": (part(XRAY, size=3),)}, "has changed since its digest was taken"),
    "a digest alone": ({"parts": (part(XRAY, linked_path=None),)}, r"linked_path"),
    "a link": ({"paths": (XRAY,), "parts": (), "facts": None, "link": True}, "link=False"),
    "two parts of one image": ({"parts": (part(XRAY), part(OTHER_XRAY, 1))}, "1 at most"),
    "parts of one index": ({"parts": (part(XRAY), part(XRAY))}, "counts from 0"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_row_that_does_not_fit_is_named_and_what_was_sent_of_its_batch_is_dropped(
    server: Served, api: Api, tmp_path: Path, fault: str
) -> None:
    (fields, says), rows = FAULTS[fault], pictures(tmp_path / "pictures", 5)
    api.projects.create("many")
    with pytest.raises(ValidationError, match=rf"^Row 5 \('{XRAY.name}'\): .*{says}") as caught:
        api.resources.bulk_load([*rows, replace(known(XRAY), **fields)], "many", batch_size=3)
    assert "3 rows of earlier batches are stored" in caught.value.__notes__[0]
    assert [each.filename for each in api.projects.get_project_resources("many")] == [f"000{n}.png" for n in range(3)]
    assert left_over(server) == []


PASSING: dict[str, tuple[str, list[Fault]]] = {
    "the server is busy when files come": ("/uploads", [Status(503), Status(429, {"Retry-After": "0"}), Status(502)]),
    "answers about files are lost": ("/uploads", [Reset(), Cut(3), Reset()]),
    "the server is busy when rows come": ("/resources/from-uploads", [Status(503), Status(503)]),
    "the answer about rows is lost": ("/resources/from-uploads", [Reset(), Cut(5), Reset(9)]),
    "the answer about what is there is lost": ("/held", [Reset(), Status(504)]),
}


@pytest.mark.parametrize("case", PASSING)
def test_what_passes_leaves_each_row_there_once(
    server: Served, backend: HttpBackend, proxy: FaultServer, tmp_path: Path, case: str
) -> None:
    project, rows = project_of(backend), pictures(tmp_path / "pictures", 6)
    proxy.plan(*(PASSING[case][0],), *PASSING[case][1])
    made = backend.create_resources(project.id, rows)
    assert [each.id for each in server.store.list_project_resources(project.id)] == made
    assert len(server.store.list_annotations(AnnotationQuery())) == 6


@pytest.mark.parametrize("where", ["/uploads/", "/resources/from-uploads", "/held"])
def test_a_load_that_a_server_ended_is_gone_on_with(
    server: Served, api: Api, proxy: FaultServer, tmp_path: Path, where: str
) -> None:
    rows = pictures(tmp_path / "pictures", 9)
    api.projects.create("many")
    assert api.resources.bulk_load(rows[:4], "many", batch_size=4).made == 4
    proxy.plan(where, *[Status(503)] * 60)
    with pytest.raises((ServerError, NetworkError)) as caught:
        api.resources.bulk_load(rows, "many", batch_size=6)
    assert "0 rows of earlier batches are stored" in caught.value.__notes__[0]
    assert left_over(server) == []
    proxy.forget()
    there = len(api.projects.get_project_resources("many"))
    assert there == (6 if "from-uploads" in where else 4)  # its answers were lost, not what it did
    report = api.resources.bulk_load(rows, "many", batch_size=6)
    assert (report.made, report.present) == (9 - there, there)
    assert [each.filename for each in api.projects.get_project_resources("many")] == [each.filename for each in rows]
    assert len(server.store.list_annotations(AnnotationQuery())) == 9


def test_uploads_of_a_batch_that_says_more_than_the_server_takes_are_dropped(tmp_path: Path) -> None:
    rows = [image(path, annotations=(xray_mask(),)) for path in (XRAY, OTHER_XRAY)]
    with serving.served(tmp_path / "store", max_body=3000) as server:
        backend = HttpBackend(server.url, serving.ADMIN_KEY)
        project = project_of(backend)
        with pytest.raises(ServerError, match=r"larger than this server takes, 3000 bytes.*smaller batch_size"):
            backend.create_resources(project.id, rows)
        assert left_over(server) == []
        assert server.store.list_project_resources(project.id) == []


def test_a_file_that_fails_ends_the_others_that_are_under_way(
    server: Served, backend: HttpBackend, proxy: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "PIECE", XRAY.stat().st_size // 300)
    project, (small, *_) = project_of(backend), pictures(tmp_path / "pictures", 1)
    (path,) = small.paths
    wrong = known(path, parts=(part(path, sha256="1" * 64),))
    with pytest.raises(DatamintException, match=r"^Row 1 "):
        backend.create_resources(project.id, [image(), wrong])
    assert len(sent(proxy)) < 150
    assert left_over(server) == []


def test_a_server_from_before_stores_rows_one_by_one(
    server: Served, api: Api, backend: HttpBackend, proxy: FaultServer, tmp_path: Path
) -> None:
    served = capabilities(backend._transport)
    assert served is not None
    assert "bulk" in served.features
    announced._known[proxy.url] = Capabilities(served.version, served.features - {"bulk"}, served.page_size)
    proxy.hide("/held", "/resources/resources/from-uploads")
    rows = pictures(tmp_path / "pictures", 5)
    api.projects.create("many")
    with pytest.raises(ValidationError, match=r"^Row 5 \('wrong.png'\)"):
        api.resources.bulk_load([*rows, replace(rows[0], paths=(Path(__file__),), filename="wrong.png")], "many")
    report = api.resources.bulk_load([*rows, rows[0], known(*CT_FILES)], "many")
    assert (report.made, report.present) == (1, 6)
    members = api.projects.get_project_resources("many")
    assert [each.filename for each in members] == [*(each.filename for each in rows), CT_FILES[0].name]
    assert all(each.published for each in members)
    assert len(server.store.list_annotations(AnnotationQuery())) == 5
    assert not [each for each in proxy.seen if "/projects/" in each.path and "from-uploads" in each.path]
    assert left_over(server) == []


def test_a_batch_of_much_that_is_sent_ends_early(
    api: Api, proxy: FaultServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = [*(known(path) for path in CT_FILES[:3]), *pictures(tmp_path / "pictures", 4)]
    monkeypatch.setattr(_bulk, "_MOST_BYTES", CT_FILES[0].stat().st_size + 1000)
    api.projects.create("many")
    assert api.resources.bulk_load(rows, "many").made == 7
    assert len([each for each in proxy.seen if each.path.endswith("/resources/from-uploads")]) == 3


def test_what_a_server_stored_before_it_died_is_passed_over(tmp_path: Path, policy: RetryPolicy) -> None:
    folder, rows = tmp_path / "store", pictures(tmp_path / "pictures", 5)
    store = LocalBackend(folder.as_uri())
    project = project_of(store)
    store.close()
    with serving.killed_before_its_answer(folder) as url:
        with pytest.raises(NetworkError) as caught:
            HttpBackend(url, serving.ADMIN_KEY, policy=policy).create_resources(project.id, rows)
        assert isinstance(caught.value.__cause__, httpx.TransportError)
        raise caught.value.__cause__
    with serving.served(folder) as server:
        backend = HttpBackend(server.url, serving.ADMIN_KEY, policy=policy)
        assert backend.create_resources(project.id, rows) == [None] * 5
        assert len(server.store.list_annotations(AnnotationQuery())) == 5
        assert server.store.verify() == []


def load_slowly(url: str, key: str, folder: Path) -> None:
    with Api(url, key) as api:
        api.resources.bulk_load(pictures(folder, 200), "many", batch_size=5)


def test_a_load_that_is_killed_leaves_whole_batches_and_is_gone_on_with(
    server: Served, api: Api, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    rows = pictures(folder, 200)
    api.projects.create("many")
    arguments = (server.url, serving.ADMIN_KEY, folder)
    loader = multiprocessing.get_context("fork").Process(target=load_slowly, args=arguments)
    loader.start()
    deadline = time.monotonic() + 60
    while len(api.projects.get_project_resources("many")) < 10 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(loader.pid or 0, signal.SIGKILL)
    loader.join()
    there = len(api.projects.get_project_resources("many"))
    assert there >= 10
    assert there % 5 == 0
    report = api.resources.bulk_load(rows[: there + 7], "many")
    assert (report.made, report.present) == (7, there)
    names = [each.filename for each in api.projects.get_project_resources("many")]
    assert names == [each.filename for each in rows[: there + 7]]
    assert len(server.store.list_annotations(AnnotationQuery())) == there + 7


def test_an_interrupt_ends_a_load_whose_server_hangs(tmp_path: Path) -> None:
    pictures(tmp_path / "pictures", 200)
    folder = tmp_path / "store"
    with serving.served_by_process(folder) as (url, process):
        with Api(url, serving.ADMIN_KEY) as api:
            api.projects.create("many")
        arguments = (url, serving.ADMIN_KEY, tmp_path / "pictures")
        loader = multiprocessing.get_context("fork").Process(target=load_slowly, args=arguments)
        loader.start()
        deadline = time.monotonic() + 60
        while not list((folder / "incoming").glob("uploads/*")) and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGSTOP)
        os.kill(loader.pid or 0, signal.SIGINT)
        loader.join(60)
        ended = loader.exitcode
        loader.kill()
        process.send_signal(signal.SIGCONT)
    assert ended == 1, "it waits for the server"
