"""Users of the store."""

from __future__ import annotations

from typing import Any

import msgspec

from datamint_like.backends.local.members import Level
from datamint_like.entities import User
from datamint_like.exceptions import EntityAlreadyExistsError, ItemNotFoundError, PermissionDeniedError
from datamint_like.server.access import ADMIN, KEY, need_project
from datamint_like.server.call import Call
from datamint_like.server.errors import Existing
from datamint_like.server.pages import Page, paged
from datamint_like.server.routing import Route


class NewUser(msgspec.Struct, frozen=True):
    """A user to create; a password plays no role here, keys do."""

    email: str
    firstname: str | None = None
    lastname: str | None = None
    roles: tuple[str, ...] | None = None
    password: str | None = None
    created_at: str = ""
    customer_id: str = ""


class Invitation(msgspec.Struct, frozen=True):
    """Somebody to add, and the project that they join."""

    email: str
    firstname: str | None = None
    lastname: str | None = None
    project_id: str | None = None
    project_roles: tuple[str, ...] = ("PROJECT_ANNOTATOR",)


def list_users(call: Call) -> Any:
    """All users."""
    return paged("users", call.store.list_users(), call.query)


def me(call: Call) -> Any:
    """The key's own user."""
    return call.user


def get_user(call: Call) -> Any:
    """One user."""
    return call.store.get_user(call.path["email"])


def create_user(call: Call) -> Any:
    """The new user."""
    new: NewUser = call.body
    user = User(
        email=new.email,
        firstname=new.firstname,
        lastname=new.lastname,
        roles=new.roles or (),
        created_at=new.created_at,
        customer_id=new.customer_id,
    )
    try:
        return call.store.create_user(user)
    except EntityAlreadyExistsError as error:
        raise Existing(error, call.store.get_user(new.email)) from error


def update_user(call: Call) -> Any:
    """The changed user."""
    changes = {key: value for key, value in call.body.items() if key != "password"}
    return call.store.update_user(call.path["email"], changes)


def delete_user(call: Call) -> Any:
    """Remove a user, who keeps what they made; their keys end."""
    call.store.delete_user(call.path["email"])
    return {}


def invite(call: Call) -> Any:
    """The user who was invited: added at once, and a member of the project; nothing is mailed."""
    new: Invitation = call.body
    if new.project_id is None and not call.is_admin:
        raise PermissionDeniedError("Only an admin adds users outside of a project. Name a project that you own.")
    if new.project_id is not None:
        need_project(call, new.project_id, Level.OWNER)
    if not call.is_admin and not _is_known(call, new.email):
        raise PermissionDeniedError("Only an admin adds users; ask one to add this person, then invite again.")
    user = User(email=new.email, firstname=new.firstname, lastname=new.lastname, created_at="", customer_id="")
    return call.administration.invite(user, new.project_id, new.project_roles)


def _is_known(call: Call, email: str) -> bool:
    try:
        call.store.get_user(email)
    except ItemNotFoundError:
        return False
    return True


def list_invitations(_call: Call) -> Any:
    """None: an invitation is taken as it is made."""
    return []


_NEW = {"email": "ana@lab.example", "firstname": "Ana", "lastname": "B", "roles": ["annotator"]}
ROUTES = (
    Route("GET", "/users", list_users, KEY, "All users", query=Page),
    Route("GET", "/users/me", me, KEY, "The user whose key this is"),
    Route(
        "POST", "/users", create_user, ADMIN, "Add a user", body=NewUser, example=_NEW, status=201, answer=User.to_dict
    ),
    Route("POST", "/users/invite", invite, KEY, "Add somebody to a project", body=Invitation, status=201),
    Route("GET", "/users/invitations", list_invitations, KEY, "Open invitations: there never are any"),
    Route("GET", "/users/{email}", get_user, KEY, "One user"),
    Route("PATCH", "/users/{email}", update_user, ADMIN, "Change a user", body=dict[str, Any]),
    Route("DELETE", "/users/{email}", delete_user, ADMIN, "Remove a user"),
)
