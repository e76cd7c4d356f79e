"""How a worker of a DataLoader starts: what it inherited stays shared with its parent."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass

from datamint_like.dataset.lent_batches import lend_batches


@dataclass(frozen=True)
class WorkerStart:
    """The `worker_init_fn` of our loaders.

    A forked worker shares the memory of its parent until it writes there, and Python's collector writes into every
    object that it looks at: its first full pass would copy some 60 MB of modules into each worker. Frozen, they are
    not looked at; what nobody refers to any more is freed all the same.

    Attributes:
        after: What the caller of the loader wants to be done in addition.
    """

    after: Callable[[int], object] | None = None

    def __call__(self, worker: int) -> None:
        """Start worker number `worker`."""
        gc.freeze()
        lend_batches()
        if self.after is not None:
            self.after(worker)
