"""A user: named by e-mail; the projects they are members of, and the keys they hold."""

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


class Member(Record, frozen=True, kw_only=True):
    """A user's part in a project: roles such as `"PROJECT_ANNOTATOR"`."""

    project_id: str
    user_id: str
    roles: tuple[str, ...] = ()
    expertise_level: str | None = None
    status: str = "active"
    firstname: str | None = None
    lastname: str | None = None


class ApiKey(Record, frozen=True, kw_only=True):
    """What is kept and shown of a key of a server: never the key itself."""

    prefix: str
    email: str
    label: str
    created_at: str
    created_by: str
    revoked_at: str | None = None
