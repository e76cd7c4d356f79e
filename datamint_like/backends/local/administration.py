"""What only a server needs of a store: keys, members, and what a user may do."""

from __future__ import annotations

from collections.abc import Sequence

from datamint_like.backends.local import annotation_rows, keys, members, users, worklists
from datamint_like.backends.local.database import Database
from datamint_like.backends.local.members import Level
from datamint_like.entities import ApiKey, Member, User


class Administration:
    """Keys and members of a store: one call, one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # keys

    def create_key(self, email: str, label: str = "") -> tuple[ApiKey, str]:
        """A new key of a user, and its text, which is known now and never again."""
        with self._database.write() as write:
            return keys.create(write, email, label)

    def adopt_key(self, key: str, email: str, label: str) -> ApiKey:
        """Make a text that the operator chose a key of a user."""
        with self._database.write() as write:
            return keys.adopt(write, key, email, label)

    def holder_of(self, key: str) -> tuple[User, str] | None:
        """The user whose key this is, and the key's public prefix; None for any other text."""
        with self._database.read() as read:
            found = keys.holder(read, key)
            return None if found is None else (users.get(read, found[0]), found[1])

    def list_keys(self) -> list[ApiKey]:
        """All keys, revoked ones too."""
        with self._database.read() as read:
            return keys.listing(read)

    def revoke_key(self, prefix: str) -> ApiKey:
        """End a key, now."""
        with self._database.write() as write:
            return keys.revoke(write, prefix)

    # members

    def list_members(self, project_id: str) -> list[Member]:
        """The members of a project, by time of joining."""
        with self._database.read() as read:
            return members.listing(read, project_id)

    def put_member(
        self, project_id: str, user_id: str, roles: Sequence[str], expertise_level: str | None = None
    ) -> None:
        """Make a user a member with these roles, or give a member these instead."""
        with self._database.write() as write:
            members.put(write, project_id, user_id, roles, expertise_level)

    def remove_member(self, project_id: str, user_id: str) -> None:
        """Take a user out of a project."""
        with self._database.write() as write:
            members.remove(write, project_id, user_id)

    # what a user may do

    def level_in_project(self, email: str, project_id: str) -> Level:
        """What a user may do in a project."""
        with self._database.read() as read:
            return members.level_in_project(read, email, project_id)

    def levels_of_resources(self, email: str, resource_ids: Sequence[str]) -> dict[str, Level]:
        """What a user may do with each of these resources; unknown ids are left out."""
        with self._database.read() as read:
            return members.levels_of_resources(read, email, resource_ids)

    def resources_of_annotations(self, annotation_ids: Sequence[str]) -> dict[str, tuple[str, str | None]]:
        """For each of these annotations its resource and its author; unknown ids are left out."""
        with self._database.read() as read:
            return annotation_rows.owners(read, annotation_ids)

    def project_of_worklist(self, worklist_id: str) -> str | None:
        """The project that a worklist belongs to, if any."""
        with self._database.read() as read:
            return worklists.get(read, worklist_id).project_id
