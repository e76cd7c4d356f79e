"""What the calls of every subject share: requests, pages, and creation that may safely be asked for again."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from datamint_like.backends.remote.answers import Calls
from datamint_like.backends.remote.serving import PAGE_SIZE
from datamint_like.backends.remote.transport import Transport

#: How long a server may be silent (s) while it checks and stores what was uploaded.
STORING_S = 900.0


class Subject:
    """Calls to one server; the mixins of `HttpBackend` add those of one subject each."""

    _transport: Transport
    _calls: Calls

    @property
    def _page_size(self) -> int:
        """Rows that a page of a listing has at most."""
        return PAGE_SIZE

    @property
    def _creates_once(self) -> bool:
        """Whether the server keeps `Idempotency-Key`, so that a create may be repeated."""
        return False

    @property
    def _tells_changes(self) -> bool:
        """Whether the server tells what changed in a project since one of its revisions."""
        return False

    @property
    def _takes_many(self) -> bool:
        """Whether the server stores many resources in one step."""
        return False

    def _listed(
        self, name: str, path: str, params: Mapping[str, str], *, offset: int = 0, limit: int | None = None
    ) -> Any:
        """All rows of a listing by GET."""

        def ask(start: int, rows: int) -> Any:
            return self._calls.get(path, {**params, "offset": str(start), "limit": str(rows)})

        return self._calls.pages(name, ask, self._page_size, offset=offset, limit=limit)

    def _created(self, path: str, body: Any, *, packed: bool = False, read_s: float | None = None) -> Any:
        """The answer to a POST that makes something; asked again, it makes nothing twice."""
        headers = {"Idempotency-Key": str(uuid.uuid4())} if self._creates_once else {}
        return self._calls.send(
            "POST", path, body, repeat=self._creates_once, headers=headers, packed=packed, read_s=read_s
        )

    def _read_by_post(self, path: str, body: Any) -> Any:
        """The answer to a POST that changes nothing."""
        return self._calls.send("POST", path, body, repeat=True)
