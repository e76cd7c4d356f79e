"""A sync of the rows that changed beside a copy of the whole project, in one run.

    python benchmarks/incremental_sync.py                                   # 100 changed of 100,000 resources
    python benchmarks/incremental_sync.py --resources 20000 --changed 20

The rows are those of `million.py` (made up, five annotations each); a changed one got a label and a tag, one in ten
left the project, and as many came to it. Times are wall-clock and CPU seconds, medians of the rounds; both ways end
with the file on the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from million import rows, timed

from datamint_like import Api
from datamint_like.backends.base import Backend, NewAnnotation
from datamint_like.catalog import Snapshot, sync_project


def changed(store: Backend, ids: list[str], project_id: str, extra: list[str], number: int) -> None:
    """Change this many resources."""
    step = len(ids) // number
    chosen = ids[step // 2 :: step][:number]
    for each in chosen:
        store.create_annotations(each, [NewAnnotation("label", "second look")])
    store.add_tags(chosen, ["seen"])
    leaving = chosen[::10]
    store.remove_project_resources(project_id, leaving)
    store.add_project_resources(project_id, extra[: len(leaving)])


def measure(home: Path, count: int, number: int, rounds: int) -> dict[str, Any]:
    """Both ways, in turn."""
    api = Api(server_url=str(home / "store"))
    project = api.projects.create("p", "made up", return_entity=True)
    other = api.projects.create("other", "made up", return_entity=True)
    file = home / "pixels.bin"
    file.write_bytes(b"one file stands for all of them")
    made = list(rows(count + number, file))
    api.resources.bulk_load(made[:count], project)
    api.resources.bulk_load(made[count:], other)
    store = api.backend
    extra = [each.id for each in store.list_project_resources(other.id)]
    sync_project(store, "p", home / "cache")
    found: dict[str, list[dict[str, float]]] = {"whole": [], "changes": [], "unchanged": []}
    for _ in range(rounds):
        ids = [each.id for each in store.list_project_resources(project.id)]
        changed(store, ids, project.id, extra, number)
        extra = extra[number // 10 :]
        shutil.rmtree(home / "whole", ignore_errors=True)
        os.sync()
        whole, took = timed(lambda: sync_project(store, "p", home / "whole"))
        found["whole"].append(took)
        os.sync()
        snapshot, took = timed(lambda: sync_project(store, "p", home / "cache"))
        found["changes"].append(took)
        assert same(whole, snapshot)
        _, took = timed(lambda: sync_project(store, "p", home / "cache"))
        found["unchanged"].append(took)
    store.close()
    medians = {
        how: {key: statistics.median(row[key] for row in some) for key in some[0]} for how, some in found.items()
    }
    return {
        **medians,
        "whole_over_changes": round(medians["whole"]["s"] / medians["changes"]["s"], 1),
        "snapshot_mb": round(snapshot.path.stat().st_size / 1e6, 1),
    }


def same(one: Snapshot, other: Snapshot) -> bool:
    """Whether two snapshots hold the same rows."""
    return one.meta == other.meta and all(one.column(each) == other.column(each) for each in ("id", "digest"))


def main() -> None:
    """Print the figures as JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--resources", type=int, default=100_000)
    options.add_argument("--changed", type=int, default=100)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    with tempfile.TemporaryDirectory() as home:
        found = measure(Path(home), given.resources, given.changed, given.rounds)
    print(json.dumps({"resources": given.resources, "changed": given.changed, **machine, **found}, indent=1))


if __name__ == "__main__":
    main()
