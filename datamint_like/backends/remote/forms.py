"""Uploads as the forms (multipart) of Datamint's protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import httpx

from datamint_like._files import opened
from datamint_like.backends.remote.base import STORING_S
from datamint_like.backends.remote.transport import Call
from datamint_like.exceptions import ValidationError

_SLOWEST = 50_000  # bytes a second
#: (file name or None, content, media type).
Field: TypeAlias = "tuple[str | None, bytes, str]"


@dataclass(frozen=True)
class Form:
    """A form as it goes over the wire."""

    content: bytes
    content_type: str

    def call(self, place: str, size: int) -> Call:
        """The request that sends it; made again only where it surely did not arrive."""
        seconds = max(STORING_S, size / _SLOWEST)
        headers = {"Content-Type": self.content_type}
        return Call("POST", place, content=self.content, headers=headers, read_s=STORING_S, deadline_s=seconds)


def form_of(fields: Mapping[str, Field]) -> Form:
    """A form with these fields, in order."""
    request = httpx.Request("POST", "http://form", files=list(fields.items()))
    return Form(request.read(), request.headers["content-type"])


def new_resource_form(fields: Mapping[str, Any], file: Path) -> dict[str, Field]:
    """The fields of a new resource of one file.

    Raises:
        ValidationError: The file cannot be read.
    """
    try:
        with opened(file) as source:
            data = source.read()
    except OSError as error:
        raise ValidationError(f"The file {file.name!r} cannot be read: {error.strerror}.") from error
    mimetype = fields["mimetype"]
    publish = fields["publish"] or fields["project_id"] is not None
    texts = {
        "source_filepath": fields["filename"],
        "mimetype": mimetype,
        "channel": fields["channel"],
        "modality": fields["modality"],
        "bypass_inbox": "true" if publish else "false",
        "tags": ",".join(fields["tags"]) or None,
    }
    form: dict[str, Field] = {"source": (None, b"api", "text/plain")}
    form["resource"] = (fields["filename"], data, mimetype or "application/octet-stream")
    form |= {key: (None, text.encode(), "text/plain") for key, text in texts.items() if text is not None}
    if fields["metadata"]:
        form["metadata"] = (None, json.dumps(fields["metadata"]).encode(), "application/json")
    return form


def volume_mask_form(payload: bytes, names: Mapping[int, str], template: Mapping[str, Any]) -> dict[str, Field]:
    """The fields of a label map and the names of its labels."""
    labels = json.dumps({str(label): name for label, name in names.items()})
    form: dict[str, Field] = {"file": ("segmentation.nii.gz", payload, "application/nifti")}
    texts = {
        "annotation_worklist_id": template["worklist_id"],
        "model_id": template["model_id"],
        "source": template["source"],
        "imported_from": template["imported_from"],
    }
    form |= {key: (None, text.encode(), "text/plain") for key, text in texts.items() if text is not None}
    form["segmentation_map"] = (None, labels.encode(), "application/json")
    return form
