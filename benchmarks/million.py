"""A project of a million resources with five million annotations, from the store to an item's record.

    python benchmarks/million.py                       # 1,000,000 resources; some ten minutes and 10 GB of disk
    python benchmarks/million.py --resources 20000     # the same, small

The rows are made up (header facts of radiographs, four readers, one file in place under as many digests: no pixel is
read). Times are wall-clock and CPU seconds; limits are those for a million, on two cores.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pickle
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from datamint_like import Api, ImageDataset
from datamint_like.backends.base import NewAnnotation, NewResource
from datamint_like.entities import Part
from datamint_like.exceptions import PatientLeakageWarning
from datamint_like.imaging.types import HeaderFacts

READERS = tuple(f"reader{n}@lab.example" for n in range(4))
MB = 1e6


def rows(count: int, file: Path) -> Iterator[NewResource]:
    """Radiographs, four of a patient, each with five annotations."""
    draw, size = random.Random(0), file.stat().st_size
    for n in range(count):
        digest = hashlib.sha256(str(n).encode()).hexdigest()
        yield NewResource(
            paths=(),
            filename=f"scan_{n:07d}.dcm",
            facts=facts(n, draw),
            parts=(Part(index=0, filename=f"scan_{n:07d}.dcm", size=size, sha256=digest, linked_path=str(file)),),
            tags=("chest", "follow-up") if n % 4 else ("chest", "baseline", f"site-{n % 40}"),
            annotations=annotations(n, draw),
        )


def facts(n: int, draw: random.Random) -> HeaderFacts:
    """What the header of such a file tells."""
    side, study = draw.choice((1024, 2048, 2560)), f"1.2.826.0.1.3680043.8.498.{draw.getrandbits(100)}"
    return HeaderFacts(
        format="dicom",
        kind="image",
        mimetype="application/dicom",
        channels=1,
        shape=(1, side, side),
        dtype="int16",
        modality="DX",
        patient_id=f"P{n // 4:07d}",
        study_uid=study,
        series_uid=f"{study}.1",
        instance_uid=f"{study}.1.1",
        details={
            "PhotometricInterpretation": "MONOCHROME2",
            "BitsStored": 12,
            "WindowCenter": float(draw.randrange(1000, 3000)),
            "WindowWidth": float(draw.randrange(500, 4000)),
            "ViewPosition": draw.choice(("PA", "AP", "LL")),
        },
    )


def annotations(n: int, draw: random.Random) -> tuple[NewAnnotation, ...]:
    """Labels, a category, a box and a number."""
    x, y = draw.uniform(0, 800), draw.uniform(0, 800)
    box = {"points": [[x, y], [x + 90, y + 120]]}
    return (
        NewAnnotation("label", draw.choice(("benign", "malignant", "normal")), author=READERS[n % 4]),
        NewAnnotation("label", draw.choice(("effusion", "nodule", "rib fracture")), author=READERS[(n + 1) % 4]),
        NewAnnotation("category", "view", value=draw.choice(("pa", "ap", "lateral")), author=READERS[n % 4]),
        NewAnnotation("square", "finding", "frame", 0, geometry=box, author=READERS[(n + 2) % 4]),
        NewAnnotation("float", "cardiothoracic ratio", value=draw.uniform(0.3, 0.7), author=READERS[n % 4]),
    )


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """What `work` gives, and how long it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    made = work()
    return made, {"s": round(time.perf_counter() - wall, 3), "cpu_s": round(time.process_time() - cpu, 3)}


def peak_mb() -> float:
    """The most memory that this process had so far."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB, 1)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def load(home: Path, count: int) -> dict[str, Any]:
    """Fill the store."""
    file = home / "pixels.bin"
    file.write_bytes(b"one file stands for all of them")
    api = Api(server_url=str(home / "store"))
    project = api.projects.create("million", "made up", return_entity=True)
    report, took = timed(lambda: api.resources.bulk_load(rows(count, file), project))
    assert report.made == count
    api.backend.close()
    return {"load": {**took, "peak_mb": peak_mb(), "store_mb": size_of(home / "store") / MB}}


def sync(home: Path, count: int) -> dict[str, Any]:
    """The first sync."""
    before = peak_mb()
    dataset, took = timed(lambda: opened(home).prepare())
    assert len(dataset) == count
    snapshot = dataset._prepared.snapshot.path
    size = snapshot.stat().st_size
    sizes = {"snapshot_mb": size / MB, "bytes_a_resource": round(size / count, 1)}
    return {"first_sync": {**took, "peak_mb": peak_mb(), "peak_mb_before": before, **sizes}}


def use(home: Path, count: int) -> dict[str, Any]:
    """What a training job does with the dataset."""
    warnings.simplefilter("ignore", PatientLeakageWarning)
    before, draw = memory_mb(), np.random.default_rng(0)
    dataset, reopened = timed(lambda: opened(home).prepare())
    held = memory_mb() - before
    some = draw.permutation(count)[: count // 2].tolist()
    subset, cut = timed(lambda: dataset.subset(some))
    results: dict[str, Any] = {
        "reopen": reopened,
        "dataset_mb": round(held, 1),
        "pickle_bytes": len(pickle.dumps(dataset)),
        "subset": cut,
        "subset_pickle_bytes_a_row": round((len(pickle.dumps(subset)) - 20_000) / len(some), 3),
    }
    for name, work in USES.items():
        found, took = timed(lambda work=work: work(dataset))  # type: ignore[misc]
        results[name] = {
            **took,
            "rows": [len(part) for part in found.values()] if isinstance(found, dict) else len(found),
        }
    places = draw.integers(0, count, 20_000).tolist()
    for name, sequence in (
        ("resources_i", dataset.resources),
        ("resource_annotations_i", dataset.resource_annotations),
    ):
        _, took = timed(lambda sequence=sequence: [sequence[place] for place in places])  # type: ignore[misc]
        results[name] = {unit.replace("s", "us"): round(time / len(places) * 1e6, 1) for unit, time in took.items()}
    _, results["fingerprint"] = timed(lambda: dataset.fingerprint)
    results["peak_mb"] = peak_mb()
    return results


USES: dict[str, Callable[[ImageDataset], Any]] = {
    "split": lambda d: d.split(train=0.8, val=0.1, test=0.1, seed=1),
    "split_by_patient": lambda d: d.split(train=0.8, val=0.2, seed=1, by_patient=True),
    "split_stratified": lambda d: d.split(train=0.8, val=0.2, seed=1, stratify="view"),
    "filter_tags": lambda d: d.filter(tags=["baseline"]),
    "filter_rare_tag": lambda d: d.filter(tags=["site-8"]),
    "filter_annotated": lambda d: d.filter(has_annotations=True),
    "filter_names": lambda d: d.filter(annotation_names=["malignant"]),
    "filter_patient": lambda d: d.filter(patient=["P0000001"]),
    "filter_size": lambda d: d.filter(size=((2000, 2000), None)),
}


def opened(home: Path) -> ImageDataset:
    return ImageDataset("million", server_url=str(home / "store"), cache_dir=home / "cache")


def memory_mb() -> float:
    """The memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MB


STEPS = {"load": load, "sync": sync, "use": use}
LIMITS = {
    "first_sync": "120 s, 1500 MB on disk",
    "reopen": "1 s",
    "dataset": "200 MB",
    "pickle": "20000 bytes; of a random subset 8 bytes a row + 20000",
    "split, filter(tags=)": "3 s",
    "resources[i]": "50 us",
}


def main() -> None:
    """Run each step in a process of its own, so that its memory is its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resources", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where to work; kept, and not filled again where it is filled")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        print(json.dumps(STEPS[given.step](given.folder, given.resources)))
        return
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    results: dict[str, Any] = {"resources": given.resources, **machine, "limits": LIMITS}
    with tempfile.TemporaryDirectory() as temporary:
        home = given.folder or Path(temporary)
        home.mkdir(exist_ok=True)
        for step in STEPS:
            if step == "load" and (home / "store").exists():
                continue
            command = [
                sys.executable,
                __file__,
                "--step",
                step,
                "--folder",
                str(home),
                "--resources",
                str(given.resources),
            ]
            results |= json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
