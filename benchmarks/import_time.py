"""How long `import datamint_like` takes above an empty interpreter, printed as JSON (budget: 0.15 s)."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

BUDGET_S = 0.15


def seconds(code: str) -> float:
    """Wall time of one fresh interpreter that runs `code`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def measure(runs: int) -> dict[str, float | int | bool]:
    """Medians over `runs` interleaved pairs, so that a slow minute hits both sides alike."""
    seconds("import datamint_like")  # the first one compiles
    pairs = [(seconds("pass"), seconds("import datamint_like")) for _ in range(runs)]
    empty = statistics.median(before for before, _ in pairs)
    above = statistics.median(after - before for before, after in pairs)
    return {
        "runs": runs,
        "empty_interpreter_s": round(empty, 4),
        "import_above_empty_s": round(above, 4),
        "budget_s": BUDGET_S,
        "within_budget": above < BUDGET_S,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=30)
    result = measure(parser.parse_args().runs)
    print(json.dumps(result))
    return 0 if result["within_budget"] else 1


if __name__ == "__main__":
    sys.exit(main())
