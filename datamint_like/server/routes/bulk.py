"""Many new resources of one project, in one step: of files that came before, and without those that it holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from datamint_like._files import private_folder
from datamint_like.backends.base import NewResource
from datamint_like.backends.bulk_rows import MOST_ROWS, Row
from datamint_like.backends.local.members import Level
from datamint_like.backends.local.pending import PendingUpload
from datamint_like.server.access import OWNS_PROJECT, READS_PROJECT, need_project, need_worklist
from datamint_like.server.call import Call
from datamint_like.server.routes.uploads import NewFields, named_files, whole_uploads, worklists_of
from datamint_like.server.routing import Route

_Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
_FEW = msgspec.Meta(max_length=MOST_ROWS)


class Held(msgspec.Struct, frozen=True):
    """Resources by the SHA-256 of their files, each in any order; `to_load`: the others will be loaded."""

    files: Annotated[tuple[tuple[_Digest, ...], ...], _FEW]
    to_load: bool = False


class UploadedRow(msgspec.Struct, frozen=True):
    """Files that came before, and the resource to make of them; `number` is what messages call the row."""

    number: int
    uploads: tuple[str, ...]
    new: NewFields


class Rows(msgspec.Struct, frozen=True):
    """Resources to make, in dataset order."""

    rows: Annotated[tuple[UploadedRow, ...], _FEW]


def are_held(call: Call) -> Any:
    """Of each resource, by its digests, whether the project holds it.

    Raises:
        PermissionDeniedError: They will be loaded, which only owners may.
    """
    body: Held = call.body
    if body.to_load:
        need_project(call, call.path["project_id"], Level.OWNER)
    return {"held": call.store.are_held(call.path["project_id"], body.files)}


def create_many(call: Call) -> list[str | None]:
    """The ids of the resources that are made of files which came in pieces, all or none; None for what is there.

    Raises:
        ValidationError: A file is not there whole, or a row does not fit; the message names it.
    """
    body: Rows = call.body
    _need_voice(call, body.rows)
    named: set[str] = set()
    uploads = [_files_of(call, row, named) for row in body.rows]
    with private_folder(call.store.blobs().incoming) as folder:
        sent = enumerate(zip(body.rows, uploads, strict=True))
        new = [_received(row, some, folder / str(n)) for n, (row, some) in sent]
        numbers = [row.number for row in body.rows]
        made = call.store.create_resources(call.path["project_id"], new, numbers=numbers)
    call.touched.extend(each for each in made if each is not None)
    for some in uploads:
        for upload in some:
            upload.remove()
    return made


def _need_voice(call: Call, rows: Sequence[UploadedRow]) -> None:
    """Raise unless the user may annotate in each worklist; the message names its first row."""
    first: dict[str, UploadedRow] = {}
    for row in rows:
        for worklist_id in worklists_of(row.new):
            first.setdefault(worklist_id, row)
    for worklist_id, row in first.items():
        with Row(row.number, row.new.filename).named():
            need_worklist(call, worklist_id, Level.ANNOTATOR)


def _files_of(call: Call, row: UploadedRow, named: set[str]) -> list[PendingUpload]:
    with Row(row.number, row.new.filename).named():
        return whole_uploads(call, row.uploads, named)


def _received(row: UploadedRow, uploads: list[PendingUpload], folder: Path) -> NewResource:
    """The resource, of its files under their names in a folder of their own."""
    folder.mkdir(mode=0o700)
    with Row(row.number, row.new.filename).named():
        return row.new.of(named_files(uploads, folder))


_NEW = {"number": 0, "uploads": ["7f0c0000-0000-0000-0000-000000000000"], "new": {"filename": "ct.dcm"}}
_P = "/projects/{project_id}/resources"
ROUTES = (
    Route(
        "POST",
        f"{_P}/held",
        are_held,
        READS_PROJECT,
        "Which resources the project holds, by the digests of their files",
        body=Held,
        example={"files": [["0" * 64]]},
    ),
    Route(
        "POST",
        f"{_P}/from-uploads",
        create_many,
        OWNS_PROJECT,
        "Make many resources of files that were sent, all or none",
        body=Rows,
        example={"rows": [_NEW]},
        answer=lambda made: {"ids": made},
        status=201,
    ),
)
