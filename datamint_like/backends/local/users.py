"""Rows of users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from datamint_like.backends.local import clock, keys
from datamint_like.backends.local.changes import only
from datamint_like.backends.local.database import Read, Write, id_list
from datamint_like.backends.local.schema import project_members, store_meta, users
from datamint_like.entities import User
from datamint_like.exceptions import EntityAlreadyExistsError, ValidationError

_CHANGEABLE = frozenset({"firstname", "lastname", "roles"})


def current(read: Read) -> User:
    """The user that this store writes as."""
    return get(read, read.acting.email or owner(read))


def owner(read: Read) -> str:
    """E-mail of the user who made the store."""
    return str(read.connection.execute(sa.select(store_meta.c.owner)).scalar_one())


def listing(read: Read) -> list[User]:
    """All users, by time of creation."""
    return [_user(row) for row in read.rows(sa.select(users).order_by(users.c.created_at, users.c.email))]


def get(read: Read, email: str) -> User:
    """The user with this e-mail."""
    found = find(read, email)
    if found is None:
        raise read.missing("User", email)
    return found


def find(read: Read, email: str) -> User | None:
    """The user with this e-mail, or None."""
    row = read.row(sa.select(users).where(users.c.email == email))
    return None if row is None else _user(row)


def create(write: Write, user: User) -> User:
    """Add a user; its e-mail must be new."""
    user = User.from_dict(msgspec.structs.asdict(user))  # its fields may hold anything
    if "@" not in user.email:
        raise ValidationError(f"A user is named by e-mail; {user.email!r} is none.")
    if write.found(users.c.email, [user.email]):
        raise EntityAlreadyExistsError(f"User {user.email} exists already in the store {write.store}.")
    row = {**user.to_dict(), "roles": list(user.roles)}
    row["created_at"] = clock.parse(user.created_at) if user.created_at else write.stamp()
    row["customer_id"] = user.customer_id or write.store_id()
    write.insert(users, [row])
    return get(write, user.email)


def update(write: Write, email: str, changes: Mapping[str, Any]) -> User:
    """Change names or roles of a user."""
    get(write, email)
    values = only(changes, _CHANGEABLE, "a user")
    if "roles" in values:
        values["roles"] = id_list(values["roles"] or (), "roles")
    write.change(users, users.c.email == email, **values)
    return get(write, email)


def delete(write: Write, email: str) -> None:
    """Remove a user; what they made keeps their e-mail."""
    get(write, email)
    if email == owner(write):
        raise ValidationError(f"User {email} owns this store and cannot be deleted.")
    keys.revoke_all_of(write, email)
    write.connection.execute(sa.delete(project_members).where(project_members.c.user_id == email))
    write.connection.execute(sa.delete(users).where(users.c.email == email))


def _user(row: Any) -> User:
    return User(
        email=row["email"],
        created_at=row["created_at"],
        customer_id=row["customer_id"],
        firstname=row["firstname"],
        lastname=row["lastname"],
        roles=tuple(row["roles"]),
    )
