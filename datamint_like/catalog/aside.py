"""Where a snapshot goes whose cache folder cannot be written: into a folder that ends with the process.

Forked and spawned workers of the process read it there.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from multiprocessing.util import Finalize
from pathlib import Path

_folders: dict[int, Path] = {}  # of each process; a forked child makes its own


def may_write(folder: Path) -> bool:
    """Whether this process may write into a folder, or make it."""
    while not os.path.exists(folder) and folder != folder.parent:  # noqa: PTH110 -- false, not an error, where one may not look
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)


def aside() -> Path:
    """The folder of this process, for the user's eyes alone.

    Raises:
        OSError: There is no place for temporary files.
    """
    found = _folders.get(os.getpid())
    if found is None:
        made = Path(tempfile.mkdtemp(prefix="datamint-like-snapshots-"))
        found = _folders.setdefault(os.getpid(), made)
        if found == made:
            Finalize(None, shutil.rmtree, (made, True), exitpriority=0)  # at the end of a worker, too, and of no child
        else:
            made.rmdir()  # another thread was first
    return found
