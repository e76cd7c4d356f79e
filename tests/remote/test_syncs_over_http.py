"""A sync over HTTP asks for what changed alone, and for one answer where nothing did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from datamint_like.backends import open_backend
from datamint_like.backends.base import NewProject
from datamint_like.backends.remote.backend import HttpBackend
from datamint_like.catalog import Snapshot, sync_project, write_snapshot
from datamint_like.exceptions import ItemNotFoundError, PermissionDeniedError
from datamint_like.testing.fault_server import Cut, FaultServer
from datamint_like.testing.samples import label, upload
from tests import serving


@dataclass
class Stand:
    """A server, a proxy before it that counts, and a project of three resources."""

    server: serving.Served
    proxy: FaultServer
    cache: Path
    ids: list[str]
    project_id: str

    def sync(self, project: str = "P") -> Snapshot:
        """A sync by a client that knows what the server can do already."""
        backend = open_backend(self.proxy.url, api_key=serving.ADMIN_KEY)
        assert isinstance(backend, HttpBackend)
        self.proxy.seen.clear()
        return sync_project(backend, project, self.cache)

    @property
    def asked(self) -> list[str]:
        """The paths that the last sync asked for."""
        return [each.path.replace(self.project_id, "ID").partition("=")[0] for each in self.proxy.seen]

    def need_whole(self, snapshot: Snapshot, path: Path) -> None:
        """The snapshot holds what one holds that is made of everything."""
        backend = open_backend(self.server.url, api_key=serving.ADMIN_KEY)
        with backend.read_project(self.project_id) as content:
            write_snapshot(path, content, snapshot.meta.store_url)
        whole = Snapshot(path)
        assert whole.meta == snapshot.meta
        assert [whole.row(n) for n in range(len(whole))] == [snapshot.row(n) for n in range(len(snapshot))]


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with serving.served(tmp_path / "store") as server, FaultServer(server.url) as proxy:
        ids = [upload(server.store).id for _ in range(3)]
        project = server.store.create_project(NewProject("P", resource_ids=tuple(ids)))
        yield Stand(server, proxy, tmp_path / "cache", ids, project.id)


def test_an_unchanged_project_costs_one_request(stand: Stand) -> None:
    first = stand.sync()
    assert stand.sync().path == first.path
    assert stand.asked == ["/projects/ID/revision"]


def test_what_changed_is_asked_for_alone(stand: Stand, tmp_path: Path) -> None:
    stand.sync()
    stand.server.store.create_annotations(stand.ids[1], [label()])
    stand.server.store.remove_project_resources(stand.project_id, [stand.ids[0]])
    snapshot = stand.sync()
    assert stand.asked == ["/projects/ID/revision", "/projects?name", "/projects/ID/content?since"]
    stand.need_whole(snapshot, tmp_path / "whole.sqlite")


def test_a_stream_of_changes_that_breaks_is_gone_on_with(stand: Stand, tmp_path: Path) -> None:
    stand.sync()
    stand.server.store.add_tags(stand.ids, ["new"])
    stand.proxy.plan("/content?since", Cut(300), Cut(3000))
    snapshot = stand.sync()
    assert stand.asked.count("/projects/ID/content?since") == 3
    stand.need_whole(snapshot, tmp_path / "whole.sqlite")


def test_a_name_that_passed_to_another_project_means_that_one(stand: Stand) -> None:
    stand.sync()
    stand.server.store.update_project(stand.project_id, {"name": "before"})
    other = stand.server.store.create_project(NewProject("P", resource_ids=(stand.ids[0],)))
    found = stand.sync().meta.project
    assert found is not None
    assert found.id == other.id
    assert len(stand.sync("before")) == 3


def test_a_project_that_may_no_longer_be_read_is_not_read_from_here(stand: Stand) -> None:
    key = stand.server.user("ana@lab.example")
    stand.server.store.administration.put_member(stand.project_id, "ana@lab.example", ["PROJECT_READER"])
    backend = open_backend(stand.server.url, api_key=key)
    sync_project(backend, "P", stand.cache)
    stand.server.store.administration.remove_member(stand.project_id, "ana@lab.example")
    with pytest.raises((ItemNotFoundError, PermissionDeniedError)):
        sync_project(backend, "P", stand.cache)
