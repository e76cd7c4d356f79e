"""Files from clients: a resource as one form, or in pieces that survive a broken connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from datamint_like._files import private_folder
from datamint_like.backends.base import NewAnnotation, NewResource, NewVolumeMask
from datamint_like.backends.local.members import Level
from datamint_like.backends.local.pending import OtherOffset, PendingUpload, Piece
from datamint_like.entities import Resource
from datamint_like.exceptions import ItemNotFoundError, ValidationError
from datamint_like.server.access import KEY, need_project, need_worklist
from datamint_like.server.anonymizing import Anonymizing
from datamint_like.server.call import Call
from datamint_like.server.errors import Refused
from datamint_like.server.forms import ReceivedForm, received_form, under_their_names
from datamint_like.server.headers import UNKNOWN_TYPE, base_name
from datamint_like.server.incoming import announced_length, pieces
from datamint_like.server.once import made_once
from datamint_like.server.routing import Route, parsed_json

_FILE_FIELD = "resource"
_OFFSET_HEADER = "upload-offset"


class NewUpload(msgspec.Struct, frozen=True):
    """A file that is about to come in pieces."""

    size: Annotated[int, msgspec.Meta(ge=0)]
    filename: str
    sha256: str | None = None


class NewFields(msgspec.Struct, frozen=True):
    """A resource to make of files that came before; the fields of `NewResource`."""

    filename: str
    mimetype: str | None = None
    modality: str | None = None
    tags: tuple[str, ...] = ()
    channel: str | None = None
    publish: bool = False
    metadata: dict[str, Any] = {}
    upload_mechanism: str = "api"
    project_id: str | None = None
    annotations: tuple[NewAnnotation, ...] = ()
    volume_masks: tuple[NewVolumeMask, ...] = ()

    def of(self, paths: tuple[Path, ...]) -> NewResource:
        """The resource, of these files."""
        return NewResource(paths=paths, **{**msgspec.structs.asdict(self), "filename": base_name(self.filename)})


class FromUploads(msgspec.Struct, frozen=True):
    """Files that came before, and the resource to make of them; `once`: unless the project has it already."""

    uploads: tuple[str, ...]
    new: NewFields
    once: bool = False
    anonymize: bool = False
    allow_burned_in: bool = False


async def upload_resource(call: Call) -> Response:
    """The id of a new resource, whose file and fields come as a form."""
    async with received_form(call, call.store.blobs().incoming) as form:
        return await run_in_threadpool(_stored, call, form)


def _stored(call: Call, form: ReceivedForm) -> Response:
    how = Anonymizing(_is_true(form.texts, "anonymize"), _is_true(form.texts, "allow_burned_in"))
    new, told = how.of(_new_resource(form), call.store.url, form.folder)

    def create(of: Call) -> tuple[Resource, bool]:
        return of.store.create_resource(new), True

    said = form.digest() if "idempotency-key" in call.request.headers else ""
    return made_once(call, said, create, lambda made: {"id": made[0].id, **told}, 201)


def _new_resource(form: ReceivedForm) -> NewResource:
    """What the form says.

    Raises:
        ValidationError: It has no file, or a field that cannot be used.
    """
    files = [each for each in form.files if each.field == _FILE_FIELD]
    if not files:
        raise ValidationError(f"The form has no file: send it as the field {_FILE_FIELD!r}, with a filename.")
    texts = form.texts
    # Only the last part of the path: folders of the uploader's machine are often named after patients.
    source = texts.get("source_filepath", "").rstrip("/\\")
    names = [base_name(source) if source and len(files) == 1 else each.filename for each in files]
    declared = texts.get("mimetype") or files[0].content_type
    return NewResource(
        paths=under_their_names(list(zip(names, (each.path for each in files), strict=True)), form.folder),
        filename=files[0].filename,
        mimetype=None if declared in ("", UNKNOWN_TYPE) else declared,
        modality=texts.get("modality") or None,
        tags=tuple(tag.strip() for tag in texts.get("tags", "").split(",") if tag.strip()),
        channel=texts.get("channel") or None,
        publish=_is_true(texts, "bypass_inbox"),
        metadata=parsed_json(texts["metadata"], dict[str, Any], "metadata") if texts.get("metadata") else {},
        upload_mechanism=texts.get("source") or "api",
    )


def _is_true(texts: Mapping[str, str], name: str) -> bool:
    return texts.get(name, "").strip().lower() == "true"


def begin_upload(call: Call) -> Any:
    """A file to be sent in pieces.

    Raises:
        Refused: It is too large (413).
    """
    new: NewUpload = call.body
    name = base_name(new.filename)
    if new.size > call.options.max_upload:
        told = f"The file {name!r:.200} has {new.size} bytes; this server takes {call.options.max_upload} at most."
        raise Refused(413, told)
    if call.tidying is not None:
        call.tidying.when_due(call.store)
    return _state(call.store.pending.begin(call.user.email, name, new.size, new.sha256))


def upload_state(call: Call) -> Any:
    """How much of a file is there."""
    return _state(_upload(call))


async def append(call: Call) -> Any:
    """How much of a file is there, after another piece.

    Raises:
        Refused: The piece does not begin where the file ends (409, with the true offset).
    """
    upload, piece = await run_in_threadpool(_begun_piece, call)
    try:
        async for data in pieces(call):
            await run_in_threadpool(piece.write, data)
        await run_in_threadpool(piece.keep)
    finally:
        piece.close()
    await run_in_threadpool(upload.check)
    return _state(upload)


def _begun_piece(call: Call) -> tuple[PendingUpload, Piece]:
    upload = _upload(call)
    text = call.request.headers.get(_OFFSET_HEADER, "")
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise ValidationError("A piece needs the header Upload-Offset: where in the file it begins, in bytes.")
    length = announced_length(call)
    if length is not None and int(text) + length > upload.size:
        raise ValidationError(f"The piece ends beyond the {upload.size} bytes announced for {upload.filename!r}.")
    try:
        return upload, upload.begin_piece(int(text))
    except OtherOffset as other:
        raise Refused(409, str(other), **_state(upload)) from other


def forget_upload(call: Call) -> Any:
    """Drop a file that nothing was made of."""
    _upload(call).remove()
    return {}


def create_from_uploads(call: Call) -> tuple[Resource, bool]:
    """The resource that is made of files which came in pieces, and whether this call made it.

    Raises:
        ValidationError: A file is not there whole.
    """
    body: FromUploads = call.body
    if body.new.project_id is not None:
        need_project(call, body.new.project_id, Level.OWNER)
    for worklist_id in worklists_of(body.new):
        need_worklist(call, worklist_id, Level.ANNOTATOR)
    uploads = whole_uploads(call, body.uploads, set())
    with private_folder(call.store.blobs().incoming) as folder:
        received = body.new.of(named_files(uploads, folder))
        new, _ = Anonymizing(body.anonymize, body.allow_burned_in).of(received, call.store.url, folder)
        made = call.store.create_resource_once(new) if body.once else (call.store.create_resource(new), True)
    for each in uploads:
        each.remove()
    return made


def whole_uploads(call: Call, upload_ids: Sequence[str], named: set[str]) -> list[PendingUpload]:
    """Files of the user that came in pieces.

    Args:
        call: The request.
        upload_ids: The files.
        named: What the request named before; these are added.

    Raises:
        ItemNotFoundError: One is unknown.
        ValidationError: One is not there whole, has other bytes than were announced, or was named before.
    """
    for upload_id in upload_ids:
        if upload_id in named:
            raise ValidationError(f"The upload {upload_id[:80]} is named twice: upload a file for each use of it.")
        named.add(upload_id)
    uploads = [call.store.pending.get(each, call.user.email) for each in upload_ids]
    for each in uploads:
        if each.offset != each.size:
            raise ValidationError(f"Of the upload {each.filename!r}, {each.offset} of {each.size} bytes are there.")
        each.check()  # a server that was killed, or is still at its last piece, has not
    return uploads


def named_files(uploads: Sequence[PendingUpload], folder: Path) -> tuple[Path, ...]:
    """Where the files of uploads lie under their names, in a folder of their own.

    Raises:
        ItemNotFoundError: One was used up or dropped meanwhile.
    """
    try:
        return under_their_names([(each.filename, each.path) for each in uploads], folder)
    except FileNotFoundError as error:
        raise ItemNotFoundError("An upload was used up or dropped while a resource was made of it.") from error


def worklists_of(new: NewFields) -> set[str]:
    """The worklists that something of a resource is said in; whoever says it must be an annotator there."""
    said = (*new.annotations, *(mask.template for mask in new.volume_masks))
    return {each.worklist_id for each in said if each.worklist_id is not None}


def _upload(call: Call) -> PendingUpload:
    return call.store.pending.get(call.path["upload_id"], call.user.email)


def _state(upload: PendingUpload) -> dict[str, Any]:
    return {"id": upload.id, "offset": upload.offset, "size": upload.size}


def _made(made: tuple[Resource, bool]) -> Mapping[str, Any]:
    return {"resource": made[0], "made": made[1]}


_NEW = {"uploads": ["7f0c0000-0000-0000-0000-000000000000"], "new": {"filename": "ct.dcm", "publish": True}}
_U = "/uploads/{upload_id}"
ROUTES = (
    Route("POST", "/resources", upload_resource, KEY, "Upload a resource as a form", reads_body=True, status=201),
    Route("POST", "/uploads", begin_upload, KEY, "Begin to send a file in pieces", body=NewUpload),
    Route("GET", _U, upload_state, KEY, "How much of it is there"),
    Route("PATCH", _U, append, KEY, "Send its next piece", reads_body=True),
    Route("DELETE", _U, forget_upload, KEY, "Drop it"),
    Route(
        "POST",
        "/resources/from-uploads",
        create_from_uploads,
        KEY,
        "Make a resource of files that were sent",
        body=FromUploads,
        example=_NEW,
        answer=_made,
        status=201,
    ),
)
