"""Resources: which there are, their tags and states, and the files they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from datamint_like.backends.base import DeletedRows, ResourceQuery
from datamint_like.backends.local.members import Level
from datamint_like.entities import Resource
from datamint_like.server.access import (
    KEY,
    OWNS_RESOURCE,
    OWNS_RESOURCES,
    READS_RESOURCE,
    READS_RESOURCES,
    need_resources,
)
from datamint_like.server.call import Call
from datamint_like.server.errors import Refused
from datamint_like.server.pages import Page, flat_page
from datamint_like.server.routing import Route, parsed_json
from datamint_like.server.schemas import ResourceIds
from datamint_like.server.wire import envelope

_NOT_IN_INBOX = "Resource must be in inbox status to be approved"  # published clients look for this phrase


class Items(msgspec.Struct, frozen=True, rename="camel"):
    """Names, of which one or all are wanted."""

    items: tuple[str, ...] = ()
    filter_type: Literal["union", "intersection"] = "union"


class ResourcePage(Page, frozen=True, kw_only=True):
    """Which resources; `tags` and `project` are JSON texts of `{"items": [...], "filterType": "union"}`."""

    status: str | None = None
    from_date: str | None = msgspec.field(default=None, name="from")
    to_date: str | None = msgspec.field(default=None, name="to")
    modality: str | None = None
    mimetype: str | None = None
    filename: str | None = None
    channel_name: str | None = None
    order_field: str | None = None
    order_by_asc: bool = True
    deleted: DeletedRows = "exclude"
    tags: str | None = None
    project: str | None = None

    def asked(self) -> ResourceQuery:
        """The same as the store takes it."""
        tags = parsed_json(self.tags, Items, "tags") if self.tags else Items()
        projects = parsed_json(self.project, Items, "project") if self.project else Items()
        return ResourceQuery(
            status=self.status,
            from_date=self.from_date,
            to_date=self.to_date,
            tags=tags.items,
            tags_mode=tags.filter_type,
            modality=self.modality,
            mimetype=self.mimetype,
            channel=self.channel_name,
            filename=self.filename,
            project_names=projects.items,
            projects_mode=projects.filter_type,
            deleted=self.deleted,
            order_field=self.order_field,
            order_ascending=self.order_by_asc,
            offset=self.offset,
            limit=self.size,
        )


class ChannelPage(Page, frozen=True, kw_only=True):
    """Which channels: those whose name holds this text."""

    channel_name: str | None = None


class JoinedIds(msgspec.Struct, frozen=True):
    """Some resources, joined by commas."""

    joined: str = msgspec.field(name="resource_ids")

    @property
    def resource_ids(self) -> tuple[str, ...]:
        """Each for itself."""
        return tuple(each.strip() for each in self.joined.split(",") if each.strip())


class Ids(msgspec.Struct, frozen=True):
    """Some resources, under the name that restoring gives them."""

    ids: tuple[str, ...]


class Tags(msgspec.Struct, frozen=True):
    """Tags."""

    tags: tuple[str, ...]


class TagsOfMany(msgspec.Struct, frozen=True):
    """Tags, and the resources that they are for."""

    resource_ids: tuple[str, ...]
    tags: tuple[str, ...]


def list_resources(call: Call) -> Any:
    """One page of the resources that the user may see."""
    rows, total = call.store.page_of_resources(call.query.asked())
    return envelope("resources", rows, total)


def list_not_annotated(call: Call) -> Any:
    """One page of the resources that nobody has annotated."""
    rows, total = call.store.page_of_resources(call.query.asked(), not_annotated=True)
    return envelope("resources", rows, total)


def list_channels(call: Call) -> Any:
    """Channels, each with its resources."""
    wanted = (call.query.channel_name or "").lower()
    found = [(name, held) for name, held in call.store.list_channels() if wanted in name.lower()]
    return flat_page([_channel(name, held) for name, held in found], call.query)


def get_resource(call: Call) -> Any:
    """One resource."""
    return call.store.get_resource(call.path["resource_id"])


def resources_by_ids(call: Call) -> Any:
    """These resources, in their order."""
    return call.store.get_resources(call.body.resource_ids)


def parts_of_resources(call: Call) -> Any:
    """The original files of each of these resources; where the store has them is its own affair."""
    found = call.store.list_parts(call.body.resource_ids)
    return {
        resource_id: [msgspec.structs.replace(part, linked_path=None, mtime_ns=None) for part in parts]
        for resource_id, parts in found.items()
    }


def set_tags(call: Call) -> Any:
    """Replace the tags of one resource."""
    call.store.set_tags([call.path["resource_id"]], call.body.tags)
    return {}


def set_tags_of_many(call: Call) -> Any:
    """Replace the tags of these resources."""
    call.store.set_tags(call.body.resource_ids, call.body.tags)
    return {}


def add_tags(call: Call) -> Any:
    """Add tags to these resources."""
    call.store.add_tags(call.body.resource_ids, call.body.tags)
    return {}


def publish(call: Call) -> Any:
    """Publish a resource of the inbox.

    Raises:
        Refused: It is published already, or deleted (400, as published clients expect).
    """
    resource = call.store.get_resource(call.path["resource_id"])
    if resource.status != "inbox":
        message = f"{_NOT_IN_INBOX}; resource {resource.id} is {resource.status}."
        raise Refused(400, message, kind="ValidationError")
    call.store.publish_resources([resource.id])
    return {}


def publish_many(call: Call) -> Any:
    """Publish these resources; those that are published stay as they are."""
    call.store.publish_resources(call.body.resource_ids)
    return {}


def delete(call: Call) -> Any:
    """Delete a resource; restoring brings it back."""
    call.store.delete_resources([call.path["resource_id"]])
    return {}


def delete_many(call: Call) -> Any:
    """Delete these resources."""
    call.touched.extend(call.query.resource_ids)
    call.store.delete_resources(call.query.resource_ids)
    return {}


def restore(call: Call) -> Any:
    """The resource, deleted no more."""
    return call.store.restore_resources([call.path["resource_id"]])[0]


def restore_many(call: Call) -> Any:
    """Which of these resources are deleted no more, and why the others were passed over."""
    wanted = list(dict.fromkeys(call.body.ids))
    known = call.administration.levels_of_resources(call.user.email, wanted)
    need_resources(call, list(known), Level.OWNER)
    deleted = {each.id for each in call.store.get_resources(list(known)) if each.deleted}
    restored = [each for each in wanted if each in deleted]
    call.store.restore_resources(restored)
    left = [each for each in wanted if each not in deleted]
    skipped = [{"id": each, "reason": "not_deleted" if each in known else "not_found"} for each in left]
    return {"restored": restored, "skipped": skipped}


def _channel(name: str, held: Sequence[Resource]) -> dict[str, Any]:
    """A channel as clients read it."""
    rows = [
        {
            "created_by": each.created_by,
            "customer_id": each.customer_id,
            "resource_id": each.id,
            "resource_file_name": each.filename,
            "resource_mimetype": each.mimetype,
        }
        for each in held
    ]
    return {
        "id": name,
        "channel_name": name,
        "resource_data": rows,
        "resource_count": len(rows),
        "deleted": False,
        "created_at": held[0].created_at,
        "updated_at": held[-1].created_at,
    }


_TAGGED = {"resource_ids": ["7f0c0000-0000-0000-0000-000000000000"], "tags": ["checked"]}
_R = "/resources/{resource_id}"
ROUTES = (
    Route("GET", "/resources", list_resources, KEY, "Resources that the user may see", query=ResourcePage),
    Route("DELETE", "/resources", delete_many, OWNS_RESOURCES, "Delete several", query=JoinedIds),
    Route("GET", "/resources/not-annotated", list_not_annotated, KEY, "Those not annotated", query=ResourcePage),
    Route("GET", "/resources/channels", list_channels, KEY, "Channels with their resources", query=ChannelPage),
    Route("POST", "/resources/by-ids", resources_by_ids, READS_RESOURCES, "Several by id", body=ResourceIds),
    Route("POST", "/resources/parts", parts_of_resources, READS_RESOURCES, "Their original files", body=ResourceIds),
    Route("PUT", "/resources/tags", set_tags_of_many, OWNS_RESOURCES, "Replace tags", body=TagsOfMany, example=_TAGGED),
    Route("POST", "/resources/tags/add", add_tags, OWNS_RESOURCES, "Add tags", body=TagsOfMany, example=_TAGGED),
    Route("POST", "/resources/bulk-publish", publish_many, OWNS_RESOURCES, "Publish several", body=ResourceIds),
    Route("POST", "/resources/restore", restore_many, KEY, "Bring deleted ones back", body=Ids),
    Route("GET", _R, get_resource, READS_RESOURCE, "One resource"),
    Route("DELETE", _R, delete, OWNS_RESOURCE, "Delete it"),
    Route("PUT", _R + "/tags", set_tags, OWNS_RESOURCE, "Replace its tags", body=Tags),
    Route("POST", _R + "/publish", publish, OWNS_RESOURCE, "Publish it"),
    Route("POST", _R + "/restore", restore, OWNS_RESOURCE, "Bring it back"),
)
