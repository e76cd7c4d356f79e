"""How much memory a piece of work takes, and small files that inflate to much."""

from __future__ import annotations

import os
import resource
import zlib
from collections.abc import Callable


def memory_peak(work: Callable[[], object]) -> int:
    """Bytes by which a process that does this grows at most (a child: this one may have been larger before)."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            work()
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            os.write(write_end, str(grown * 1024).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return int(said)  # nothing was said where the work failed


def zeros(count: int, wbits: int) -> bytes:
    """Compressed zeros, made without having them in memory."""
    packer, piece = zlib.compressobj(1, wbits=wbits), bytes(1 << 20)
    return b"".join([*(packer.compress(piece) for _ in range(count >> 20)), packer.flush()])
