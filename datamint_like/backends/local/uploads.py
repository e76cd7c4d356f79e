"""From files on this machine to a resource: everything that is not a statement of SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from datamint_like.backends.base import NewResource
from datamint_like.backends.local import annotation_uploads, headers, known_parts
from datamint_like.backends.local.changes import given_texts, name
from datamint_like.backends.local.database import Write, new_id
from datamint_like.backends.local.files import Intake, linked_part, plain_name, source_chunks, source_size
from datamint_like.backends.local.resources import checked_tags, published
from datamint_like.entities import Part
from datamint_like.exceptions import ValidationError
from datamint_like.imaging.types import HeaderFacts

UNPUBLISHED = {"status": "inbox", "published": False, "published_on": None, "published_by": None}


@dataclass(frozen=True)
class Upload:
    """A resource whose files were read and judged, ready to be stored.

    Attributes:
        columns: What its row holds, except who stores it where and when.
        annotations: Its annotations, checked against it.
        size: Length in bytes of all its files and theirs.
    """

    new: NewResource
    columns: dict[str, Any]
    annotations: list[annotation_uploads.Checked]
    size: int


def prepare(new: NewResource) -> Upload:
    """Read the headers and check everything that can be checked before a byte is stored.

    Raises:
        ValidationError: The files are missing, or not exactly one resource; a tag or name is empty; an annotation
            does not fit them.
        DecodeError, GeometryError: The files cannot be read as an image.
        GeometryError: A mask lies on another grid.
    """
    name(new.filename, "The filename of a resource")
    known_parts.need_lists(new)
    checked_tags(new.tags)
    if not isinstance(new.metadata, Mapping):
        raise ValidationError(f"The metadata of {new.filename!r} must be a mapping, not {new.metadata!r:.80}.")
    given_texts(mimetype=new.mimetype, modality=new.modality, channel=new.channel)
    size = sum(source_size(path) for path in new.paths)
    if new.parts:
        new, facts = replace(new, parts=known_parts.checked(new)), known_parts.facts_of(new)
    else:
        paths, facts = headers.parts_and_facts(new)
        new = replace(new, paths=tuple(paths))
    if new.facts is not None:
        known_parts.need_fitting_count(len(new.paths) or len(new.parts), facts, new.filename)
    facts = headers.described(new, facts)
    annotations = annotation_uploads.prepare(new.annotations, new.volume_masks, facts, new.filename)
    size += annotation_uploads.size_of(annotations)
    return Upload(new=new, columns=_columns(new, facts), annotations=annotations, size=size)


def _columns(new: NewResource, facts: HeaderFacts) -> dict[str, Any]:
    return {
        "storage": headers.storage_class(facts),
        "filename": plain_name(new.filename),
        "mimetype": new.mimetype or facts.mimetype,
        "upload_channel": new.channel or "default",
        "upload_mechanism": new.upload_mechanism,
        "source_filepath": new.parts[0].filename if new.parts else plain_name(new.paths[0]),
        "modality": facts.modality,
        "patient_id": facts.patient_id,
        "study_uid": facts.study_uid,
        "series_uid": facts.series_uid,
        "instance_uid": facts.instance_uid,
        "metadata": headers.metadata_of(facts, new.metadata),
    }


def take_in(upload: Upload, intake: Intake) -> list[Part]:
    """The parts of the resource, each staged, registered where it lies, or known.

    Raises:
        StorageError: The disk is full.
        ValidationError: A file cannot be read any more.
    """
    if upload.new.parts:
        return list(upload.new.parts)
    if upload.new.link:
        return [linked_part(path, index) for index, path in enumerate(upload.new.paths)]
    found = []
    for index, path in enumerate(upload.new.paths):
        staged = intake.add(source_chunks(path))
        found.append(Part(index=index, filename=plain_name(path), size=staged.size, sha256=staged.sha256))
    return found


def row(write: Write, upload: Upload, parts: Sequence[Part], store_id: str) -> dict[str, Any]:
    """The resource's row."""
    resource_id, now = new_id(), write.stamp()
    state = published(now, write.user) if upload.new.publish else UNPUBLISHED
    return {
        **upload.columns,
        **state,
        "id": resource_id,
        "resource_uri": f"/resources/{resource_id}/file",
        "location": f"resources/{resource_id}",
        "created_at": now,
        "created_by": write.user,
        "customer_id": store_id,
        "deleted": False,
        "size": sum(part.size for part in parts),
        "sha256": digest_of(parts),
    }


def digest_of(parts: Sequence[Part]) -> str:
    """SHA-256 of a resource: that of its only part, else of its parts' digests, in order, a line each."""
    if len(parts) == 1:
        return parts[0].sha256
    return hashlib.sha256("".join(f"{part.sha256}\n" for part in parts).encode()).hexdigest()
