"""What a server says it can do decides how it is spoken to."""

from __future__ import annotations

from typing import Any

import pytest

from datamint_like.backends import open_backend
from datamint_like.backends.remote.backend import HttpBackend
from datamint_like.backends.remote.protocol_only import ProtocolBackend
from datamint_like.exceptions import ServerError
from datamint_like.testing.fault_server import FaultServer, Status
from tests.remote.file_server import KEY, FileServer

OURS = {"name": "datamint_like", "version": "1", "protocol": 1, "features": ["idempotency"], "page_size": 7}


def test_a_server_of_ours_is_asked_once_a_process_and_its_pages_are_as_long_as_it_says(server: FileServer) -> None:
    server.values |= {"/capabilities": OURS, "/projects": {"data": [{"projects": []}], "totalCount": 0}}
    for _ in range(2):
        backend = open_backend(server.url, api_key=KEY)
        assert type(backend) is HttpBackend
        backend.list_projects()
    assert [each.path.partition("?")[0] for each in server.seen] == ["/capabilities", "/projects", "/projects"]
    assert "limit=7" in server.seen[-1].path


@pytest.mark.parametrize("said", [None, [], {"name": "another"}, {"protocol": 1}], ids=repr)
def test_any_other_server_is_spoken_to_in_datamints_protocol(server: FileServer, said: Any) -> None:
    if said is not None:
        server.values["/capabilities"] = said
    assert type(open_backend(server.url, api_key=KEY)) is ProtocolBackend


@pytest.mark.parametrize("status", [400, 403, 404, 405, 501])
def test_a_route_that_is_unknown_may_be_known_the_next_time(
    server: FileServer, proxy: FaultServer, status: int
) -> None:
    server.values["/capabilities"] = OURS
    proxy.plan("/capabilities", Status(status))
    assert type(open_backend(proxy.url, api_key=KEY)) is ProtocolBackend
    assert type(open_backend(proxy.url, api_key=KEY)) is HttpBackend


@pytest.mark.parametrize(
    ("changed", "told"),
    [({"protocol": 2}, "newer"), ({"page_size": 0}, "understood"), ({"features": "all"}, "understood")],
)
def test_what_cannot_be_spoken_to_is_told(server: FileServer, changed: dict[str, Any], told: str) -> None:
    server.values["/capabilities"] = {**OURS, **changed}
    with pytest.raises(ServerError, match=told):
        open_backend(server.url, api_key=KEY)
