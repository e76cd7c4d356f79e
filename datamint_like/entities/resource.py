"""A resource: one image, volume, series or video, and the original files (parts) it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from datamint_like.entities._record import Record


class Part(Record, frozen=True, kw_only=True):
    """One original file of a resource.

    Attributes:
        index: Position in the resource: for a DICOM series, the order along the normal.
        filename: Base name as it was given.
        size: Length in bytes.
        sha256: Digest of the bytes; it also names the stored file.
        linked_path: Where the file lies when it is registered in place, else None.
        mtime_ns: Modification time of a linked file when it was registered.
        resource_id: The resource it is a file of, where a server has the bytes; else None.
    """

    index: int
    filename: str
    size: int
    sha256: str
    linked_path: str | None = None
    mtime_ns: int | None = None
    resource_id: str | None = None


class Resource(Record, frozen=True, kw_only=True):
    """One image, volume, series or video of the store.

    `metadata` holds header facts (shape, spacing, units, ...) and what the uploader gave, never identity;
    `patient_id` groups the resources of one patient for splits. A slice or frame of a dataset is a copy
    with `slice_index` (and `slice_axis`) or `frame_index` set.
    """

    id: str
    resource_uri: str
    storage: str
    location: str
    filename: str
    mimetype: str
    status: str
    created_at: str
    created_by: str
    upload_channel: str = "default"
    customer_id: str = ""
    published: bool = False
    deleted: bool = False
    size: int = 0
    modality: str | None = None
    upload_mechanism: str | None = None
    source_filepath: str | None = None
    published_on: str | None = None
    published_by: str | None = None
    tags: tuple[str, ...] = ()
    deleted_at: str | None = None
    deleted_by: str | None = None
    instance_uid: str | None = None
    series_uid: str | None = None
    study_uid: str | None = None
    patient_id: str | None = None
    user_info: dict[str, str] = msgspec.field(default_factory=dict)
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    sha256: str | None = None
    slice_axis: str | None = None
    slice_index: int | None = None
    frame_index: int | None = None

    @classmethod
    def _wire_names(cls, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The same fields; who uploaded it may be one text, or lack a name."""
        return {**data, "user_info": cls._texts(data["user_info"])} if "user_info" in data else data

    def __repr__(self) -> str:
        where = f" {self.slice_axis} {self.slice_index}" if self.slice_index is not None else ""
        return f"Resource({self.id}, {self.filename!r}{where}, {self.mimetype}, {self.status})"
