"""Everything that items will be made of, on this machine now: complete, or an error that says what is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Literal

import numpy as np
import numpy.typing as npt

from datamint_like._cache import lease
from datamint_like._threads import Crew, taken
from datamint_like._words import counted
from datamint_like.dataset.options import settle_flags, whole_number
from datamint_like.dataset.prefetch_progress import Progress, Shown, Watch
from datamint_like.dataset.prefetch_rows import Job, Tally, wanted_files
from datamint_like.dataset.prefetch_tasks import done_by
from datamint_like.dataset.reader import Reader
from datamint_like.dataset.slice_reader import SliceReader
from datamint_like.exceptions import DatamintDatasetException, DatamintException, PrefetchError

OnError = Literal["raise", "report"]
#: Brings the splits of a project, and gives the names of their parts.
Bring = Callable[[], tuple[str, ...]]
#: How many failures a message names.
_NAMED = 5


@dataclass(frozen=True)
class PrefetchReport:
    """What a prefetch found in place and what it made; prints as a sentence.

    Attributes:
        resources: How many resources it was asked for.
        files: Their files, each there with the right bytes.
        size: Bytes of these files.
        masks: Files of segmentations, likewise; None where they were not asked for.
        cut: How slices were packed: `"axial"`, `"frames"`, ...; None where they were not asked for.
        packs_made: Packs of slices (of images, and of masks) that were missing.
        packs_there: Packs that were there.
        failures: One sentence for each file or pack (and for the splits) that could not be had; none where the
            prefetch is complete.
        splits: Parts of the project's saved split that `split()` finds without the server now; none of an embedded
            store, which is read in place.

    Example:
        >>> report = dataset.prefetch()
        >>> report.resources, report.files, report.is_complete
        (3, 3, True)
    """

    resources: int
    files: int
    size: int
    masks: int | None = None
    cut: str | None = None
    packs_made: int = 0
    packs_there: int = 0
    failures: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether everything is on this machine.

        Example:
            >>> dataset.prefetch(on_error="report").is_complete
            True
        """
        return not self.failures

    def __str__(self) -> str:
        masks = "" if self.masks is None else f" and {counted(self.masks, 'mask')}"
        packs = (
            ""
            if self.cut is None
            else f"; {counted(self.packs_made, 'pack')} of slices ({self.cut}) made, {self.packs_there} there already"
        )
        failures = f" Incomplete: {_told(self.failures)}" if self.failures else ""
        return (
            f"{counted(self.resources, 'resource')}: {counted(self.files, 'file')} ({self.size / 1e6:.1f} MB)"
            f"{masks} in place{packs}{self._told_splits()}.{failures}"
        )

    def _told_splits(self) -> str:
        more = f" and {len(self.splits) - _NAMED} more" if len(self.splits) > _NAMED else ""
        return f"; the project's split too ({', '.join(self.splits[:_NAMED])}{more})" if self.splits else ""


@dataclass(frozen=True)
class PrefetchOptions:
    """How a prefetch works.

    Attributes:
        include_annotations: The masks too.
        workers: Files that come at once, from 1; with an executor, in each of its tasks.
        executor: What does the work; None is threads of this process.
        on_error: `"raise"` or `"report"`.
        progress: A bar (True), nothing (False), or a function that is told.

    Raises:
        DatamintDatasetException: One is of another kind.
    """

    include_annotations: bool = False
    workers: int = 16
    executor: Executor | None = None
    on_error: OnError = "raise"
    progress: Progress = True

    def __post_init__(self) -> None:
        settle_flags(self, "include_annotations")
        object.__setattr__(self, "workers", whole_number("workers", self.workers, least=1))
        if isinstance(self.executor, type):
            raise DatamintDatasetException(
                f"executor is an executor and not its class: make one, such as {self.executor.__name__}(4)."
            )
        if self.executor is not None and not callable(getattr(self.executor, "submit", None)):
            raise DatamintDatasetException(
                f"executor is a concurrent.futures.Executor, or None, not {self.executor!r:.80}."
            )
        if self.on_error not in ("raise", "report"):
            raise DatamintDatasetException(f"on_error is 'raise' or 'report', not {self.on_error!r:.80}.")
        if not callable(self.progress):
            settle_flags(self, "progress")


def prefetch(
    reader: Reader,
    rows: npt.NDArray[np.int64],
    slices: SliceReader | None,
    options: PrefetchOptions,
    splits: Bring,
) -> PrefetchReport:
    """Bring and check the files of some rows (and of their masks), and pack their slices.

    A failure does not end it: everything else is done first.

    Args:
        reader: Where files come from.
        rows: Rows of the snapshot.
        slices: Along which cut slices are packed; None packs none.
        options: How.
        splits: Brings the saved splits, in a thread beside the files.

    Raises:
        AuthenticationError: The server refuses the key, or there is none; nothing more is tried.
        PrefetchError: A file is missing or damaged, cannot be decoded, or a pack cannot be written.
        CacheError: The files take more than the cache may hold; nothing was fetched.
    """
    asked: list[int] = np.unique(rows).tolist()
    cut = None if slices is None else slices.cut
    asking = (reader if slices is None else slices.reader).asking()  # whatever auto_update is: somebody called
    job = Job(asking, cut, options.include_annotations, options.workers)
    files, watch = wanted_files(reader, asked, include_annotations=options.include_annotations), Watch()
    what = f"The prefetch of {counted(len(asked), 'resource')}"
    brought: SimpleQueue[tuple[str, ...] | BaseException] = SimpleQueue()
    with (
        Crew[Bring, tuple[str, ...]](lambda bring: bring(), 1, brought) as beside,
        lease(reader.options.packs.cache, files.kept, size=files.size_kept, what=what) as watch.lease,
        Shown(watch, options.progress, files.size, len(asked)) as shown,
    ):
        beside.give(splits)
        if options.executor is None:
            tally = job.done(asked, watch, shown.glance)
        else:
            tally = done_by(options.executor, job, asked, watch, shown.glance)
    report = _with_splits(_report(len(asked), tally, None if cut is None else cut.pack_name, options), brought)
    if report.failures and options.on_error == "raise":
        raise PrefetchError(f"{what} is incomplete: {_told(report.failures)}", report.failures)
    return report


def _report(resources: int, tally: Tally, cut: str | None, options: PrefetchOptions) -> PrefetchReport:
    return PrefetchReport(
        resources=resources,
        files=tally.files,
        size=tally.size,
        masks=tally.masks if options.include_annotations else None,
        cut=cut,
        packs_made=tally.made,
        packs_there=tally.there,
        failures=tuple(each.text for each in sorted(tally.failures)),
    )


def _with_splits(report: PrefetchReport, brought: SimpleQueue[tuple[str, ...] | BaseException]) -> PrefetchReport:
    """The report with the splits, or one more failure."""
    try:
        return replace(report, splits=taken(brought.get()))
    except DatamintException as error:
        told = f"The splits of the project could not be had: {error}"
        return replace(report, failures=(*report.failures, told))


def _told(failures: Sequence[str]) -> str:
    more = f" And {len(failures) - _NAMED} more: see .failures." if len(failures) > _NAMED else ""
    return f"{counted(len(failures), 'failure')}. {' '.join(failures[:_NAMED])}{more}"
