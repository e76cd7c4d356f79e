"""The tables of a store. Columns that an entity serves have the name of its field.

Time stamps are text of one width (ISO 8601, UTC, microseconds, `Z`), so that text order is time order.
`revision` is the number of the write that last changed the row; of a member of a project (`project_resources`) of the
write that last changed anything that a dataset reads of it. Numbers come again when a backup of the store is put back;
`write_id`, a random text of that write, does not.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)


class Json(TypeDecorator[Any]):
    """JSON as text, the same bytes in every database."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """JSON text of `value`; None stays NULL."""
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """The value that the text holds."""
        return None if value is None else msgspec.json.decode(value)


metadata = MetaData()


def _id(name: str = "id") -> Column[str]:
    return Column(name, String, primary_key=True)


def _text(name: str, *, null: bool = True) -> Column[str]:
    return Column(name, Text, nullable=null)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, default=False)


def _revision() -> Column[int]:
    return Column("revision", BigInteger, nullable=False)


def _to(name: str, target: str, *, key: bool = False) -> Column[str]:
    return Column(name, String, ForeignKey(target), nullable=False, primary_key=key)


#: One row: who the store is, the number of its last write, and the latest time stamp it gave.
store_meta = Table(
    "store_meta",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("store_id", null=False),
    _text("owner", null=False),
    _text("last_stamp", null=False),
    _revision(),
)

users = Table(
    "users",
    metadata,
    _id("email"),
    _text("firstname"),
    _text("lastname"),
    Column("roles", Json, nullable=False),
    _text("customer_id", null=False),
    _text("created_at", null=False),
    _revision(),
)

projects = Table(
    "projects",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    _text("description"),
    _text("created_at", null=False),
    _text("created_by", null=False),
    _text("dataset_id", null=False),
    _text("worklist_id"),
    _flag("archived"),
    _text("most_recent_experiment"),
    _revision(),
    _text("write_id", null=False),
    Index("projects_by_revision", "revision"),  # each write finds the projects that it changed
)

resources = Table(
    "resources",
    metadata,
    _id(),
    *(_text(name, null=False) for name in ("resource_uri", "storage", "location", "filename", "mimetype", "status")),
    *(_text(name, null=False) for name in ("created_at", "created_by", "upload_channel", "customer_id")),
    _flag("published"),
    _flag("deleted"),
    Column("size", BigInteger, nullable=False),
    *(_text(name) for name in ("modality", "upload_mechanism", "source_filepath", "published_on", "published_by")),
    *(_text(name) for name in ("deleted_at", "deleted_by", "instance_uid", "series_uid", "study_uid", "patient_id")),
    Column("metadata", Json, nullable=False),
    _text("sha256"),
    _revision(),
    Index("resources_by_time", "created_at"),
    Index("resources_in_order", "deleted", "created_at", "id"),  # counts and skips without reading rows
)

resource_tags = Table(
    "resource_tags",
    metadata,
    _to("resource_id", "resources.id", key=True),
    Column("tag", String, primary_key=True),
    Column("position", Integer, nullable=False),
    Index("resource_tags_by_tag", "tag"),
)

parts = Table(
    "parts",
    metadata,
    _to("resource_id", "resources.id", key=True),
    Column("index", Integer, primary_key=True),
    _text("filename", null=False),
    Column("size", BigInteger, nullable=False),
    _text("sha256", null=False),
    _text("linked_path"),
    Column("mtime_ns", BigInteger),
    Index("parts_by_sha256", "sha256"),
)

project_resources = Table(
    "project_resources",
    metadata,
    _to("project_id", "projects.id", key=True),
    _to("resource_id", "resources.id", key=True),
    _text("added_at", null=False),
    _text("added_by", null=False),
    _revision(),
    Index("project_resources_by_resource", "resource_id"),
    Index("project_resources_by_revision", "project_id", "revision"),
    Index("project_resources_in_order", "project_id", "added_at", "resource_id"),
)

#: The latest writes that changed each project, numbered from 1: the states of it that this store has been in.
project_writes = Table(
    "project_writes",
    metadata,
    _to("project_id", "projects.id", key=True),
    Column("n", BigInteger, primary_key=True),
    _revision(),
    _text("write_id", null=False),
)

#: The resources that left a project and are in it no more.
departures = Table(
    "departures",
    metadata,
    _to("project_id", "projects.id", key=True),
    _to("resource_id", "resources.id", key=True),
    _revision(),
)

work_statuses = Table(
    "work_statuses",
    metadata,
    _to("project_id", "projects.id", key=True),
    _to("resource_id", "resources.id", key=True),
    _id("user_id"),
    _text("status", null=False),
    _text("updated_at", null=False),
    _revision(),
)

splits = Table(
    "splits",
    metadata,
    _id(),
    _text("split_name", null=False),
    _to("project_id", "projects.id"),
    _to("resource_id", "resources.id"),
    *(_text(name, null=False) for name in ("created_at", "created_by")),
    *(_text(name) for name in ("deleted_at", "deleted_by")),
    _revision(),
    Index("splits_by_project", "project_id", "created_at"),
)
_open_row = splits.c.deleted_at.is_(None)
Index(
    "one_open_split",
    splits.c.project_id,
    splits.c.resource_id,
    unique=True,
    sqlite_where=_open_row,
    postgresql_where=_open_row,
)

worklists = Table(
    "worklists",
    metadata,
    _id(),
    *(_text(name, null=False) for name in ("name", "status", "created_by", "created_at", "segmentation_type")),
    _text("description"),
    Column("project_id", String, ForeignKey("projects.id")),
    *(
        Column(name, Json, nullable=False)
        for name in ("resource_ids", "annotators", "annotations", "segmentation_group")
    ),
    _revision(),
    UniqueConstraint("project_id", "name"),
)

annotation_table = Table(
    "annotations",
    metadata,
    _id(),
    *(_text(name, null=False) for name in ("identifier", "scope", "annotation_type")),
    _to("resource_id", "resources.id"),
    _text("created_by"),
    Column("annotation_worklist_id", String, ForeignKey("worklists.id")),
    _text("status", null=False),
    Column("frame_index", Integer),
    _text("text_value"),
    Column("numeric_value", Float),
    _text("units"),
    Column("geometry", Json),
    Column("old_geometry", Json),
    _text("created_at", null=False),
    *(_text(name) for name in ("approved_at", "approved_by", "associated_file", "file")),
    _flag("deleted"),
    *(_text(name) for name in ("deleted_at", "deleted_by", "created_by_model")),
    *(_text(name) for name in ("source", "imported_from", "import_author", "sha256")),
    _revision(),
    Index("annotations_by_resource", "resource_id", "created_at"),
)

#: Keys of the server: the public prefix finds one, the digest proves it; the key itself is nowhere.
api_keys = Table(
    "api_keys",
    metadata,
    _id("prefix"),
    _text("sha256", null=False),
    _text("email", null=False),
    _text("label", null=False),
    *(_text(name, null=False) for name in ("created_at", "created_by")),
    _text("revoked_at"),
)

#: Who may do what in a project; roles as the wire gives them, and `level`, which of ours they amount to.
project_members = Table(
    "project_members",
    metadata,
    _to("project_id", "projects.id", key=True),
    _id("user_id"),
    Column("roles", Json, nullable=False),
    Column("level", Integer, nullable=False),
    _text("expertise_level"),
    *(_text(name, null=False) for name in ("added_at", "added_by")),
    Index("project_members_by_user", "user_id"),
)

#: Creates that were asked for under a name of the asker's choice, and what they were answered.
idempotency = Table(
    "idempotency",
    metadata,
    _id("user_id"),
    _id("name"),
    _text("digest", null=False),
    _text("created_at", null=False),
    Column("status", Integer),
    _text("answer"),
)

review_messages = Table(
    "review_messages",
    metadata,
    _id(),
    _to("project_id", "projects.id"),
    _to("resource_id", "resources.id"),
    *(_text(name, null=False) for name in ("author", "status", "message", "created_at")),
    _text("annotator"),
    Index("review_messages_by_project", "project_id", "created_at"),
)
