"""Rows of the members of projects, and what a user may see and do because of them.

Whoever makes a project owns it, and who annotates in one of its worklists is an annotator of it. A resource may be
used as its projects allow; who uploaded it owns it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any

import sqlalchemy as sa

from datamint_like.backends.local.changes import name, need_project
from datamint_like.backends.local.database import Acting, Read, Write, batches, id_list
from datamint_like.backends.local.schema import project_members, project_resources, projects, resources, users
from datamint_like.entities import Member
from datamint_like.exceptions import ValidationError


class Level(IntEnum):
    """What a user may do in a project; each includes those before it."""

    NONE = 0
    READER = 1
    ANNOTATOR = 2
    OWNER = 3


#: The roles that a member may have.
ROLES = {
    "PROJECT_OWNER": Level.OWNER,
    "PROJECT_ADMIN": Level.OWNER,
    "PROJECT_MANAGER": Level.OWNER,
    "PROJECT_ANNOTATOR": Level.ANNOTATOR,
    "PROJECT_REVIEWER": Level.READER,
    "PROJECT_READER": Level.READER,
    "PROJECT_VIEWER": Level.READER,
}
_member = project_members.c
_in_project = project_resources.c


def level_of(roles: Sequence[str]) -> Level:
    """The level that roles amount to.

    Raises:
        ValidationError: There are none, or one is none of `ROLES`.

    Example:
        >>> level_of(["PROJECT_ANNOTATOR", "PROJECT_REVIEWER"])
        <Level.ANNOTATOR: 2>
    """
    if not roles or any(role not in ROLES for role in roles):
        raise ValidationError(f"roles must be some of {', '.join(ROLES)}; they are {list(roles)!r:.200}.")
    return max(ROLES[role] for role in roles)


def visible_projects(acting: Acting) -> list[sa.ColumnElement[bool]]:
    """The condition on projects that makes a listing hold only those that this user may see."""
    if acting.sees_all:
        return []
    return [projects.c.id.in_(sa.select(_member.project_id).where(_member.user_id == acting.email))]


def visible_resources(acting: Acting) -> list[sa.ColumnElement[bool]]:
    """The condition on resources that makes a listing hold only those that this user may see."""
    if acting.sees_all:
        return []
    theirs = (
        sa.select(_in_project.resource_id)
        .join(project_members, _member.project_id == _in_project.project_id)
        .where(_member.user_id == acting.email)
    )
    return [sa.or_(resources.c.created_by == acting.email, resources.c.id.in_(theirs))]


def level_in_project(read: Read, email: str, project_id: str) -> Level:
    """What a user may do in a project.

    Raises:
        ItemNotFoundError: The store holds no such project.
    """
    need_project(read, project_id)
    row = read.row(sa.select(_member.level).where(_member.project_id == project_id, _member.user_id == email))
    return Level.NONE if row is None else Level(row["level"])


def levels_of_resources(read: Read, email: str, resource_ids: Sequence[str]) -> dict[str, Level]:
    """What a user may do with each of these resources; ids that the store does not hold are left out."""
    levels: dict[str, Level] = {}
    for batch in batches(id_list(resource_ids, "resource_ids")):
        for row in read.rows(sa.select(resources.c.id, resources.c.created_by).where(resources.c.id.in_(batch))):
            levels[row["id"]] = Level.OWNER if row["created_by"] == email else Level.NONE
        granted = (
            sa.select(_in_project.resource_id, sa.func.max(_member.level).label("level"))
            .join(project_members, _member.project_id == _in_project.project_id)
            .where(_member.user_id == email, _in_project.resource_id.in_(batch))
            .group_by(_in_project.resource_id)
        )
        for row in read.rows(granted):
            levels[row["resource_id"]] = max(levels[row["resource_id"]], Level(row["level"]))
    return levels


def listing(read: Read, project_id: str) -> list[Member]:
    """The members of a project, by time of joining."""
    need_project(read, project_id)
    statement = (
        sa.select(project_members, users.c.firstname, users.c.lastname)
        .outerjoin(users, users.c.email == _member.user_id)
        .where(_member.project_id == project_id)
        .order_by(_member.added_at, _member.user_id)
    )
    hidden = ("level", "added_at", "added_by")
    return [
        Member.from_dict({str(key): value for key, value in row.items() if key not in hidden})
        for row in read.rows(statement)
    ]


def put(write: Write, project_id: str, user_id: str, roles: Sequence[str], expertise_level: str | None = None) -> None:
    """Make a user a member with these roles, or give a member these instead.

    Raises:
        ItemNotFoundError: The project or the user is unknown.
        ValidationError: A role is none that there is, or the project would have no owner any more.
    """
    need_project(write, project_id)
    if not write.found(users.c.email, [name(user_id, "The user")]):
        raise write.missing("User", user_id)
    given = id_list(roles, "roles")
    owned = _has_owner(write, project_id)
    write.connection.execute(sa.delete(project_members).where(_is(project_id, user_id)))
    write.insert(project_members, [_row(write, project_id, user_id, given, expertise_level)])
    _keep_an_owner(write, project_id, user_id, owned)


def remove(write: Write, project_id: str, user_id: str) -> None:
    """Take a user out of a project.

    Raises:
        ItemNotFoundError: The project is unknown, or the user is no member.
        ValidationError: The project would have no owner any more.
    """
    need_project(write, project_id)
    owned = _has_owner(write, project_id)
    if write.connection.execute(sa.delete(project_members).where(_is(project_id, user_id))).rowcount == 0:
        raise write.missing("Member", f"{user_id} of project {project_id}")
    _keep_an_owner(write, project_id, user_id, owned)


def _has_owner(read: Read, project_id: str) -> bool:
    owners = sa.select(_member.user_id).where(_member.project_id == project_id, _member.level == int(Level.OWNER))
    return read.row(owners.limit(1)) is not None


def _keep_an_owner(write: Write, project_id: str, user_id: str, owned: bool) -> None:
    """Refuse a change of members after which nobody may manage a project that somebody could manage before.

    Raises:
        ValidationError: It is one; the write that it belongs to stores nothing.
    """
    if owned and not _has_owner(write, project_id):
        raise ValidationError(
            f"{user_id} is the only owner of project {project_id}. Make another member its owner first."
        )


def admit(write: Write, project_id: str, emails: Iterable[str], role: str) -> None:
    """Make those members with this role who are not members yet."""
    present = write.found(_member.user_id, wanted := list(dict.fromkeys(emails)), _member.project_id == project_id)
    new = [email for email in wanted if email not in present]
    write.insert(project_members, [_row(write, project_id, email, [role], None) for email in new])


def _is(project_id: str, user_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(_member.project_id == project_id, _member.user_id == user_id)


def _row(write: Write, project_id: str, user_id: str, roles: list[str], expertise_level: str | None) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "user_id": user_id,
        "roles": roles,
        "level": int(level_of(roles)),
        "expertise_level": expertise_level,
        "added_at": write.stamp(),
        "added_by": write.user,
    }
