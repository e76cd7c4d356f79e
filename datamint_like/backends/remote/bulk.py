"""Many resources of one project to a server: the files that it lacks in pieces, then all rows in one request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from datamint_like.backends.base import NewResource
from datamint_like.backends.bulk_rows import Row
from datamint_like.backends.remote import given
from datamint_like.backends.remote.answers import Calls, path
from datamint_like.backends.remote.uploads import LocalFile, files_of, forget, upload_files
from datamint_like.exceptions import ServerError


def load(
    calls: Calls, create: Callable[[str, Any], Any], project_id: str, rows: Sequence[Row], new: Sequence[NewResource]
) -> list[str | None]:
    """The ids of new resources of a project, made in one step; None for what it holds already or is given twice.

    Args:
        calls: Requests to the server.
        create: Its answer to the path and body of a POST that makes something, which nothing is made twice by.
        project_id: The project.
        rows: What messages call the resources.
        new: The resources.

    Raises:
        ValidationError: A row does not fit; the message names it, and nothing is stored.
        NetworkError: The server could not be reached for long.
    """
    fields, files = [], []
    for row, each in zip(rows, new, strict=True):
        with row.named():
            fields.append(given.resource(each))
            files.append(files_of(each))
    wanted = _lacking(calls, project_id, files)
    ids: list[str | None] = [None] * len(rows)
    if not wanted:
        return ids
    sent = [(rows[n], file) for n in wanted for file in files[n]]
    uploads = upload_files(calls, [file for _, file in sent], [row for row, _ in sent])
    left = iter(uploads)
    body = [{"number": rows[n].number, "uploads": [next(left) for _ in files[n]], "new": fields[n]} for n in wanted]
    try:
        answer = create(path("projects", project_id, "resources", "from-uploads"), {"rows": body})
    except BaseException:  # also on KeyboardInterrupt: what was uploaded is of no use any more
        forget(calls, uploads)
        raise
    made = calls.field(answer, "ids", list)
    if len(made) != len(wanted):
        raise ServerError(f"The server {calls.transport.url} did not answer with an id or null for each row.")
    for n, each in zip(wanted, made, strict=True):
        ids[n] = each
    return ids


def _lacking(calls: Calls, project_id: str, files: Sequence[Sequence[LocalFile]]) -> list[int]:
    """The numbers of those resources whose bytes the project lacks, each once."""
    first: dict[tuple[str, ...], int] = {}
    for n, some in enumerate(files):
        first.setdefault(tuple(sorted(file.sha256 for file in some)), n)
    if not first:
        return []
    place = path("projects", project_id, "resources", "held")
    asked = {"files": list(first), "to_load": True}  # who may not load is told so before a byte is sent
    held = calls.field(calls.send("POST", place, asked, repeat=True), "held", list)
    if len(held) != len(first):
        raise ServerError(f"The server {calls.transport.url} did not tell of each row whether it is there.")
    return [n for n, there in zip(first.values(), held, strict=True) if there is not True]
