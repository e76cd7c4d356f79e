"""Names for the bytes of a server that names no digests: made of an id and of all that tells one version of it."""

from __future__ import annotations

import hashlib
import re

import msgspec

from datamint_like.entities import Annotation, Part, Resource

_DIGEST = re.compile(r"[0-9a-f]{64}")
_STEM = re.compile(r"[0-9a-f]{64}|version-[0-9a-f]{56}")


def is_digest(name: str) -> bool:
    """Whether a name is a SHA-256, not a version."""
    return _DIGEST.fullmatch(name) is not None


def is_stem(name: str) -> bool:
    """Whether a name is a SHA-256 or a version, and so safe as that of a file."""
    return _STEM.fullmatch(name) is not None


def version_of_resource(url: str, resource: Resource) -> str:
    """The name of a resource's file as it is now."""
    return _version(url, resource.id, resource.created_at, resource.size, resource.location, resource.deleted_at)


def version_of_annotation(annotation: Annotation) -> str:
    """The name of an annotation's file as it is now."""
    file = annotation.associated_file or annotation.file
    return _version(annotation.resource_id, annotation.id, annotation.created_at, file, annotation.deleted_at)


def stem_of(of: Part | Annotation) -> str:
    """What the file of a part or segmentation is kept under."""
    return of.sha256 or version_of_annotation(of) if isinstance(of, Annotation) else of.sha256


def _version(*facts: str | int | None) -> str:
    return f"version-{hashlib.sha256(msgspec.msgpack.encode(facts)).hexdigest()[:56]}"
