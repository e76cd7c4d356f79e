"""Two real processes of a gloo group have one state of a project, or say so; none waits for one that failed."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist

from datamint_like import ImageDataset
from datamint_like.backends import open_backend
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.catalog import sync_project
from datamint_like.dataset import ranks
from datamint_like.exceptions import DatamintException
from datamint_like.testing.samples import project_of, upload

WORLD = 2


def state_of(dataset: ImageDataset) -> list[str]:
    snapshot = dataset.prepare()._prepared.snapshot
    return [snapshot.meta.revision, dataset.fingerprint]


def changed(url: str, text: str, number: int = 0) -> None:
    """Change what a dataset reads of a project."""
    store = open_backend(url)
    store.update_project(store.list_projects()[number].id, {"description": text})
    store.close()


def together(rank: int, url: str, folder: Path) -> Any:
    """Rank 0 opens the project, and it changes; then rank 1 opens it, and both once more."""
    dataset = ImageDataset(project="P", server_url=url, cache_dir=folder / "shared")
    if rank == 0:
        dataset.prepare()
        changed(url, "a")
    dist.barrier()
    return [state_of(dataset), state_of(ImageDataset(project="P", server_url=url, cache_dir=folder / "shared"))]


def apart(rank: int, url: str, folder: Path) -> Any:
    """Each rank has a cache of its own."""
    return state_of(ImageDataset(project="Q", server_url=url, cache_dir=folder / f"own {rank}"))


def parted(rank: int, url: str, folder: Path) -> Any:
    """Each rank has a cache of its own, and the store changes between them."""
    dataset = ImageDataset(project="R", server_url=url, cache_dir=folder / f"own {rank}")
    if rank == 0:
        dataset.prepare()
        changed(url, "b", 2)
    dist.barrier()
    return state_of(dataset) if rank == 0 else told(dataset)


def locked(rank: int, url: str, folder: Path) -> Any:
    """Both ranks open two projects as lock files hold them, each rank its own files."""
    seen = []
    for name in ("P", "Q"):
        lock = folder / f"{name} {rank}.lock"
        sync_project(open_backend(url), name, folder / f"locks {rank}").write_lock(lock)
        seen.append(state_of(ImageDataset(lock=lock, server_url=url, cache_dir=folder / f"locks {rank}"))[1])
    return seen


def told(dataset: ImageDataset) -> list[str]:
    """The error that preparing ends with."""
    try:
        dataset.prepare()
    except DatamintException as error:
        return [type(error).__name__, str(error)]
    raise AssertionError("it was prepared")


def fails(rank: int, url: str, folder: Path) -> Any:
    """The project is unknown, which rank 0 alone learns."""
    return told(ImageDataset(project="unknown", server_url=url, cache_dir=folder / "shared"))


def never_comes(rank: int, url: str, folder: Path) -> Any:
    """Rank 1 opens what rank 0 does not."""
    ranks.PATIENCE_S = 0.3
    return told(ImageDataset(project="none", server_url=url, cache_dir=folder / "shared")) if rank else None


def splits(rank: int, url: str, folder: Path) -> Any:
    """Each rank splits, and an assignment changes between them."""
    dataset = ImageDataset(project="P", server_url=url, cache_dir=folder / "shared").prepare()
    found = dataset.split() if rank == 0 else None
    if rank == 0:
        store = open_backend(url)
        project = store.list_projects()[0]
        store.assign_split(project.id, [each.id for each in store.list_project_resources(project.id)], "val")
        store.close()
    dist.barrier()
    return {name: [len(part), part.split_as_of_timestamp] for name, part in (found or dataset.split()).items()}


def dies(rank: int, url: str, folder: Path) -> Any:
    """Rank 0 is killed while it opens the project."""
    ranks.SILENCE_S = 0.5
    dataset = ImageDataset(project="S", server_url=url, cache_dir=folder / "shared")
    if rank == 1:
        return told(dataset)
    LocalBackend.find_project = lambda *_: os._exit(9)  # type: ignore[method-assign, assignment]
    return dataset.prepare()


SCENES: tuple[Callable[[int, str, Path], Any], ...] = (
    together, locked, apart, parted, fails, never_comes, splits, dies
)  # fmt: skip


def play(rank: int, folder: str, url: str) -> None:
    """What one process of the group sees, scene by scene, as JSON in a file."""
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    meeting = f"file://{folder}/meeting"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=WORLD, timeout=timedelta(minutes=1))
    seen: dict[str, Any] = {}
    for scene in SCENES:
        dist.barrier()
        seen[scene.__name__] = scene(rank, url, Path(folder))
        Path(folder, f"{rank}.json").write_text(json.dumps(seen), encoding="utf-8")
    os._exit(0)  # the group has lost a rank, so that it cannot end as usual


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes saw."""
    folder = tmp_path_factory.mktemp("ranks")
    url = (folder / "store").as_uri()
    store = open_backend(url)
    for name in ("P", "Q", "R"):
        project = project_of(store, upload(store), upload(store), name=name)
        store.assign_split(project.id, [store.list_project_resources(project.id)[0].id], "train")
    store.close()
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=play, args=(rank, str(folder), url)) for rank in range(WORLD)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [9, 0]
    return [json.loads((folder / f"{rank}.json").read_text(encoding="utf-8")) for rank in range(WORLD)]


def test_ranks_have_one_state_though_the_store_changes_between_them(seen: list[dict[str, Any]]) -> None:
    assert seen[0]["together"] == seen[1]["together"]
    assert seen[0]["together"][0] == seen[0]["together"][1]  # as long as the group lasts


def test_ranks_with_caches_of_their_own_have_one_state(seen: list[dict[str, Any]]) -> None:
    assert seen[0]["apart"] == seen[1]["apart"]


def test_a_rank_that_cannot_have_the_state_of_rank_0_names_both(seen: list[dict[str, Any]]) -> None:
    (first, _), (kind, message) = (rank["parted"] for rank in seen)
    assert kind == "DatamintDatasetException"
    assert f"at revision {first}, and this rank cannot: revision " in message
    assert "share one cache_dir" in message


def test_lock_files_need_no_agreement(seen: list[dict[str, Any]]) -> None:
    assert seen[0]["locked"] == seen[1]["locked"]
    assert len(set(seen[0]["locked"])) == 2


def test_the_failure_of_rank_0_is_that_of_all(seen: list[dict[str, Any]]) -> None:
    (kind, message), (other, later) = (rank["fails"] for rank in seen)
    assert kind == other == "ItemNotFoundError"
    assert later == f"Rank 0 could not prepare this dataset: {message}"


def test_a_rank_that_waits_for_what_rank_0_never_opens_says_so(seen: list[dict[str, Any]]) -> None:
    kind, message = seen[1]["never_comes"]
    assert kind == "DatamintDatasetException"
    assert "rank 0 to open project 'none'" in message
    assert "before init_process_group" in message


def test_ranks_read_the_splits_of_one_instant(seen: list[dict[str, Any]]) -> None:
    assert seen[0]["splits"] == seen[1]["splits"]
    assert seen[0]["splits"].keys() == {"train"}


def test_a_rank_0_that_is_killed_on_the_way_leaves_nobody_waiting(seen: list[dict[str, Any]]) -> None:
    kind, message = seen[1]["dies"]
    assert kind == "DatamintDatasetException"
    assert "was not heard of" in message


def test_a_process_alone_asks_nobody(tmp_path: Path) -> None:
    store = open_backend((tmp_path / "store").as_uri())
    project_of(store, upload(store), name="P")
    dataset = ImageDataset(project="P", server_url=store.url, cache_dir=tmp_path / "cache")
    assert state_of(dataset)[0] == sync_project(store, "P", tmp_path / "cache").meta.revision
    store.close()
