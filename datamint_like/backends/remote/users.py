"""Users of a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datamint_like.backends.remote import given
from datamint_like.backends.remote.answers import path
from datamint_like.backends.remote.base import Subject
from datamint_like.entities import User


class Users(Subject):
    """The calls about users."""

    def current_user(self) -> User:
        """The user whom the key belongs to."""
        return self._calls.record(User, self._calls.get("/users/me"))

    def list_users(self) -> list[User]:
        """All users."""
        return self._calls.records(User, self._listed("users", "/users", {}))

    def get_user(self, email: str) -> User:
        """The user with this e-mail."""
        return self._calls.record(User, self._calls.get(path("users", email)))

    def create_user(self, user: User) -> User:
        """Add a user."""
        return self._calls.record(User, self._created("/users", given.plain(user)))

    def update_user(self, email: str, changes: Mapping[str, Any]) -> User:
        """Change names or roles of a user."""
        changed = self._calls.send("PATCH", path("users", email), given.changes(changes, "a user"))
        return self._calls.record(User, changed) if isinstance(changed, Mapping) and changed else self.get_user(email)

    def delete_user(self, email: str) -> None:
        """Remove a user."""
        self._calls.send("DELETE", path("users", email))
