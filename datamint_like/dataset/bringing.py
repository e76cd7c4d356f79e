"""How a dataset brings all that it needs to this machine, before a training."""

from __future__ import annotations

from concurrent.futures import Executor
from functools import partial

from datamint_like.dataset.holdings import Holdings
from datamint_like.dataset.missing import forget_missing
from datamint_like.dataset.prefetch import OnError, PrefetchOptions, PrefetchReport, prefetch
from datamint_like.dataset.prefetch_progress import Progress
from datamint_like.dataset.saved_splits import bring
from datamint_like.dataset.slice_reader import SliceReader
from datamint_like.exceptions import DatamintDatasetException


class Bringing(Holdings):
    """The half of a dataset that brings its files and packs its slices."""

    def prefetch(
        self,
        include_annotations: bool = False,
        *,
        slices: str | int | None = None,
        workers: int = 16,
        executor: Executor | None = None,
        on_error: OnError = "raise",
        progress: Progress = True,
    ) -> PrefetchReport:
        """A report, once everything that items need is on this machine; it prints as a sentence.

        Files come several at once, and packs of slices are built meanwhile. A second call finds all there; one that
        was interrupted is gone on with where it stopped. Files of the embedded store lie in place: each is checked
        against its hash. The server is asked for the files of this very state, also with `auto_update=False`; only
        `DATAMINT_LIKE_OFFLINE=1` forbids it. The splits that are saved in the project come, too, so that `split()`
        without ratios gives them again without the server.

        Args:
            include_annotations: The files of kept segmentations too.
            slices: Also decode and pack the slices along an axis of volumes (`"axial"`, ...), or the `"frames"` of
                videos, and with `include_annotations` those of the masks; a sliced dataset packs its own.
            workers: How many files come at once; with an executor, in each of its tasks.
            executor: A `concurrent.futures.Executor` that does the work in small tasks, also in other processes or on
                other machines (`dask_client.get_executor()`) that see the same cache folder. They take the key of a
                server from `DATAMINT_LIKE_API_KEY`. A lost task is tried once more; while the executor waits for
                workers, so does this call.
            on_error: `"raise"` ends with a `PrefetchError` where something failed, `"report"` with a report that lists
                it; both after everything else was done.
            progress: True shows a bar on stderr (bytes, rate, time left), False nothing; a function is called with a
                `PrefetchProgress` some times a second, and what it raises ends the prefetch.

        Raises:
            AuthenticationError: The server refuses the key, or there is none; nothing more is tried.
            PrefetchError: Something is missing, damaged, or cannot be written; everything else was done first.
            CacheError: The files take more than the cache may hold (`cache_limit=`); nothing was fetched.
            DatamintDatasetException: These resources have no such slices, or an argument is of another kind.

        Example:
            >>> report = volumes.prefetch(include_annotations=True, slices="axial")
            >>> print(report)
            1 resource: 32 files (1.1 MB) and 4 masks in place; 2 packs of slices (axial) made, 0 there already.
        """
        options = PrefetchOptions(include_annotations, workers, executor, on_error, progress)
        self.prepare()
        try:
            splits = partial(bring, self._prepared, self._source, api_key=self._api_key)
            return prefetch(self._read, self._resource_rows(), self._slices_to_pack(slices), options, splits)
        finally:
            forget_missing()

    def _slices_to_pack(self, slices: str | int | None) -> SliceReader | None:
        """The cut along which `prefetch` packs slices; None for none."""
        if slices is None:
            return None
        raise DatamintDatasetException(f"The items of a {type(self).__name__} have no slices {slices!r} to prefetch.")
