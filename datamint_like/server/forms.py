"""Forms with files (multipart/form-data): texts in memory, files on the disk, both bounded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool

from datamint_like._files import is_disk_full, private_folder, sha256_of
from datamint_like.exceptions import StorageError
from datamint_like.server.call import Call
from datamint_like.server.errors import Refused
from datamint_like.server.headers import base_name
from datamint_like.server.incoming import announced_length, pieces

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_MOST_PARTS = 2000
_QUOTED = re.compile(r"(?:[^%]|%[0-9A-Fa-f]{2})*")
_LONGEST_TEXT = 16 * 1024 * 1024  # of all texts together
_LONGEST_HEADERS = 16 * 1024


@dataclass(frozen=True)
class ReceivedFile:
    """A file of a form.

    Attributes:
        field: Name of the field.
        filename: Its base name.
        content_type: As the client declares it; empty where it does not.
        path: Where its bytes are while the request is answered.
    """

    field: str
    filename: str
    content_type: str
    path: Path


@dataclass(frozen=True)
class ReceivedForm:
    """A form that came whole.

    Attributes:
        texts: The fields that are no files; the last one of each name.
        folder: A private folder, which goes when the request is answered.
    """

    texts: dict[str, str]
    files: list[ReceivedFile]
    folder: Path

    def digest(self) -> str:
        """A digest of all that was sent, whatever the boundary between the fields was."""
        found = hashlib.sha256(repr(sorted(self.texts.items())).encode("utf-8", "replace"))
        for each in self.files:
            found.update(repr((each.field, each.filename, each.content_type, sha256_of(each.path))).encode())
        return found.hexdigest()


@asynccontextmanager
async def received_form(
    call: Call, incoming: Path, *, limit: int | None = None, most_parts: int = _MOST_PARTS
) -> AsyncIterator[ReceivedForm]:
    """The form of a request, with its files in a private folder below `incoming`.

    Args:
        call: The request.
        incoming: A folder on the store's disk.
        limit: Bytes that its files may have together; None is what an upload may.
        most_parts: Fields that it may have.

    Raises:
        Refused: It is no form, broke off, or came too slowly (400, 408); it is too large (413).
        StorageError: The disk is full.
    """
    limit = call.options.max_upload if limit is None else limit
    length = announced_length(call)
    if length is not None and length > limit + _LONGEST_TEXT:
        raise _too_large(limit)
    with private_folder(incoming) as folder:
        receiver = _Receiver(call.request.headers.get("content-type", ""), folder, limit, most_parts)
        try:
            async for piece in pieces(call):
                await run_in_threadpool(receiver.take, piece)
            form = receiver.finished()
        finally:
            receiver.close()
        yield form


def _too_large(limit: int) -> Refused:
    return Refused(413, f"This server takes files of at most {limit} bytes.")


def _malformed(why: str) -> Refused:
    return Refused(400, f"The form of this request cannot be read: {why}.", kind="ValidationError")


@dataclass
class _Part:
    """A field on its way."""

    headers: dict[str, bytes] = field(default_factory=dict)
    header_name: bytes = b""
    header_value: bytes = b""
    header_bytes: int = 0
    name: str = ""
    file: IO[bytes] | None = None
    text: bytearray = field(default_factory=bytearray)


class _Receiver:
    """Takes the bytes of a form, piece by piece."""

    def __init__(self, content_type: str, folder: Path, limit: int, most_parts: int) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise _malformed("its Content-Type must be multipart/form-data with a boundary")
        self._folder = folder
        self._limit = self._left = limit
        self._most_parts = most_parts
        self._text_left = _LONGEST_TEXT
        self._part = _Part()
        self._count = 0
        self._ended = False
        self._texts: dict[str, str] = {}
        self._files: list[ReceivedFile] = []
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._all,
        }
        try:
            self._parser = MultipartParser(options[b"boundary"], callbacks)
        except FormParserError as error:
            raise _malformed("its boundary is none") from error

    def take(self, data: bytearray) -> None:
        """The next bytes."""
        try:
            self._parser.write(bytes(data))
        except FormParserError as error:
            raise _malformed("its bytes are not those of a form") from error
        except OSError as error:
            advice = " Free some space and upload again." if is_disk_full(error) else ""
            raise StorageError(f"The upload cannot be written: {error.strerror}.{advice}") from error

    def finished(self) -> ReceivedForm:
        """The whole form."""
        if not self._ended:
            raise _malformed("it ends before its last boundary")
        return ReceivedForm(self._texts, self._files, self._folder)

    def close(self) -> None:
        """Close what is open."""
        if self._part.file is not None:
            self._part.file.close()

    def _begin(self) -> None:
        self._count += 1
        if self._count > self._most_parts:
            raise _malformed(f"it has more than {self._most_parts} fields")
        self._part = _Part()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._part.header_name += self._header_bytes(data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._part.header_value += self._header_bytes(data[start:end])

    def _header_bytes(self, data: bytes) -> bytes:
        self._part.header_bytes += len(data)
        if self._part.header_bytes > _LONGEST_HEADERS:
            raise _malformed("the headers of a field are too long")
        return data

    def _header_end(self) -> None:
        part = self._part
        part.headers[part.header_name.decode("latin-1").lower()] = part.header_value
        part.header_name, part.header_value = b"", b""

    def _headers_finished(self) -> None:
        part = self._part
        _, options = parse_options_header(part.headers.get("content-disposition"))
        if b"name" not in options:
            raise _malformed("a field has no name")
        part.name = options[b"name"].decode("utf-8", "replace")
        if b"filename" in options:
            path = self._folder / f"{len(self._files)}.received"
            part.file = open(path, "xb")  # noqa: SIM115 -- closed at the end of the part, or by `close`
            kind = part.headers.get("content-type", b"").decode("latin-1")
            filename = base_name(_unquoted(options[b"filename"].decode("utf-8", "replace")))
            self._files.append(ReceivedFile(part.name, filename, kind, path))

    def _data(self, data: bytes, start: int, end: int) -> None:
        part, size = self._part, end - start
        if part.file is not None:
            self._left -= size
            if self._left < 0:
                raise _too_large(self._limit)
            part.file.write(memoryview(data)[start:end])
        else:
            self._text_left -= size
            if self._text_left < 0:
                raise _too_large(_LONGEST_TEXT)
            part.text += data[start:end]

    def _end(self) -> None:
        if self._part.file is not None:
            self._part.file.close()
        else:
            self._texts[self._part.name] = self._part.text.decode("utf-8", "replace")

    def _all(self) -> None:
        self._ended = True


def _unquoted(filename: str) -> str:
    """A file name as it was before the client quoted it: aiohttp, with which published clients upload, does (`%20`)."""
    quoted = filename.isascii() and _QUOTED.fullmatch(filename) is not None
    return unquote(filename) if quoted else filename


def under_their_names(files: Sequence[tuple[str, Path]], folder: Path) -> tuple[Path, ...]:
    """Paths at which files lie under the base names that they were given; equal names in folders of their own.

    Args:
        files: Name and place of each.
        folder: Where the paths are made, on the same disk.
    """
    seen: dict[str, int] = {}
    paths = []
    for name, place in files:
        plain = base_name(name)
        count = seen[plain] = seen.get(plain, -1) + 1
        target = folder / str(count) / plain
        target.parent.mkdir(exist_ok=True, mode=0o700)
        target.hardlink_to(place)
        paths.append(target)
    return tuple(paths)
