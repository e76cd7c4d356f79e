"""One request, as its handler sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from datamint_like.backends.local.administration import Administration
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.entities import User
from datamint_like.server.metrics import Metrics
from datamint_like.server.options import ServerOptions
from datamint_like.server.tidying import Tidying

ADMIN = "admin"


@dataclass
class Call:
    """A request whose key is known and whose parts were read.

    Attributes:
        store: The store, acting as the user: listings hold what they may see, and what is made is theirs.
        user: Whose key it is.
        path: What the braces of the route's path stand for.
        query: The route's `query`, filled from the query string; None where it has none.
        body: The route's `body`, filled from the body; None where it has none, or where the handler reads it.
        key: Public prefix of the key; None where the route needs none.
        touched: Ids that the audit log names beside those of the path.
    """

    store: LocalBackend
    user: User
    options: ServerOptions
    request: Request
    path: dict[str, str]
    query: Any = None
    body: Any = None
    key: str | None = None
    metrics: Metrics | None = None
    tidying: Tidying | None = None
    touched: list[str] = field(default_factory=list)

    @property
    def administration(self) -> Administration:
        """Keys, members and what a user may do."""
        return self.store.administration

    @property
    def is_admin(self) -> bool:
        """Whether the user may do everything."""
        return is_admin(self.user)


def is_admin(user: User) -> bool:
    """Whether a user may do everything.

    Example:
        >>> is_admin(User(email="a@lab.example", created_at="", customer_id="", roles=("admin",)))
        True
    """
    return ADMIN in user.roles
