"""A server of Datamint's protocol alone: what did not change since the last sync is not fetched again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from datamint_like._cache.folder import TAG
from datamint_like.backends import open_backend
from datamint_like.backends.base import NewProject
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.backends.remote.protocol_only import ProtocolBackend
from datamint_like.catalog import Snapshot, sync_project, write_snapshot
from datamint_like.testing.fault_server import Answer, FaultServer, Status
from datamint_like.testing.samples import CT_FILES, OTHER_XRAY, XRAY, label, upload, xray_mask
from tests import serving
from tests.remote.test_protocol_backend import OURS, AsDatamint

FILES = (XRAY, OTHER_XRAY, CT_FILES[0], CT_FILES[1])


@dataclass(frozen=True)
class Datamint(AsDatamint):
    """A server whose files may be replaced: the records of some resources tell another size."""

    sizes: dict[str, int] = field(default_factory=dict)

    def answer(self, answer: Answer) -> Answer:
        found = super().answer(answer)
        if not self.sizes or not found.headers.get("content-type", "").startswith("application/json"):
            return found
        return Answer(found.status, found.headers, json.dumps(self._replaced(json.loads(found.body))).encode())

    def _replaced(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._replaced(each) for each in value]
        if not isinstance(value, dict):
            return value
        told = {key: self._replaced(each) for key, each in value.items()}
        return {**told, "size": self.sizes[told["id"]]} if told.get("id") in self.sizes else told


@dataclass
class Stand:
    """A server that speaks the protocol alone, and the store behind it."""

    store: LocalBackend
    proxy: FaultServer
    server: Datamint
    cache: Path
    ids: list[str]
    project_id: str

    def sync(self) -> Snapshot:
        """A sync by a new client, which knows nothing of the one before."""
        self.proxy.seen.clear()
        backend = open_backend(self.proxy.url, api_key=serving.ADMIN_KEY, cache_dir=self.cache)
        assert isinstance(backend, ProtocolBackend)
        return sync_project(backend, "P", self.cache)

    def files_asked_for(self) -> list[str]:
        """The resources whose files were asked for since the last sync began."""
        return [each.path.split("/")[2] for each in self.proxy.seen if each.path.endswith("/file")]

    def need_whole(self, snapshot: Snapshot, tmp_path: Path) -> None:
        """The snapshot holds what one holds that knows nothing earlier."""
        backend = open_backend(self.proxy.url, api_key=serving.ADMIN_KEY, cache_dir=tmp_path / "other")
        with backend.read_project(self.project_id) as content:
            write_snapshot(tmp_path / "whole.sqlite", content, backend.url)
        whole = Snapshot(tmp_path / "whole.sqlite")
        assert whole.meta == snapshot.meta
        assert [whole.row(n) for n in range(len(whole))] == [snapshot.row(n) for n in range(len(snapshot))]


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    server = Datamint()
    with serving.served(tmp_path / "store") as running, FaultServer(running.url, server) as proxy:
        for each in OURS:
            proxy.plan(each, *[Status(404, body=b'{"message": "Route unknown"}')] * 1000)
        ids = [upload(running.store, each).id for each in FILES]
        project = running.store.create_project(NewProject("P", resource_ids=tuple(ids)))
        running.store.create_annotations(ids[0], [label(), xray_mask()])
        yield Stand(running.store, proxy, server, tmp_path / "cache", ids, project.id)


def test_the_first_sync_reads_each_file_and_the_next_one_none(stand: Stand, tmp_path: Path) -> None:
    stand.sync()
    assert sorted(stand.files_asked_for()) == sorted(stand.ids)
    before = stand.sync()
    assert stand.files_asked_for() == []
    stand.need_whole(before, tmp_path)


def test_only_new_and_replaced_files_are_asked_for_again(stand: Stand, tmp_path: Path) -> None:
    stand.sync()
    for path in (stand.cache / "blobs").rglob("*"):
        if path.is_file() and path.name != TAG:
            path.unlink()  # whatever is asked for is asked of the server
    new = upload(stand.store, CT_FILES[2]).id
    stand.store.add_project_resources(stand.project_id, [new])
    stand.server.sizes[stand.ids[1]] = 12345
    snapshot = stand.sync()
    assert sorted(stand.files_asked_for()) == sorted([new, stand.ids[1]])
    stand.need_whole(snapshot, tmp_path)


@pytest.mark.parametrize("change", ["deleted", "left", "tags", "published", "a mask", "a mask that goes", "a name"])
def test_other_changes_are_noticed_and_ask_for_no_file(stand: Stand, tmp_path: Path, change: str) -> None:
    before, store, first = stand.sync(), stand.store, stand.ids[0]
    match change:
        case "deleted":
            store.delete_resources([first])
        case "left":
            store.remove_project_resources(stand.project_id, [first])
        case "tags":
            store.add_tags([first], ["seen"])
        case "published":
            store.publish_resources(stand.ids)
            store.approve_annotation(before.annotations(0)[0].id)
        case "a mask":
            store.create_annotations(first, [xray_mask("b@c.de")])
        case "a mask that goes":
            store.delete_annotations([each.id for each in before.annotations(0) if each.is_segmentation()])
        case "a name":
            store.update_worklist(store.list_worklists(stand.project_id)[0].id, {"name": "Readers"})
    after = stand.sync()
    assert after.path != before.path
    assert stand.files_asked_for() == []
    stand.need_whole(after, tmp_path)


def test_a_sync_asks_for_pages_alone_however_many_resources_there_are(stand: Stand) -> None:
    stand.sync()
    stand.store.add_tags([stand.ids[0]], ["seen"])
    stand.sync()
    asked = [f"{each.method} {each.path.partition('?')[0]}" for each in stand.proxy.seen]
    assert len(asked) <= 10, asked
    assert not [each for each in asked if any(resource_id in each for resource_id in stand.ids)]
