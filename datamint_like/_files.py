"""The only place that writes files: under another name first, durable, then renamed.

Promise: a reader never sees a half-written file, and what `write_*` returned from survives a power cut.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import io
import itertools
import os
import secrets
import shutil
import socket
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

CHUNK = 1024 * 1024
PARTIAL_SUFFIX = ".partial"
DAY_S = 24 * 3600.0
#: What `fsync` of a folder answers where this process may not, or the file system cannot, make a name durable.
_CANNOT_SYNC = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EINVAL, errno.ENOTSUP)
_LONGEST_STEM = 40  # in characters, so that a private name fits where its target's name does
_durable: set[str] = set()  # folders whose names this process knows to be on the disk


def fsync_dir(folder: Path) -> None:
    """Make a rename inside `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_dirs(folder: Path, mode: int = 0o700, *, durable: bool = True) -> None:
    """Create `folder` and its parents, each made durable in its own parent unless `durable` is False.

    The name of a folder that is there already is made durable too, once a process: another process may have made
    it this instant, and what is written into it now must not go with it.
    """
    missing = []
    current = folder
    while not current.exists():
        missing.append(current)
        current = current.parent
    for path in reversed(missing):
        with suppress(FileExistsError):  # another process made it
            path.mkdir(mode=mode)
            path.chmod(mode)  # a umask may have taken some of it
        if durable:
            fsync_dir(path.parent)
    if not durable:
        return
    if not missing and str(folder.absolute()) not in _durable:
        try:
            fsync_dir(folder.parent)
        except OSError as error:
            if error.errno not in _CANNOT_SYNC:
                raise
    _durable.add(str(folder.absolute()))


def private_name(folder: Path, stem: str) -> Path:
    """A new name in `folder` that no other writer takes and that tells `sweep_partial` who writes there."""
    return folder / f"{process_name()}.{stem[:_LONGEST_STEM]}{PARTIAL_SUFFIX}"


def partial_file(folder: Path, stem: str) -> Path:
    """A private path in `folder` for a file that is written over some time, which others may go on with.

    That of a writer that is gone (or gave up, `leave_partial`) and wrote under the same stem is taken over by a rename,
    which one taker alone wins, with what it holds; else the path is new and nothing is there.
    """
    mine = private_name(folder, stem)
    for path in partial_files(folder, stem):
        if runs(path.name):
            continue
        with suppress(OSError):  # another was faster
            path.rename(mine)
            return mine
    return mine


def leave_partial(path: Path) -> None:
    """Let the next writer of its stem have what was written so far, `sweep_partial` after a day."""
    with suppress(OSError):  # nothing was written, or nothing can be
        host, _, *rest = path.name.split(".")
        path.rename(path.with_name(".".join((host, "left", *rest))))


def is_written_now(folder: Path, stem: str, *, silence_s: float) -> bool:
    """Whether a writer of this stem that runs on this machine wrote something in the last seconds."""
    limit = time.time() - silence_s
    for path in partial_files(folder, stem):
        with suppress(OSError):  # it was published, or removed
            if runs(path.name) and path.stat().st_mtime > limit:
                return True
    return False


def partial_files(folder: Path, stem: str) -> list[Path]:
    """The private files of this machine's writers under a stem."""
    return _named(folder, f"{_this_host()}.", f".{stem[:_LONGEST_STEM]}{PARTIAL_SUFFIX}")


@contextmanager
def new_file(target: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """An open binary file that becomes `target` when the block ends well, and is removed when it does not.

    The bytes are flushed to the disk before the rename and the folder after it, unless `durable` is False: for
    what can be made again, and is checked when it is read.
    """
    partial = private_name(target.parent, target.name)
    try:
        with open(partial, "xb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        partial.replace(target)
    except BaseException:  # also on KeyboardInterrupt: the partial file must go, then the error goes on
        with suppress(OSError):
            partial.unlink()
        raise
    if durable:
        fsync_dir(target.parent)


def write_bytes(target: Path, data: bytes) -> None:
    """Put `data` at `target`, whole or not at all."""
    with new_file(target) as file:
        file.write(data)


def kept_secret(path: Path, make: Callable[[], bytes]) -> bytes:
    """What `path` holds; where there is no such file, what `make` gives, kept for its owner alone (mode 0600).

    Processes that ask at once get the same: the first one's.
    """
    with suppress(FileNotFoundError):
        return path.read_bytes()
    make_dirs(path.parent)
    private = private_name(path.parent, path.name)
    try:
        with open(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was first
            os.link(private, path)
    finally:
        with suppress(OSError):
            private.unlink()
    fsync_dir(path.parent)
    return path.read_bytes()


def build_file(target: Path, build: Callable[[Path], None]) -> None:
    """Let `build` make a file at a private path, then publish it as `target` durably.

    For writers that want a path, not an open file (SQLite). Whatever `build` leaves beside the private
    path under its name (a journal) is removed.
    """
    partial = private_name(target.parent, target.name)
    try:
        build(partial)
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        for leftover in _named(partial.parent, partial.name):
            with suppress(OSError):
                leftover.unlink()
    fsync_dir(target.parent)


@contextmanager
def private_folder(parent: Path) -> Iterator[Path]:
    """A new folder in `parent` for files under way; it goes with all that is in it when the block ends."""
    make_dirs(parent)
    folder = private_name(parent, "folder")
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # `sweep_partial` takes what stays


@dataclass(frozen=True)
class Staged:
    """A whole and durable file under a private name, which nobody reads before `publish`.

    Attributes:
        path: Where it lies.
        size: Length in bytes.
        sha256: Digest of the bytes, in lower-case hexadecimal.
    """

    path: Path
    size: int
    sha256: str


def reason_of(error: Exception) -> str:
    """Why something failed, in the words of the system where they are there: the rest names folders."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


_NO_FILE = "it is a pipe, socket or device and no file"


def opened(path: Path | str) -> io.BufferedReader:
    """A file, opened for reading; what is none is refused at once, where opening it might wait for ever.

    Raises:
        OSError: It cannot be opened, or is no regular file.
    """
    refuse_no_file(os.stat(path))  # noqa: PTH116 -- of a text, too
    return open(path, "rb")  # of a folder the system says that it is one


def refuse_no_file(facts: os.stat_result) -> None:
    """Refuse what is neither a file nor a folder.

    Raises:
        OSError: It may give no byte for ever, or bytes without an end.
    """
    if not (stat.S_ISREG(facts.st_mode) or stat.S_ISDIR(facts.st_mode)):
        raise OSError(errno.EINVAL, _NO_FILE)


def chunks_of(path: Path) -> Iterator[bytes]:
    """The bytes of a file, a piece at a time."""
    with opened(path) as file:
        while chunk := file.read(CHUNK):
            yield chunk


def stage(chunks: Iterable[bytes], folder: Path) -> Staged:
    """Write `chunks` to a private file in `folder`, hashed on the way and flushed to the disk.

    What was written is removed when anything goes wrong.
    """
    path = private_name(folder, "staged")
    digest, size = hashlib.sha256(), 0
    try:
        with open(path, "xb") as file:
            for chunk in chunks:
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:  # also on KeyboardInterrupt: the private file must go, then the error goes on
        with suppress(OSError):
            path.unlink()
        raise
    return Staged(path, size, digest.hexdigest())


def publish(moves: Iterable[tuple[Path, Path]]) -> None:
    """Rename each private file to its target, then make all the renames durable."""
    folders = set()
    for private, target in moves:
        make_dirs(target.parent)
        private.replace(target)
        folders.add(target.parent)
    for folder in folders:
        fsync_dir(folder)


def sweep_partial(folder: Path, *, older_than_s: float = DAY_S) -> None:
    """Remove what killed writers left in `folder`: private files and folders older than `older_than_s`, and their like.

    A file of a process that still runs is spared, and so is one of another machine on a shared disk.
    """
    for path in _named(folder, f"{_this_host()}."):
        if PARTIAL_SUFFIX in path.name:
            with suppress(OSError):  # another process may sweep at the same time
                if is_abandoned(path, older_than_s=older_than_s):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


def is_abandoned(path: Path, *, older_than_s: float) -> bool:
    """Whether nothing was written to a private file or folder for so long, and its writer does not run here.

    Raises:
        OSError: It is gone.
    """
    return path.stat().st_mtime < time.time() - older_than_s and not runs(path.name)


def _named(folder: Path, start: str, end: str = "") -> list[Path]:
    """What lies in a folder under a name that starts and ends so."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 -- each download asks; a path is made of the few that match
    except OSError:  # no such folder: nothing was left in it
        return []
    return [folder / name for name in names if name.startswith(start) and name.endswith(end)]


@functools.lru_cache(maxsize=1)
def _this_host() -> str:
    """A short, dot-free name of this machine that tells nobody what it is called."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def process_name() -> str:
    """`<host>.<pid>-<start>.<unique>`: a new name by which other processes can tell whether this one still runs."""
    return f"{_this_process(os.getpid())}{next(_names):08x}"


_names = itertools.count()


@functools.lru_cache(maxsize=1)
def _this_process(pid: int) -> str:
    """What all names of a process begin with; random, as containers that share a disk may give equal numbers."""
    return f"{_this_host()}.{pid}-{_started(pid)}.{secrets.token_hex(4)}"


os.register_at_fork(after_in_child=_this_process.cache_clear)


def runs(name: str) -> bool:
    """Whether the process that named something by `process_name` runs on this machine.

    A number is given again to another process, in a container that is started again even to the same one; so the
    instant counts at which it began.
    """
    pid, began = _number_in(name)
    return pid is not None and _runs(pid) and began in ("", _started(pid))


def has_gone(name: str) -> bool:
    """Whether the process that named something by `process_name`, if it was one of these numbers, surely runs no more.

    When it began may be hidden from other users (`hidepid`): then a number that runs may still be that process.
    """
    pid, began = _number_in(name)
    return pid is not None and (not _runs(pid) or (began != "" and _started(pid) not in ("", began)))


def _number_in(name: str) -> tuple[int | None, str]:
    """The number of the process of this machine that a name holds, if any, and when it began."""
    host, owner, *_ = (*name.split("."), "")
    pid, _, began = owner.partition("-")
    return (int(pid) if host == _this_host() and pid.isdigit() else None), began


def of_this_machine(name: str) -> bool:
    """Whether a process of this machine named something by `process_name`."""
    return name.startswith(f"{_this_host()}.")


def _started(pid: int) -> str:
    """When a process began, in ticks since the machine did; nothing where the system does not tell."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in lower-case hexadecimal."""
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_disk_full(error: OSError) -> bool:
    """Whether the error says that no space, quota or allowed file size is left."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
