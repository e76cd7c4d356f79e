"""A file whose reads never ask for more memory than there are bytes left: lengths in a damaged header lie."""

from __future__ import annotations

import io
import os
from pathlib import Path

#: Reads of up to this many bytes are left alone.
_HARMLESS = 1 << 20


class BoundedFile(io.BufferedReader):
    """A file open for reading; a read beyond its end allocates no more than what is left of it."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            OSError: It cannot be opened.
        """
        super().__init__(io.FileIO(path, "rb"))
        self._end = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """The next `size` bytes, or those that are left."""
        if size is not None and size > _HARMLESS:
            size = min(size, max(0, self._end - self.tell()))
        return super().read(size)
