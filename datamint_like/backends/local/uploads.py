"""From files on this machine to a resource: everything that is not a statement of SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from datamint_like.backends.base import NewResource
from datamint_like.backends.local import headers
from datamint_like.backends.local.changes import name
from datamint_like.backends.local.database import Write, new_id
from datamint_like.backends.local.files import Intake, linked_part, plain_name, source_chunks, source_size
from datamint_like.backends.local.resources import checked_tags, published
from datamint_like.entities import Part


@dataclass(frozen=True)
class Upload:
    """A resource whose files were read and judged, ready to be stored.

    Attributes:
        columns: What its row holds, except who stores it where and when.
        size: Length in bytes of all its files.
    """

    new: NewResource
    columns: dict[str, Any]
    size: int


def prepare(new: NewResource) -> Upload:
    """Read the headers and check everything that can be checked before a byte is stored.

    Raises:
        ValidationError: The files are missing, or not exactly one resource; a tag or name is empty.
        DecodeError, GeometryError: The files cannot be read as an image.
    """
    name(new.filename, "The filename of a resource")
    checked_tags(new.tags)
    size = sum(source_size(path) for path in new.paths)
    paths, facts = headers.parts_and_facts(new)
    facts = headers.described(new, facts)
    columns = {
        "storage": headers.storage_class(facts),
        "filename": plain_name(new.filename),
        "mimetype": new.mimetype or facts.mimetype,
        "upload_channel": new.channel or "default",
        "upload_mechanism": new.upload_mechanism,
        "source_filepath": plain_name(paths[0]),
        "modality": facts.modality,
        "patient_id": facts.patient_id,
        "study_uid": facts.study_uid,
        "series_uid": facts.series_uid,
        "instance_uid": facts.instance_uid,
        "metadata": headers.metadata_of(facts, new.metadata),
    }
    return Upload(new=replace(new, paths=tuple(paths)), columns=columns, size=size)


def take_in(upload: Upload, intake: Intake) -> list[Part]:
    """The parts of the resource, each staged, or registered where it lies.

    Raises:
        StorageError: The disk is full.
        ValidationError: A file cannot be read any more.
    """
    if upload.new.link:
        return [linked_part(path, index) for index, path in enumerate(upload.new.paths)]
    found = []
    for index, path in enumerate(upload.new.paths):
        staged = intake.add(source_chunks(path))
        found.append(Part(index=index, filename=plain_name(path), size=staged.size, sha256=staged.sha256))
    return found


def row(write: Write, upload: Upload, parts: Sequence[Part]) -> dict[str, Any]:
    """The resource's row."""
    resource_id, now = new_id(), write.stamp()
    state = published(now, write.user) if upload.new.publish else {"status": "inbox", "published": False}
    return {
        **upload.columns,
        **state,
        "id": resource_id,
        "resource_uri": f"/resources/{resource_id}/file",
        "location": f"resources/{resource_id}",
        "created_at": now,
        "created_by": write.user,
        "customer_id": write.store_id(),
        "deleted": False,
        "size": sum(part.size for part in parts),
        "sha256": digest_of(parts),
    }


def digest_of(parts: Sequence[Part]) -> str:
    """SHA-256 of a resource: that of its only part, else of its parts' digests, in order, a line each."""
    if len(parts) == 1:
        return parts[0].sha256
    return hashlib.sha256("".join(f"{part.sha256}\n" for part in parts).encode()).hexdigest()
