"""The only place that writes files: under another name first, durable, then renamed.

Promise: a reader never sees a half-written file, and what `write_*` returned from survives a power cut.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

CHUNK = 1024 * 1024
PARTIAL_SUFFIX = ".partial"


def fsync_dir(folder: Path) -> None:
    """Make a rename inside `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_dirs(folder: Path, mode: int = 0o700) -> None:
    """Create `folder` and its parents, each made durable in its own parent."""
    missing = []
    current = folder
    while not current.exists():
        missing.append(current)
        current = current.parent
    for path in reversed(missing):
        path.mkdir(mode=mode, exist_ok=True)
        fsync_dir(path.parent)


@contextmanager
def new_file(target: Path) -> Iterator[IO[bytes]]:
    """An open binary file that becomes `target` when the block ends well, and is removed when it does not.

    The bytes are flushed to the disk before the rename and the folder after it.
    """
    partial = target.with_name(f"{target.name}.{os.getpid()}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
    try:
        with open(partial, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except BaseException:  # also on KeyboardInterrupt: the partial file must go, then the error goes on
        partial.unlink(missing_ok=True)
        raise
    fsync_dir(target.parent)


def write_bytes(target: Path, data: bytes) -> None:
    """Put `data` at `target`, whole or not at all."""
    with new_file(target) as file:
        file.write(data)


def build_file(target: Path, build: Callable[[Path], None]) -> None:
    """Let `build` make a file at a private path, then publish it as `target` durably.

    For writers that want a path, not an open file (SQLite). Whatever `build` leaves beside the private
    path under its name (a journal) is removed.
    """
    partial = target.with_name(f"{target.name}.{os.getpid()}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
    try:
        build(partial)
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        for leftover in partial.parent.glob(f"{partial.name}*"):
            leftover.unlink(missing_ok=True)
    fsync_dir(target.parent)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in lower-case hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_disk_full(error: OSError) -> bool:
    """Whether the error says that no space, quota or allowed file size is left."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
