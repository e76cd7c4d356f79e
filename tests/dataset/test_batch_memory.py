"""Batches of workers lie in memory that is used again, and never while anything still looks at it."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from datamint_like.dataset import received_batches
from datamint_like.dataset.collate import Collate
from datamint_like.dataset.loader import loader_of
from datamint_like.dataset.sliced_dataset import SlicedVolumeDataset
from tests.dataset.conftest import Shelf, slices_of

COUNT = 60


class Numbered(Dataset[dict[str, Any]]):
    """Items that hold their number at every place, made by a function of the number."""

    def __init__(self, make: Callable[[int], torch.Tensor], count: int = COUNT) -> None:
        self.make = make
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"image": self.make(int(index)), "number": torch.tensor(int(index)), "name": str(int(index))}


def plain(number: int) -> torch.Tensor:
    return torch.full((1, 40, 40), number, dtype=torch.int16)


def growing(number: int) -> torch.Tensor:
    return torch.full((1, 10 * number + 1, 100), number)


@pytest.fixture(autouse=True)
def forks() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork of a process with threads
        warnings.filterwarnings("ignore", "Sparse invariant checks")  # torch's own way of receiving such a tensor
        yield


def loader(make: Callable[[int], torch.Tensor] = plain, batch_size: int = 2, **options: Any) -> Any:
    options = {"num_workers": 2, "multiprocessing_context": "fork", "collate_fn": Collate()} | options
    return loader_of(Numbered(make, options.pop("count", COUNT)), 1, Collate(), batch_size=batch_size, **options)


def is_right(batch: dict[str, Any]) -> bool:
    numbers = [int(name) for name in batch["name"]]
    held = [image.unique().tolist() for image in batch["image"]]
    return held == [[n] for n in numbers] and batch["number"].tolist() == numbers


def test_batches_that_are_kept_stay_as_they_came() -> None:
    kept = list(loader())
    assert len(kept) == COUNT // 2
    assert all(is_right(batch) for batch in kept)


def test_batches_that_are_let_go_lend_their_memory_to_the_next() -> None:
    places = set()
    for batch in loader(count=200):
        assert is_right(batch)
        places.add(batch["image"].data_ptr())
    assert len(places) <= 12  # two workers, each with two batches on the way, one being made, one here


def test_any_view_of_a_batch_keeps_its_memory() -> None:
    row, array, piece, memory = [], [], [], []
    for batch in loader():
        row.append(batch["image"][1, 0, 3])
        array.append(batch["image"].numpy()[0, :, ::2])
        piece.append(batch["image"].view(torch.uint8).flatten()[::2])
        memory.append(memoryview(batch["image"].numpy()).cast("B"))
        del batch
    gc.collect()
    for n in range(COUNT // 2):
        assert row[n].unique().tolist() == [2 * n + 1]
        assert np.unique(array[n]).tolist() == [2 * n]
        assert sorted(piece[n].unique().tolist()) == [2 * n, 2 * n + 1]
        assert set(memory[n][::2]) == {2 * n, 2 * n + 1}


def test_a_batch_may_be_changed_in_place() -> None:
    changed = [batch["image"].add_(100) for batch in loader()]
    assert [image.unique().tolist() for image in changed] == [[100 + 2 * n, 101 + 2 * n] for n in range(COUNT // 2)]


def first_rows(items: list[dict[str, Any]]) -> dict[str, Any]:
    """A collation of a user's that sends pieces of what ours made, some twice, and not the whole."""
    batch = Collate()(items)
    image = batch.pop("image")
    return batch | {"first": image[:, :, 0], "last": image[:, :, -1].transpose(0, 1), "again": image[:, :, 0]}


def test_pieces_that_a_collation_of_ones_own_sends_are_right_for_as_long_as_one_is_kept() -> None:
    kept = [batch["last" if n % 2 else "first"] for n, batch in enumerate(loader(collate_fn=first_rows))]
    assert [piece.unique().tolist() for piece in kept] == [[2 * n, 2 * n + 1] for n in range(COUNT // 2)]


def many_pieces(items: list[dict[str, Any]]) -> list[torch.Tensor]:
    image = Collate()(items)["image"]
    return [image[0, 0, n % 40] for n in range(100)]


def test_more_pieces_of_a_batch_than_its_memory_counts_are_right() -> None:
    for n, pieces in enumerate(list(loader(collate_fn=many_pieces))):
        assert {piece.unique().item() for piece in pieces} == {2 * n}


def test_batches_of_other_sizes_take_the_place_of_those_that_are_not_needed() -> None:
    most = 0
    for batch in loader(growing, batch_size=1):
        assert is_right(batch)
        held = [block for blocks in received_batches._mapped.values() for block in blocks.values()]
        most = max(most, sum(block.nbytes for block in held))
    biggest = growing(COUNT - 1).nbytes
    assert most < 12 * biggest


def not_numpy(number: int) -> torch.Tensor:
    return torch.full((1, 4, 4), number, dtype=torch.bfloat16)


def sparse(number: int) -> torch.Tensor:
    return torch.full((1, 4, 4), number).to_sparse()


def with_gradient(number: int) -> torch.Tensor:
    return torch.full((1, 4, 4), float(number), requires_grad=True)


def conjugated(number: int) -> torch.Tensor:
    return torch.full((1, 4, 4), complex(number, 1)).conj()


def empty(number: int) -> torch.Tensor:
    return torch.full((1, 0, 4), number)


def none_of_it(items: list[dict[str, Any]]) -> dict[str, Any]:
    batch = Collate()(items)
    return batch | {"image": batch["image"][:, :, :0]}


def test_a_piece_without_an_element_arrives_as_such() -> None:
    assert [batch["image"].shape for batch in loader(count=4, collate_fn=none_of_it)] == [(2, 1, 0, 40)] * 2


@pytest.mark.parametrize("make", [not_numpy, sparse, conjugated, empty])
def test_tensors_of_all_kinds_arrive_as_in_the_main_process(make: Callable[[int], torch.Tensor]) -> None:
    here = loader(make, num_workers=0, multiprocessing_context=None)
    for found, expected in zip(list(loader(make)), here, strict=True):
        assert found["image"].dtype == expected["image"].dtype
        assert torch.equal(found["image"].to_dense(), expected["image"].to_dense())


def detached(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {key: value.detach() if key == "image" else value for key, value in Collate()(items).items()}


def test_images_with_a_gradient_stack_in_workers_too() -> None:
    assert all(is_right(batch) for batch in list(loader(with_gradient, collate_fn=detached)))


def test_the_memory_of_workers_goes_with_them_and_not_what_was_kept_of_it() -> None:
    kept = list(loader())
    assert received_batches._mapped == {}
    staying = loader(persistent_workers=True)
    kept += list(staying)
    assert len(received_batches._mapped) == 2
    del staying
    gc.collect()
    assert received_batches._mapped == {}
    assert all(is_right(batch) for batch in kept)


def test_two_loops_over_one_loader_and_loops_that_end_early_do_not_disturb_each_other() -> None:
    one = loader()
    kept = [next(iter(one)) for _ in range(3)]
    for left, right in zip(one, one, strict=True):
        assert torch.equal(left["image"], right["image"])
        kept += [left, right]
    staying = loader(persistent_workers=True)
    for _ in range(3):
        for n, batch in enumerate(staying):
            kept.append(batch)
            if n == 5:
                break
    assert all(is_right(batch) for batch in kept)


def test_a_fork_that_lets_a_batch_go_does_not_give_its_memory_away() -> None:
    batches = iter(loader())
    batch = next(batches)
    child = os.fork()
    if child == 0:
        del batch
        gc.collect()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert all(is_right(each) for each in batches)
    assert is_right(batch)


def test_batches_outlive_a_worker_that_is_killed() -> None:
    one = loader(count=1000, num_workers=1)
    batches = iter(one)
    kept = [next(batches) for _ in range(3)]
    (worker,) = {pid for pid, _ in received_batches._mapped}
    os.kill(worker, signal.SIGKILL)
    with pytest.raises((RuntimeError, OSError)):  # that it is gone, or that it does not answer
        list(batches)
    assert all(is_right(batch) for batch in kept)
    assert all(is_right(batch) for batch in one)


def test_batches_can_be_saved_and_sent_on(tmp_path: Path) -> None:
    batch = next(iter(loader()))
    torch.save(batch["image"], tmp_path / "image.pt")
    assert torch.equal(torch.load(tmp_path / "image.pt"), batch["image"])
    assert torch.equal(pickle.loads(pickle.dumps(batch["image"])), batch["image"])
    context = torch.multiprocessing.get_context("fork")
    there, back = context.Queue(), context.Queue()
    child = context.Process(target=lambda: back.put(bool(is_right(there.get(timeout=30)))))
    child.start()
    there.put(batch)
    assert back.get(timeout=30)
    child.join()
    assert is_right(batch)


def test_a_loader_of_torchs_own_goes_the_way_of_torch() -> None:
    own = torch.utils.data.DataLoader(
        Numbered(plain), batch_size=2, num_workers=1, collate_fn=Collate(), multiprocessing_context="fork"
    )
    for batch in own:
        assert is_right(batch)
        assert batch["image"].is_shared()
    assert received_batches._mapped == {}


# Loads with the other way in which torch shares memory, and tells whether the batches are right.
BY_NAME = """
import torch
from tests.dataset.test_batch_memory import COUNT, is_right, loader
torch.multiprocessing.set_sharing_strategy("file_system")
found = list(loader(multiprocessing_context="spawn"))
assert len(found) == COUNT // 2 and all(is_right(batch) for batch in found)
print("right")
"""


def test_memory_that_torch_shares_by_name_is_used_alike() -> None:
    done = subprocess.run([sys.executable, "-c", BY_NAME], capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout == "right\n", done.stderr


@pytest.fixture
def slices(shelf: Shelf, tmp_path: Path) -> SlicedVolumeDataset:
    return slices_of(shelf, tmp_path, return_segmentations=False)


def test_slices_of_a_real_series_come_in_memory_that_is_used_again(slices: SlicedVolumeDataset) -> None:
    expected = [item["image"] for item in slices]
    places = set()
    for _ in range(3):
        for n, batch in enumerate(slices.get_dataloader(2, num_workers=2, multiprocessing_context="fork")):
            assert torch.equal(batch["image"], torch.stack(expected[2 * n : 2 * n + 2]))
            places.add(batch["image"].data_ptr())
            del batch
    assert len(places) < 3 * 16
