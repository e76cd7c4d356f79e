"""A prefetch by somebody's executor: rows travel in small tasks to other threads, processes or machines.

Promises: a task that is lost is tried once more, row by row; what is lost again is a failure that names its resource.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue

from datamint_like.dataset.prefetch_progress import GLANCE_S, Watch
from datamint_like.dataset.prefetch_rows import Failure, Job, Tally
from datamint_like.exceptions import AuthenticationError, DatamintException

#: Rows of one task at most, and how many tasks a small prefetch is cut into.
_LONGEST, _TASKS = 32, 64
#: Tasks that an executor holds at once.
_SUBMITTED = 512


def done_by(executor: Executor, job: Job, rows: Sequence[int], watch: Watch, glance: Callable[[], None]) -> Tally:
    """What there is of some rows, once an executor has tried all of it.

    Args:
        executor: What does the work; its processes see the same cache folder.
        job: What to do.
        rows: Of the snapshot, each once.
        watch: Is told how far it is.
        glance: Called now and then by this thread.
    """
    return _Tasks(executor, job, watch).done(rows, glance)


class _Tasks:
    """One run of a job in tasks of an executor."""

    def __init__(self, executor: Executor, job: Job, watch: Watch) -> None:
        self._executor = executor
        self._job = replace(job, watch=watch)
        self._watch = watch
        self._tally = Tally()
        self._open: dict[Future[Tally], tuple[int, ...]] = {}
        self._ended: SimpleQueue[Future[Tally]] = SimpleQueue()
        self._lost: dict[int, str] = {}  # rows, and why

    def done(self, rows: Sequence[int], glance: Callable[[], None]) -> Tally:
        try:
            self._try(_cut(rows), 1, glance)
            again, self._lost = sorted(self._lost), {}
            self._try(((row,) for row in again), 2, glance)
        except BaseException:  # also on KeyboardInterrupt: nothing shall begin, or go on, for nobody
            self._watch.call_off()
            for each in self._open:
                each.cancel()
            raise
        self._tally.failures += [self._failure(row, why) for row, why in sorted(self._lost.items())]
        self._watch.failures += len(self._lost)
        self._watch.resources_done += len(self._lost)
        return self._tally

    def _try(self, tasks: Iterator[tuple[int, ...]], attempt: int, glance: Callable[[], None]) -> None:
        """Let the executor do tasks; the rows of those that are lost are kept, with the reason."""
        for rows in tasks:
            self._submit(rows, attempt)
            while len(self._open) >= _SUBMITTED:
                self._take_one(glance)
        while self._open:
            self._take_one(glance)

    def _take_one(self, glance: Callable[[], None]) -> None:
        """Wait a little for a task that ends."""
        glance()
        with suppress(Empty):
            future = self._ended.get(timeout=GLANCE_S)
            self._note(future, self._open.pop(future))

    def _submit(self, rows: tuple[int, ...], attempt: int) -> None:
        try:
            future = self._executor.submit(self._job, rows, attempt)
        except Exception as error:  # noqa: BLE001 -- each executor says in its own way that it takes no more
            why = f"{_lost(error)}: the executor took none ({error!s:.200}). Give one that is open until all is done"
            self._lost |= dict.fromkeys(rows, why)
            return
        self._open[future] = rows
        future.add_done_callback(self._ended.put)

    def _note(self, future: Future[Tally], rows: tuple[int, ...]) -> None:
        try:
            tally = future.result()
        except AuthenticationError:  # each other task would end so
            raise
        except Exception as error:  # noqa: BLE001 -- each executor says in its own way that a worker is gone
            self._lost |= dict.fromkeys(rows, str(error) if isinstance(error, DatamintException) else _lost(error))
            return
        tally.packs = self._watch.keep(tally.packs)
        self._tally.add(tally)
        self._watch.moved(tally.size)
        self._watch.resources_done += len(rows)
        self._watch.failures += len(tally.failures)

    def _failure(self, row: int, why: str) -> Failure:
        resource = self._job.reader.prepared.snapshot.resource(row)
        return Failure(row, 0, f"Resource {resource.id} ({resource.filename}): {why}")


def _lost(error: Exception) -> str:
    return f"its task was lost ({type(error).__name__})"


def _cut(rows: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The rows in tasks: small ones, so that the progress is seen and little is lost."""
    length = max(1, min(_LONGEST, len(rows) // _TASKS))
    for start in range(0, len(rows), length):
        yield tuple(rows[start : start + length])
