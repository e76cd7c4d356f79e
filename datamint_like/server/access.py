"""Who may call a route: one rule a route, one place that decides.

Everybody with a key may list what is theirs and their projects'. In a project, readers read, annotators also say
things and change what they said themselves, owners do the rest. Whoever uploaded a resource owns it. An admin may
do everything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from datamint_like.backends.local.members import Level
from datamint_like.exceptions import ItemNotFoundError, PermissionDeniedError
from datamint_like.server.call import Call

Of = Literal["nobody", "key", "admin", "project", "resource", "annotation", "worklist"]


@dataclass(frozen=True)
class Rule:
    """Who may call a route.

    Attributes:
        of: What the rule looks at; `"nobody"` needs no key, `"key"` any key.
        level: What the user must be allowed there, at least.
        field: The field of the body, or of the query, that lists ids; None where the path names one (`project_id`,
            `resource_id`, ...).
    """

    of: Of
    level: Level = Level.NONE
    field: str | None = None


OPEN = Rule("nobody")
KEY = Rule("key")
ADMIN = Rule("admin")
READS_PROJECT = Rule("project", Level.READER)
ANNOTATES_PROJECT = Rule("project", Level.ANNOTATOR)
OWNS_PROJECT = Rule("project", Level.OWNER)
READS_RESOURCE = Rule("resource", Level.READER)
ANNOTATES_RESOURCE = Rule("resource", Level.ANNOTATOR)
OWNS_RESOURCE = Rule("resource", Level.OWNER)
READS_RESOURCES = Rule("resource", Level.READER, field="resource_ids")
OWNS_RESOURCES = Rule("resource", Level.OWNER, field="resource_ids")
READS_ANNOTATION = Rule("annotation", Level.READER)
CHANGES_ANNOTATION = Rule("annotation", Level.ANNOTATOR)
APPROVES_ANNOTATION = Rule("annotation", Level.OWNER)
READS_WORKLIST = Rule("worklist", Level.READER)
ANNOTATES_WORKLIST = Rule("worklist", Level.ANNOTATOR)
OWNS_WORKLIST = Rule("worklist", Level.OWNER)


def check(rule: Rule, call: Call) -> None:
    """Raise unless the user may make this call.

    Raises:
        PermissionDeniedError: They may not.
        ItemNotFoundError: What it is about is unknown.
    """
    ids = _ids(rule, call, f"{rule.of}_id") if rule.of in ("resource", "annotation") else []
    if call.is_admin or rule.of in ("nobody", "key"):
        return
    if rule.of == "admin":
        raise PermissionDeniedError(f"Only an admin may do this; {call.user.email} is none.")
    if rule.of == "project":
        need_project(call, call.path["project_id"], rule.level)
    elif rule.of == "resource":
        need_resources(call, ids, rule.level)
    elif rule.of == "annotation":
        need_annotations(call, ids, rule.level)
    else:
        need_worklist(call, call.path["worklist_id"], rule.level)


def need_project(call: Call, project_id: str, level: Level) -> None:
    """Raise unless the user has this level in the project."""
    if call.is_admin:
        return
    held = call.administration.level_in_project(call.user.email, project_id)
    if held < level:
        raise _denied(call, f"project {project_id}", held, level)


def need_resources(call: Call, resource_ids: Sequence[str], level: Level) -> None:
    """Raise unless the user has this level with each of the resources."""
    if call.is_admin:
        return
    levels = call.administration.levels_of_resources(call.user.email, resource_ids)
    for resource_id in resource_ids:
        if resource_id not in levels:
            raise ItemNotFoundError(f"Resource {resource_id} not found on this server.")
        if levels[resource_id] < level:
            raise _denied(call, f"resource {resource_id}", levels[resource_id], level)


def need_annotations(call: Call, annotation_ids: Sequence[str], level: Level) -> None:
    """Raise unless the user may read these annotations; to change them, made them or owns their resources."""
    if call.is_admin:
        return
    owners = call.administration.resources_of_annotations(annotation_ids)
    for annotation_id in annotation_ids:
        if annotation_id not in owners:
            raise ItemNotFoundError(f"Annotation {annotation_id} not found on this server.")
    email = call.user.email
    others = {resource for resource, author in owners.values() if level > Level.READER and author != email}
    need_resources(call, [resource for resource, _ in owners.values()], level)
    need_resources(call, sorted(others), Level.OWNER)


def need_voice(call: Call, authors: Mapping[str, Collection[str]]) -> None:
    """Raise unless the user may annotate these resources, by id, in the names of these authors.

    Everybody speaks for themselves; in another's name speak those who own the resource, and admins.
    """
    others = [resource_id for resource_id, names in authors.items() if set(names) - {call.user.email}]
    if call.is_admin or not others:
        return
    levels = call.administration.levels_of_resources(call.user.email, others)
    for resource_id in others:
        if levels.get(resource_id, Level.NONE) < Level.OWNER:
            raise PermissionDeniedError(
                f"Only an owner of resource {resource_id}, or an admin, annotates it in the name of others; "
                f"{call.user.email} is neither. Leave the author out."
            )


def need_worklist(call: Call, worklist_id: str, level: Level) -> None:
    """Raise unless the user has this level in the worklist's project, or made a worklist that has none.

    An annotator who is frozen in the worklist only reads it.
    """
    if call.is_admin:
        return
    worklist = call.store.get_worklist(worklist_id)
    frozen = any(each.email == call.user.email and each.status == "frozen" for each in worklist.annotators)
    if frozen and level is Level.ANNOTATOR:
        raise PermissionDeniedError(
            f"{call.user.email} is frozen in worklist {worklist_id}. Ask an owner of the project to set the status "
            "to active."
        )
    if worklist.project_id is not None:
        need_project(call, worklist.project_id, level)
    elif worklist.created_by != call.user.email:
        raise _denied(call, f"worklist {worklist_id}", Level.NONE, level)


def _ids(rule: Rule, call: Call, name: str) -> list[str]:
    """The ids that a rule is about, from the body or the path."""
    if rule.field is None:
        return [call.path[name]]
    found = list(getattr(call.body if call.body is not None else call.query, rule.field, None) or ())
    call.touched += found
    return found


def _denied(call: Call, what: str, held: Level, needed: Level) -> PermissionDeniedError:
    is_now = f"is {held.name.lower()} there" if held else "has no part in it"
    return PermissionDeniedError(
        f"This needs the role {needed.name.lower()} in {what}; {call.user.email} {is_now}. "
        "Ask an owner of the project, or an admin."
    )
