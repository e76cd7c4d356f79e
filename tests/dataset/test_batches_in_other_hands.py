"""Batches of workers that others look at as well: forks, other processes, numpy, and workers that are gone."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from datamint_like.dataset import received_batches
from datamint_like.dataset.collate import Collate
from tests.dataset.test_batch_memory import COUNT, is_right, loader

CONTEXT = torch.multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def forks() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork of a process with threads
        yield


def blocks() -> int:
    return sum(len(each) for each in received_batches._mapped.values())


def test_a_fork_may_keep_a_batch_that_the_main_process_lets_go() -> None:
    batches = iter(loader(count=200))
    batch = next(batches)
    go, gone = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(gone)
        os.read(go, 1)  # until the epoch is over
        os._exit(0 if is_right(batch) else 1)
    del batch
    assert all(is_right(each) for each in batches)
    os.close(gone)
    assert os.waitpid(child, 0)[1] == 0
    os.close(go)


def test_forks_while_a_batch_is_held_make_workers_let_go_of_its_memory_and_no_more() -> None:
    batches, most = iter(loader(count=60, num_workers=1)), 0
    for batch in batches:
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        most = max(most, blocks())
        assert is_right(batch)
    assert 0 < most <= 20  # of 30 images, and as many numbers


def test_what_numpy_has_of_a_batch_stays_as_it_was_when_the_batch_is_sent_on() -> None:
    sent, arrays = CONTEXT.Queue(), []
    batches = iter(loader())
    for batch in batches:
        arrays.append(batch["image"].numpy())
        sent.put(batch["image"])
        assert torch.equal(sent.get(timeout=30), batch["image"])
    del batches
    gc.collect()
    assert [np.unique(array).tolist() for array in arrays] == [[2 * n, 2 * n + 1] for n in range(COUNT // 2)]


def test_a_batch_that_asks_for_a_gradient_can_be_sent_on() -> None:
    sent = CONTEXT.Queue()
    for batch in loader(lambda n: torch.full((1, 4, 4), float(n)), count=4):
        sent.put(batch["image"].requires_grad_())
        found = sent.get(timeout=30)
        assert found.requires_grad
        assert torch.equal(found, batch["image"])


class Copied:
    """A collation of a user's that sends each image to another process first."""

    def __init__(self, queue: Any) -> None:
        self.queue = queue

    def __call__(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        batch = Collate()(items)
        self.queue.put(batch["image"])
        time.sleep(0.01)  # so that the other process has it first
        return batch


def test_a_worker_may_send_its_batches_to_others_than_the_loader() -> None:
    images, told = CONTEXT.Queue(), CONTEXT.Queue()

    def others() -> None:
        found = [image.unique().tolist() for image in iter(images.get, None)]
        told.put(sorted(found))

    other = CONTEXT.Process(target=others)
    other.start()
    try:
        assert all(is_right(batch) for batch in loader(collate_fn=Copied(images)))
    finally:
        images.put(None)
    assert told.get(timeout=30) == [[2 * n, 2 * n + 1] for n in range(COUNT // 2)]
    other.join()


def as_another_type(items: list[dict[str, Any]]) -> dict[str, Any]:
    batch = Collate()(items)
    return batch | {"image": batch["image"].view(torch.bfloat16)}


def test_a_collation_may_see_a_type_in_a_batch_that_numpy_does_not_have() -> None:
    for batch in loader(collate_fn=as_another_type, timeout=30):
        assert is_right(batch | {"image": batch["image"].view(torch.int16)})


def large(number: int) -> torch.Tensor:
    return torch.full((1, 100, 100), number)


def test_memory_that_many_kept_batches_needed_goes_when_they_went() -> None:
    staying = loader(large, count=400, persistent_workers=True)
    kept = list(staying)
    many = blocks()
    assert many >= 400
    del kept
    for _ in range(2):
        assert all(is_right(batch) for batch in staying)
    assert blocks() < many / 4


def test_the_memory_of_workers_goes_when_they_end_though_the_iterator_is_kept() -> None:
    batches = iter(loader(sampler=range(COUNT)))
    kept = list(batches)
    assert multiprocessing.active_children() == []
    assert received_batches._mapped == {}
    assert all(is_right(batch) for batch in kept)


def test_a_worker_that_forks_gives_its_child_nothing_that_it_fills_again() -> None:
    assert all(is_right(batch) for batch in loader(collate_fn=forking))


def forking(items: list[dict[str, Any]]) -> dict[str, Any]:
    batch = Collate()(items)
    child = os.fork()
    if child == 0:
        Collate()([{"image": torch.full((1, 40, 40), -1, dtype=torch.int16)}] * 2)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    return batch


def elsewhere(_: int) -> None:
    torch.set_default_device("meta")


def test_a_default_device_of_ones_own_does_not_move_what_workers_lend() -> None:
    ones = torch.ones(1, 4, 4)
    found = list(loader(lambda _: ones, count=4, collate_fn=of_images, worker_init_fn=elsewhere))
    assert [batch["image"].device.type for batch in found] == ["cpu"] * 2


def of_images(items: list[dict[str, Any]]) -> dict[str, Any]:
    return Collate()([{"image": item["image"]} for item in items])


def test_no_python_code_that_could_swallow_an_interrupt_runs_where_a_batch_goes() -> None:
    batches = iter(loader())
    batch, called = next(batches), []
    sys.setprofile(lambda frame, event, _: called.append(frame.f_code.co_name) if event == "call" else None)
    try:
        del batch
    finally:
        sys.setprofile(None)
    assert called == []


# Loads with memory that torch shares by name, and tells how many of its names are left of the workers.
BY_NAME = """
import gc, os, torch
from datamint_like.dataset import received_batches
from tests.dataset.test_batch_memory import is_right, loader
torch.multiprocessing.set_sharing_strategy("file_system")
workers = set()
for _ in range(2):
    for batch in loader():
        assert is_right(batch)
        workers |= {f"torch_{pid}_" for pid, _ in received_batches._mapped}
del batch
gc.collect()
assert len(workers) == 4
print(sum(name.startswith(tuple(workers)) for name in os.listdir("/dev/shm")))
"""


def test_memory_that_torch_shares_by_name_goes_with_its_worker() -> None:
    done = subprocess.run([sys.executable, "-c", BY_NAME], capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout == "0\n", done.stderr
