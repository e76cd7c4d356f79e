"""A lock file: a snapshot as plain text, from which it is made again on any machine, without the store's rows.

Promises: equal states give equal bytes; what comes out is the snapshot that went in, or an error; both ways hold a
few rows in memory.

Layout (version 1): lines of JSON in UTF-8, each an object with one key, but for the first.
    {"datamint_like_lock": 1, "revision": ..., "project": {...} or null}
    {"worklist": {...}}              the project's, in order
    {"resource": {...}}              in order, each followed by its
    {"part": {...}}                  files, in order, with their SHA-256, and its
    {"annotation": {...}}            annotations, in order
    {"sha256": "..."}                of all bytes before this line, which is the last
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Never, TypeVar

import msgspec

from datamint_like._files import new_file
from datamint_like.backends._urls import is_server, store_folder
from datamint_like.backends.base import ContentRow, ProjectContent
from datamint_like.backends.local.files import FileStore
from datamint_like.backends.remote.located import located
from datamint_like.backends.remote.versions import is_stem
from datamint_like.catalog.snapshot import Snapshot
from datamint_like.entities import Annotation, AnnotationWorklist, Part, Project, Resource
from datamint_like.exceptions import DatamintException, ValidationError

LOCK_FORMAT = 1
_LONGEST_HEAD = 1 << 24
_RESOURCE = b'{"resource":'
T = TypeVar("T")


class _Version(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the first line that every version has."""

    datamint_like_lock: int


class _Head(_Version, frozen=True, kw_only=True):
    revision: str
    project: Project | None


class _Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line behind the first; one of the fields is there."""

    worklist: AnnotationWorklist | None = None
    resource: Resource | None = None
    part: Part | None = None
    annotation: Annotation | None = None
    sha256: str | None = None


_encode = msgspec.json.Encoder().encode


def lock_lines(snapshot: Snapshot) -> Iterator[bytes]:
    """The lines of a snapshot's lock file.

    Example:
        >>> lines = list(lock_lines(snapshot))
        >>> len(lines), lines[0][:24], lines[-1][:11]
        (17, b'{"datamint_like_lock":1,', b'{"sha256":"')
    """
    digest = hashlib.sha256()
    for line in _unsealed(snapshot):
        digest.update(line)
        yield line
    yield _seal(digest.hexdigest())


def write_lock(snapshot: Snapshot, path: Path) -> None:
    """Put the lock file of a snapshot at `path`, whole or not at all.

    Raises:
        ValidationError: It cannot be written.
    """
    try:
        with new_file(path) as file:
            file.writelines(lock_lines(snapshot))
    except OSError as error:
        raise ValidationError(
            f"The lock file {path} cannot be written: {error.strerror or error}. Name another place."
        ) from error


def _unsealed(snapshot: Snapshot) -> Iterator[bytes]:
    meta = snapshot.meta
    yield _line_of(_Head(datamint_like_lock=LOCK_FORMAT, revision=meta.revision, project=meta.project))
    for worklist in meta.worklists:
        yield _line_of(_Line(worklist=worklist))
    for row in snapshot.each_row():
        yield _line_of(_Line(resource=row.resource))
        for part in row.parts:  # by digest alone: whose it is the line before says
            yield _line_of(_Line(part=msgspec.structs.replace(part, resource_id=None)))
        for annotation in row.annotations:
            yield _line_of(_Line(annotation=annotation))


def _line_of(value: _Head | _Line) -> bytes:
    return _encode(value) + b"\n"


def _seal(digest: str) -> bytes:
    return _line_of(_Line(sha256=digest))


class Lock:
    """A lock file that was read through once and is whole.

    Attributes:
        path: Where it lies.
        digest: SHA-256 of its content.
        count: How many resources it holds.
    """

    def __init__(self, path: Path) -> None:
        """Check the file at `path`.

        Raises:
            ValidationError: It is not there, no lock file, of a newer version, or not as it was written.
        """
        self.path = path
        self.digest = ""
        with self._opened() as file:
            self.count = sum(line.startswith(_RESOURCE) for line in self._lines(file))

    def refuse_twice(self) -> None:
        """Refuse the file where it names a resource twice, as none that was written does.

        Raises:
            ValidationError: It does.
        """
        seen: set[str] = set()
        with self._opened() as file:
            for line in self._lines(file):
                if line.startswith(_RESOURCE):
                    resource = self._decoded(line, _Line).resource
                    if resource is not None and resource.id in seen:
                        self._refuse(f"it names resource {resource.id} ({resource.filename}) twice")
                    seen.update(() if resource is None else (resource.id,))

    @contextmanager
    def content(self, store_url: str) -> Iterator[ProjectContent]:
        """A block in which the state that the file holds is read, with files to be found at a store.

        Raises:
            ValidationError: The file holds other lines than one that was written, or has changed since it was checked.
        """
        with self._opened() as file:
            lines = self._lines(file)
            head = self._decoded(next(lines), _Head)
            worklists, rows = self._sorted_out(self._decoded(line, _Line) for line in lines)
            found = (ContentRow(row.resource, _placed(row, store_url), row.annotations) for row in rows)
            yield ProjectContent(head.revision, head.project, worklists, self.count, found)

    def _sorted_out(self, lines: Iterator[_Line]) -> tuple[tuple[AnnotationWorklist, ...], Iterator[ContentRow]]:
        """The worklists, and the rows that follow them."""
        worklists: list[AnnotationWorklist] = []
        for line in lines:
            if line.worklist is None:
                return tuple(worklists), self._rows(line, lines)
            worklists.append(line.worklist)
        return tuple(worklists), iter(())

    def _rows(self, first: _Line, lines: Iterator[_Line]) -> Iterator[ContentRow]:
        if first.resource is None:
            self._refuse("files or annotations stand before the first resource")
        row = ContentRow(first.resource, [], [])
        for line in lines:
            if line.resource is not None:
                yield row
                row = ContentRow(line.resource, [], [])
            elif line.part is not None and is_stem(line.part.sha256):
                row.parts.append(line.part)
            elif line.annotation is not None and is_stem(line.annotation.sha256 or "0" * 64):
                row.annotations.append(line.annotation)
            else:
                self._refuse("a line is none of a resource, a file with its digest, or an annotation")
        yield row

    def _lines(self, file: IO[bytes]) -> Iterator[bytes]:
        """The lines but the last; ends in an error where that does not hold the digest of all of them."""
        line = file.readline(_LONGEST_HEAD)
        self._check_version(line)
        digest = hashlib.sha256()
        for following in file:
            digest.update(line)
            yield line
            line = following
        found = digest.hexdigest()
        if line != _seal(found):
            self._refuse(f"its last line should hold {found}, the SHA-256 of all lines before it")
        if self.digest not in ("", found):
            self._refuse("it was replaced while it was read")
        self.digest = found

    def _check_version(self, line: bytes) -> None:
        try:
            found = msgspec.json.decode(line, type=_Version).datamint_like_lock
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ValidationError(
                f"The file {self.path} is no lock file: its first line is not that of one. Write one with "
                "`datamint-like lock PROJECT > project.lock`."
            ) from error
        if found != LOCK_FORMAT:
            raise ValidationError(
                f"The lock file {self.path} has version {found}, this version of datamint_like reads {LOCK_FORMAT}. "
                "Update datamint_like, or write the lock file with the version installed here."
            )

    def _decoded(self, line: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(line, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._refuse(str(error))

    def _refuse(self, reason: str) -> Never:
        raise ValidationError(
            f"The lock file {self.path} is not as it was written ({reason}): it was cut off, damaged or edited. Take "
            "it again from where it came, or write it anew with `datamint-like lock PROJECT > project.lock`."
        )

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        try:
            with open(self.path, "rb") as file:
                yield file
        except DatamintException:
            raise  # told already; some of ours are errors of the system, too
        except OSError as error:
            raise ValidationError(f"The lock file {self.path} cannot be read: {error.strerror or error}.") from error


def _placed(row: ContentRow, store_url: str) -> list[Part]:
    """The files of a row as the blobs of this store are asked for them."""
    if is_server(store_url):
        return located(row.parts, row.resource.id)
    files = FileStore(store_folder(store_url))
    return [
        msgspec.structs.replace(part, linked_path=None, mtime_ns=None)
        if part.linked_path is not None and files.blob_path(part.sha256).exists()
        else part
        for part in row.parts
    ]
