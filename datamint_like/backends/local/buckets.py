"""The bytes of a store in a bucket: objects `blobs/ab/<sha256>`, brought to this machine once when they are read."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from datamint_like._files import DAY_S, Staged, is_disk_full, make_dirs, publish, stage, sweep_partial
from datamint_like.backends.base import Arrived
from datamint_like.backends.local import file_systems
from datamint_like.backends.local.files import OWNER, foreign
from datamint_like.backends.local.unchanged import fault_of
from datamint_like.entities import Annotation, Part
from datamint_like.exceptions import StorageError, ValidationError

T = TypeVar("T")
_PIECE = 8 * 1024 * 1024  # bytes that one request brings
_AT_ONCE = 16
_DIGEST_LENGTH = 64
_MEND = "Restore the bucket from a backup, or delete the resource or annotation and upload it again."
_locks = [threading.Lock() for _ in range(_AT_ONCE * 4)]  # one of them while a file is brought


class BucketStore:
    """Where the bytes of parts and annotation files lie: a bucket, and a folder of this machine for what is read.

    The folder may be emptied whenever no process uses it.

    Attributes:
        url: `s3://BUCKET/PREFIX`, or another URL of fsspec.
        cache_dir: The folder for files that were brought, of all buckets.
        folder: This bucket's own folder in it.

    Raises:
        ValidationError: No package knows such a URL.
        StorageError: The folder cannot be made.
        MissingExtraError: The package for it is not installed.
    """

    sends_ahead = True
    can_link = False

    def __init__(self, url: str, cache_dir: Path) -> None:
        self.url = url.strip().rstrip("/")
        self.cache_dir = cache_dir
        self.folder = cache_dir / "buckets" / hashlib.sha256(self.url.encode()).hexdigest()[:16]
        self._opened: dict[int, tuple[Any, str]] = {}
        self._bucket()
        with self._on_this_machine():
            make_dirs(self.incoming)

    def __reduce__(self) -> tuple[type[BucketStore], tuple[str, Path]]:
        return BucketStore, (self.url, self.cache_dir)

    def __repr__(self) -> str:
        return f"BucketStore({self.url!r}, {self.cache_dir!r})"

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return f"bucket {self.url}"

    @property
    def incoming(self) -> Path:
        """Folder of this machine for files on their way in either direction."""
        return self.folder / "incoming"

    def blob_path(self, sha256: str) -> Path:
        """Where the file of this digest lies on this machine once it was read, or would."""
        return Path(f"{self.folder}/blobs/{sha256[:2]}/{sha256}")

    def part_path(self, part: Part, resource_name: str, arrived: Arrived | None = None) -> Path:
        """A readable file on this machine with the part's bytes, brought and checked when it is not there yet.

        Raises:
            StorageError: It is gone, or its bytes are not those stored.
        """
        path = self.blob_path(part.sha256)
        if fault_of(path, part) is not None:
            what = f"The stored file {part.filename!r} of resource {resource_name!r}"
            self._bring(part.sha256, part.size, what, lambda: fault_of(path, part) is None)
        return path

    def part_paths(self, parts: Sequence[Part], resource_name: str) -> list[Path]:
        """The files of several parts, in order, brought several at once."""
        _at_once(lambda part: self.part_path(part, resource_name), parts)
        return [self.blob_path(part.sha256) for part in parts]

    def kept_path(self, of: Part | Annotation) -> None:
        """Nothing: these files do not lie in the cache of a dataset."""

    def annotation_bytes(self, annotation: Annotation) -> bytes:
        """The payload of a segmentation, checked against its digest.

        Raises:
            ValidationError: This annotation has no file.
            StorageError: The file is gone, or its bytes are not those stored.
        """
        sha256 = annotation.sha256
        if sha256 is None:
            raise ValidationError(f"Annotation {annotation.id} ({annotation.annotation_type}) has no file.")
        data = self._read(sha256)
        if data is None:
            self._bring(sha256, None, f"The file of annotation {annotation.id}", lambda: self._read(sha256) is not None)
            data = self._read(sha256)
        if data is None:
            raise StorageError(f"The file of annotation {annotation.id} went from the folder {self.folder}; try again.")
        return data

    def claim(self, store_id: str) -> None:
        """Note that these bytes belong to the store of this id, whose rows lie elsewhere.

        Raises:
            StorageError: They belong to another store, or the bucket cannot be used.
        """
        with self._in_bucket() as (system, root):
            mark = f"{root}/{OWNER}"
            try:
                found = system.cat_file(mark)
            except FileNotFoundError:
                system.pipe_file(mark, store_id.encode())
                found = system.cat_file(mark)
        if found.decode(errors="replace") != store_id:
            raise foreign(self.place)

    def send(self, staged: Sequence[Staged]) -> None:
        """Upload whole files, several at once, each checked for its length.

        Raises:
            StorageError: The bucket refuses them, has no room, or cannot be reached.
        """
        _at_once(self._upload, staged)

    def publish(self, staged: Sequence[Staged]) -> None:
        """Check that files which were sent are there; one that another call removed meanwhile is sent again.

        Raises:
            StorageError: The bucket refuses them, has no room, or cannot be reached.
        """
        _at_once(lambda each: None if self.size_of(each.sha256) == each.size else self._upload(each), staged)

    def fault(self, sha256: str) -> str | None:
        """What is wrong with the object of this digest in the bucket, as the end of a sentence."""
        digest, size = hashlib.sha256(), self.size_of(sha256)
        if size is None:
            return f"is not in the {self.place}"
        for piece in self._pieces(sha256, size):
            digest.update(piece)
        return None if digest.hexdigest() == sha256 else "has other bytes than were stored"

    def size_of(self, sha256: str) -> int | None:
        """Length in bytes of the object of this digest; None where there is none."""
        with self._in_bucket() as (system, root):
            try:
                return int(system.info(_key(root, sha256))["size"])
            except FileNotFoundError:
                return None

    def digests(self) -> list[str]:
        """Of all objects, in order."""
        with self._in_bucket() as (system, root):
            names = [path.rsplit("/", 1)[-1] for path in system.find(f"{root}/blobs")]
        return sorted(name for name in names if len(name) == _DIGEST_LENGTH)

    def is_old(self, sha256: str) -> bool:
        """Whether the object of this digest is there and was written more than a day ago."""
        with self._in_bucket() as (system, root):
            try:
                return float(system.modified(_key(root, sha256)).timestamp()) < time.time() - DAY_S
            except FileNotFoundError:  # removed meanwhile
                return False

    def remove(self, digests: Sequence[str]) -> None:
        """Take the objects of these digests away, as far as they are there, and what was brought of them."""
        _at_once(self._remove, digests)

    def sweep(self) -> None:
        """Remove what killed writers left on this machine more than a day ago."""
        sweep_partial(self.incoming)

    def _remove(self, sha256: str) -> None:
        self.blob_path(sha256).unlink(missing_ok=True)
        with self._in_bucket() as (system, root):
            try:
                system.rm_file(_key(root, sha256))
            except FileNotFoundError:
                return

    def _bucket(self) -> tuple[Any, str]:
        """This process's file system, and the path in it."""
        pid = os.getpid()
        if pid not in self._opened:
            self._opened = {pid: file_systems.opened(self.url)}
        return self._opened[pid]

    @contextmanager
    def _in_bucket(self, needed: int = 0) -> Iterator[tuple[Any, str]]:
        """The file system, whose errors are told as ours."""
        try:
            yield self._bucket()
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 -- packages for buckets raise errors of their own kinds
            told = file_systems.failure(error, self.place, needed)
            raise told from told.__cause__

    @contextmanager
    def _on_this_machine(self, needed: int = 0) -> Iterator[None]:
        """Errors of this machine's disk."""
        try:
            yield
        except StorageError:
            raise
        except OSError as error:
            lack = f"No room for {needed} bytes" if is_disk_full(error) else "Cannot write"
            raise StorageError(f"{lack} in the cache folder {self.folder}: {error.strerror}.") from error

    def _upload(self, staged: Staged) -> None:
        with self._in_bucket(staged.size) as (system, root):
            key = _key(root, staged.sha256)
            try:
                system.put_file(str(staged.path), key)
            except FileNotFoundError:  # a file system with folders
                system.makedirs(key.rpartition("/")[0], exist_ok=True)
                system.put_file(str(staged.path), key)
        size = self.size_of(staged.sha256)
        if size != staged.size:
            raise StorageError(
                f"A file of {staged.size} bytes came into the {self.place} with {size or 0}. Try again; "
                "nothing of this upload was stored."
            )

    def _read(self, sha256: str) -> bytes | None:
        """What was brought of this digest; None where nothing was, or other bytes lie there."""
        try:
            data = self.blob_path(sha256).read_bytes()
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sha256 else None

    def _bring(self, sha256: str, size: int | None, what: str, is_there: Callable[[], bool]) -> None:
        """Bring an object to this machine, unless another thread does so just now; checked before it has its name.

        Raises:
            StorageError: It is gone, or its bytes are not those stored; `what` says whose they are.
        """
        with _locks[int(sha256[:4], 16) % len(_locks)], self._on_this_machine(size or 0):
            if is_there():
                return
            found = self.size_of(sha256)
            if found is None:
                raise StorageError(f"{what} is not in the {self.place}. {_MEND}")
            staged = stage(self._pieces(sha256, found), self.incoming)
            if staged.sha256 != sha256:
                staged.path.unlink()
                raise StorageError(f"{what} is damaged: its bytes in the {self.place} are not those stored. {_MEND}")
            publish([(staged.path, self.blob_path(sha256))])

    def _pieces(self, sha256: str, size: int) -> Iterator[bytes]:
        for start in range(0, size, _PIECE):
            with self._in_bucket() as (system, root):
                yield system.cat_file(_key(root, sha256), start=start, end=min(start + _PIECE, size))


def _at_once(work: Callable[[T], object], items: Sequence[T]) -> None:
    """Do the same with each item, several at once; the first error goes on when all have ended."""
    if len(items) < 2:
        for each in items:
            work(each)
        return
    with ThreadPoolExecutor(min(_AT_ONCE, len(items))) as pool:
        for _ in pool.map(work, items):
            pass


def _key(root: str, sha256: str) -> str:
    return f"{root}/blobs/{sha256[:2]}/{sha256}"


def _after_fork_in_child() -> None:
    """Locks of the child's own: an inherited one may be held by a thread that is not here."""
    global _locks
    _locks = [threading.Lock() for _ in _locks]


os.register_at_fork(after_in_child=_after_fork_in_child)
