"""Pages of lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from datamint_like.server.options import PAGE_SIZE
from datamint_like.server.wire import envelope

Offset = Annotated[int, msgspec.Meta(ge=0)]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list; at most 5,000 rows, as published clients ask."""

    offset: Offset = 0
    limit: Offset = PAGE_SIZE

    @property
    def size(self) -> int:
        """How many rows, at most."""
        return min(self.limit, PAGE_SIZE)


def paged(name: str, rows: Sequence[Any], page: Page) -> dict[str, Any]:
    """A page of a whole list in its envelope."""
    return envelope(name, rows[page.offset : page.offset + page.size], len(rows))


def flat_page(rows: Sequence[Any], page: Page) -> dict[str, Any]:
    """A page of a whole list whose rows are the data themselves: where published clients disagree on the rows' name.

    Example:
        >>> flat_page(["a", "b"], Page(limit=1))
        {'data': ['a'], 'totalCount': 2}
    """
    return {"data": list(rows[page.offset : page.offset + page.size]), "totalCount": len(rows)}
