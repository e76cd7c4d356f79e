"""Many damaged files, each read in a process that may die of it, counted by outcome."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
#: The longest that a case may take; a slow machine included.
LONGEST_S = 60.0


@dataclass
class Tally:
    """What became of the cases."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    def as_json(self) -> dict[str, object]:
        """For a report."""
        return {
            "cases": sum(self.outcomes.values()),
            "outcomes": dict(self.outcomes.most_common()),
            "failures": len(self.failures),
            "slowest_s": round(self.slowest_s, 2),
        }


def run(corpus: Path, scratch: Path, *, seed: int, count: int) -> Tally:
    """Read `count` damaged files; a child that dies is a failure, and another goes on after it."""
    tally, first = Tally(), 0
    scratch.mkdir(exist_ok=True)
    while first < count:
        first = _one_child(corpus, scratch, seed, first, count, tally)
    return tally


def _one_child(corpus: Path, scratch: Path, seed: int, first: int, count: int, tally: Tally) -> int:
    """Run cases from `first` until the child ends; the number of the next case."""
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.fuzz.child", str(corpus), str(scratch)]
    last_words = scratch.parent / "stderr.txt"
    case: dict[str, object] = {"case": first - 1}
    with (
        last_words.open("w") as errors,
        subprocess.Popen(
            [*command, str(seed), str(first), str(count - first)],
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=_ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        ) as child,
    ):
        for record in _records(child):
            if "case" in record:
                case = record
            else:
                _count(record, case, tally)
    done = int(str(case["case"])) + 1
    if done < count or child.returncode:
        words = last_words.read_text()[-2000:]
        tally.failures.append(f"{case}: the process ended with {child.returncode}: {words}")
        done = max(done, first + 1)
    return done


def _records(child: subprocess.Popen[bytes]) -> Iterator[dict[str, object]]:
    """What the child says; it is killed where it says nothing for too long."""
    assert child.stdout is not None
    while True:
        alarm = threading.Timer(LONGEST_S, child.kill)
        alarm.start()
        line = child.stdout.readline()
        alarm.cancel()
        if not line:
            return
        yield json.loads(line)


def _count(record: dict[str, object], case: dict[str, object], tally: Tally) -> None:
    if "failed" in record:
        tally.failures.append(f"{case}: {record['failed']}")
        tally.outcomes["failed"] += 1
        return
    tally.outcomes[str(record["outcome"])] += 1
    tally.slowest_s = max(tally.slowest_s, float(str(record["seconds"])))
