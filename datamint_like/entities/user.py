"""A user: named by e-mail."""

from __future__ import annotations

from datamint_like.entities._record import Record


class User(Record, frozen=True, kw_only=True):
    """A person (or service) that uploads and annotates; `email` is the id.

    Example:
        >>> User(email="ana@lab.example", created_at="2026-01-01", customer_id="").id
        'ana@lab.example'
    """

    email: str
    created_at: str
    customer_id: str
    firstname: str | None = None
    lastname: str | None = None
    roles: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The e-mail, under its other name."""
        return self.email
