"""The process that reads damaged files: it tells each case before it starts, so that a crash is known by its number.

Run as `python -m tests.fuzz.child CORPUS SCRATCH SEED FIRST COUNT`. Each line on stdout is one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.mutations import mutated

#: What a case may claim: no more voxels are decoded, and memory beyond this is not to be had.
MAX_VOXELS = 1 << 24
_MEMORY = 2 << 30


def main() -> None:
    corpus, scratch = Path(sys.argv[1]), Path(sys.argv[2])
    seed, first, count = (int(text) for text in sys.argv[3:])
    from tests.fuzz.targets import TARGETS, Unbounded, check_message

    files = sorted(corpus.iterdir())
    masks = [path for path in files if path.stem in ("seg", "fractions", "labels", "structures") or "seg" in path.name]
    _limit_memory()
    for number in range(first, first + count):
        rng = random.Random(seed * 1_000_003 + number)
        target = rng.choice(tuple(TARGETS))
        source = rng.choice(masks if target == "segments" else files)
        path = scratch / f"damaged{Path(source.name).suffix}"
        path.write_bytes(mutated(source.read_bytes(), rng))
        _say({"case": number, "file": source.name, "target": target})
        _say(_outcome(TARGETS[target], path, check_message, Unbounded))


def _outcome(
    target: Callable[[Path], None],
    path: Path,
    check: Callable[[Exception, Path], None],
    unbounded: type[Exception],
) -> dict[str, object]:
    start = time.perf_counter()
    try:
        target(path)
        result = "read"
    except Exception as error:  # noqa: BLE001 -- which classes may come out is what is tested
        try:
            check(error, path)
            result = type(error).__name__
        except (AssertionError, unbounded):
            return {"failed": "".join(traceback.format_exception(error))[-3000:]}
    return {"outcome": result, "seconds": time.perf_counter() - start}


def _limit_memory() -> None:
    """Let this process have 2 GiB more than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    if pages:
        limit = pages * os.sysconf("SC_PAGE_SIZE") + _MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _say(record: dict[str, object]) -> None:
    sys.__stdout__.write(json.dumps(record) + "\n")
    sys.__stdout__.flush()


if __name__ == "__main__":
    main()
