"""Whatever is kept of batches, in whichever hands, holds what it held when it came, at every moment."""

from __future__ import annotations

import gc
import os
import random
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tests.dataset.test_batch_memory import loader

#: From the images (2, 1, 40, 40) of a batch to what is kept of them.
KEEP: list[Callable[[torch.Tensor], Any]] = [
    lambda image: image,
    lambda image: image[1],
    lambda image: image.numpy(),
    lambda image: image.view(torch.uint8).flatten()[::3],
    lambda image: np.from_dlpack(image)[0, 0, ::7],
    lambda image: torch.from_numpy(image.numpy().T),
    lambda image: memoryview(image.numpy()).cast("B"),
    lambda image: image.add_(1000),
    lambda image: image.clone(),
    lambda image: torch.utils.data.default_collate([image, image]),
]


def seen(kept: Any) -> bytes:
    return kept.tobytes() if isinstance(kept, memoryview) else bytes(np.ascontiguousarray(kept))


class Keeper:
    """Keeps pieces of batches for a while, and what they held."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.kept: list[tuple[Any, bytes]] = []
        self.children: list[int] = []

    def take(self, image: torch.Tensor) -> None:
        piece = self.draw.choice(KEEP)(image)
        self.kept.append((piece, seen(piece)))
        while len(self.kept) > self.draw.choice((1, 5, 40)):
            self.kept.pop(self.draw.randrange(len(self.kept)))
        if self.draw.random() < 0.02:
            self.fork()
        if self.draw.random() < 0.02:
            gc.collect()

    def is_right(self) -> bool:
        return all(seen(piece) == held for piece, held in self.kept)

    def fork(self) -> None:
        """A child that looks at all that is kept for a moment longer, and lets some of it go before."""
        pause = self.draw.random() * 0.3
        child = os.fork()
        if child:
            self.children.append(child)
            return
        del self.kept[::2]
        time.sleep(pause)
        os._exit(0 if self.is_right() else 1)

    def end(self) -> None:
        assert [os.waitpid(child, 0)[1] for child in self.children] == [0] * len(self.children)


def run(seed: int, epochs: int) -> None:
    draw = random.Random(seed)
    keeper = Keeper(draw)
    batches = loader(count=draw.choice((60, 400)), num_workers=draw.choice((1, 2)), persistent_workers=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork of a process with threads
        for _ in range(epochs):
            last = draw.randrange(400)
            for n, batch in enumerate(batches):
                numbers = batch["number"].tolist()
                assert batch["image"][:, 0, 0, 0].tolist() == numbers
                keeper.take(batch["image"])
                if n % 20 == 0:
                    assert keeper.is_right()
                if n == last:
                    break
    assert keeper.is_right()
    keeper.end()


@pytest.mark.parametrize("seed", range(1))
def test_what_is_kept_of_batches_never_changes(seed: int) -> None:
    run(seed, epochs=4)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 130))
def test_what_is_kept_of_many_batches_never_changes(seed: int) -> None:
    run(seed, epochs=20)
