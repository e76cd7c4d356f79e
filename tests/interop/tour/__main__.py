"""Make one stage of the tour: `python -m tests.interop.tour VERSION STAGE FILES NOTES REPORT`.

The client finds the server by its own environment variables. A step that fails does not end the tour; the report holds,
for each step, its time and what went wrong.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

from tests.interop.tour.chapters import CHAPTERS
from tests.interop.tour.guide import STEPS, Tour


def main(version: str, stage: str, files: str, notes: str, report: str) -> None:
    """Run the steps of a stage and write what came of them."""
    warnings.simplefilter("ignore")  # the client's own
    for chapter in CHAPTERS:
        importlib.import_module(f"tests.interop.tour.{chapter}")
    import datamint

    held: dict[str, Any] = json.loads(Path(notes).read_text()) if Path(notes).exists() else {}
    tour = Tour(version, datamint.Api(), Path(files), Path(notes).parent, held)
    outcomes: dict[str, dict[str, Any]] = {}
    Path(report).write_text("{}")
    for each in STEPS:
        if each.stage != stage or version not in each.clients:
            continue
        started = time.monotonic()
        outcome: dict[str, Any] = {"failed": None}
        try:
            each.make(tour)
        except Exception:  # noqa: BLE001 -- the test shows it
            outcome["failed"] = traceback.format_exc()
        outcome["took_s"] = round(time.monotonic() - started, 2)
        outcomes[each.name] = outcome
        Path(report).write_text(json.dumps(outcomes))
        Path(notes).write_text(json.dumps(tour.notes))


if __name__ == "__main__":
    main(*sys.argv[1:])
