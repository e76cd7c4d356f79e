"""What a prefetch does with some rows in one process: their files come in threads, their packs are built meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue

from datamint_like._threads import Crew, taken
from datamint_like.dataset.cut import Cut
from datamint_like.dataset.prefetch_progress import GLANCE_S, Arrival, Watch
from datamint_like.dataset.reader import Reader
from datamint_like.dataset.slice_reader import SliceReader
from datamint_like.entities import Annotation, Part, Resource
from datamint_like.exceptions import AuthenticationError, DatamintException

#: Results are looked at once in this time (s), not one by one: whoever waits for each takes turns with the threads.
_MOMENT_S = 0.005
#: How many files are given to the threads ahead, at least and to each, so that none has to wait for that.
_AHEAD, _AHEAD_OF_EACH = 64, 4


@dataclass(frozen=True, order=True)
class Failure:
    """What could not be had: of which row, which of its files (packs come after them), and why."""

    row: int
    number: int
    text: str


@dataclass
class Tally:
    """What was found in place or made.

    Attributes:
        packs: Where packs lie that nobody holds yet.
    """

    files: int = 0
    size: int = 0
    masks: int = 0
    made: int = 0
    there: int = 0
    packs: list[Path] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count what another counted, too."""
        self.files += other.files
        self.size += other.size
        self.masks += other.masks
        self.made += other.made
        self.there += other.there
        self.packs += other.packs
        self.failures += other.failures


@dataclass(frozen=True)
class WantedFiles:
    """The files of some rows.

    Attributes:
        size: Bytes of all files but those of masks, whose size is not known.
        kept: Where those lie, or will, that are kept in the cache folder, each once.
        size_kept: Bytes of these.
    """

    size: int
    kept: Collection[Path]
    size_kept: int


@dataclass(frozen=True)
class RowFiles:
    """The files of a row: the parts of its resource, then its masks that the dataset keeps."""

    row: int
    resource: Resource
    files: list[Part | Annotation]


def files_of(reader: Reader, rows: Iterable[int], *, include_annotations: bool) -> Iterator[RowFiles]:
    """The files of each of some rows; without annotations no masks are among them."""
    for row, found in reader.prepared.snapshot.some_rows(rows, annotations=include_annotations):
        masks = [each for each in reader.kept(found.annotations) if each.is_segmentation()]
        yield RowFiles(row, found.resource, [*found.parts, *masks])


def wanted_files(reader: Reader, rows: Sequence[int], *, include_annotations: bool) -> WantedFiles:
    """What is to be brought of some rows, before anything is."""
    size, kept = 0, dict[Path, int]()
    for found in files_of(reader, rows, include_annotations=include_annotations):
        for each in found.files:
            size += each.size if isinstance(each, Part) else 0
            if (path := reader.blobs.kept_path(each)) is not None:
                kept[path] = each.size if isinstance(each, Part) else 0
    return WantedFiles(size, kept.keys(), sum(kept.values()))


@dataclass(frozen=True)
class Job:
    """What is to be done with rows; pickles as the path of the snapshot and options, without a row or a key.

    Attributes:
        reader: Where files come from.
        cut: Along which cut slices are packed; None packs none.
        include_annotations: The masks too.
        workers: How many files are under way at once.
        watch: Calls it off; stays in the process that asked for it.
    """

    reader: Reader
    cut: Cut | None
    include_annotations: bool
    workers: int
    watch: Watch = field(default_factory=Watch, compare=False)

    def __reduce__(self) -> tuple[type[Job], tuple[Reader, Cut | None, bool, int]]:
        options = self.reader.options
        if self.cut is None and callable(options.read.intensity):  # a function may not travel, and nothing is decoded
            options = replace(options, read=replace(options.read, intensity="native"))
        return Job, (Reader(self.reader.prepared, options), self.cut, self.include_annotations, self.workers)

    def __call__(self, rows: Sequence[int], attempt: int = 1) -> Tally:
        """Do it, in whichever process this is; executors that keep results tell attempts apart."""
        return self.done(rows, self.watch.of_its_own())

    def done(self, rows: Iterable[int], watch: Watch, glance: Callable[[], None] = lambda: None) -> Tally:
        """What there is of some rows, once all of it was tried.

        Args:
            rows: Of the snapshot, each once.
            watch: Is told how far it is.
            glance: Called now and then by this thread.
        """
        return _Round(self, watch).done(rows, glance)

    @cached_property
    def slices(self) -> SliceReader | None:
        """What packs the slices."""
        return None if self.cut is None else SliceReader(self.reader, self.cut)


@dataclass(frozen=True)
class _File:
    row: int
    number: int
    resource: Resource
    what: Part | Annotation


@dataclass(frozen=True)
class _Done:
    """What came of one file, or (`packed`) of the packs of a row."""

    row: int
    tally: Tally
    packed: bool = False


class _Round:
    """One run of a job over rows."""

    def __init__(self, job: Job, watch: Watch) -> None:
        self._job = job
        self._watch = watch
        self._tally = Tally()
        self._under_way = 0
        self._left: dict[int, int] = {}  # files that each begun row still waits for
        self._failed: set[int] = set()  # begun rows of which a file failed

    def done(self, rows: Iterable[int], glance: Callable[[], None]) -> Tally:
        results: SimpleQueue[_Done | BaseException] = SimpleQueue()
        with (
            Crew(self._packed, 1, results, holds_exit=True) as packer,
            Crew(self._brought, self._job.workers, results) as crew,
        ):
            try:
                self._manage(rows, results, crew, packer, glance)
            except BaseException:  # also on KeyboardInterrupt: the threads shall not go on for nobody
                self._watch.call_off()
                raise
        return self._tally

    def _manage(
        self,
        rows: Iterable[int],
        results: SimpleQueue[_Done | BaseException],
        crew: Crew[_File, _Done],
        packer: Crew[int, _Done],
        glance: Callable[[], None],
    ) -> None:
        """Keep the threads busy until all is done; rows whose files are there go to the packer."""
        coming, fetching = self._files(rows, packer), 0
        ahead = max(_AHEAD, _AHEAD_OF_EACH * self._job.workers)
        while True:
            for each in islice(coming, ahead - fetching):
                crew.give(each)
                fetching += 1
                self._under_way += 1
            if not self._under_way:
                return
            glance()
            for result in _there(results):
                done = taken(result)
                self._under_way -= 1
                fetching -= not done.packed
                self._note(done, packer)

    def _files(self, rows: Iterable[int], packer: Crew[int, _Done]) -> Iterator[_File]:
        """What the rows are made of, file by file."""
        for found in files_of(self._job.reader, rows, include_annotations=self._job.include_annotations):
            self._left[found.row] = len(found.files)
            if not found.files:
                self._row_done(found.row, packer)
            for number, each in enumerate(found.files):
                yield _File(found.row, number, found.resource, each)

    def _note(self, result: _Done, packer: Crew[int, _Done]) -> None:
        row, failures = result.row, result.tally.failures
        result.tally.packs = self._watch.keep(result.tally.packs)
        self._tally.add(result.tally)
        self._watch.failures += len(failures)
        if result.packed:
            self._watch.resources_done += 1
            return
        if failures:
            self._failed.add(row)
        self._left[row] -= 1
        if not self._left[row]:
            self._row_done(row, packer)

    def _row_done(self, row: int, packer: Crew[int, _Done]) -> None:
        """The files of a row were tried: its packs are next, where all are there."""
        del self._left[row]
        if self._job.cut is None or row in self._failed:
            self._failed.discard(row)
            self._watch.resources_done += 1
            return
        self._under_way += 1
        packer.give(row)

    def _brought(self, file: _File) -> _Done:
        """A file in place, fetched where its store is a server."""
        self._watch.check()
        tally, blobs, what, arrival = Tally(), self._job.reader.blobs, file.what, Arrival(self._watch)
        with _Tried(tally, file.row, file.number, file.resource) as tried:
            if isinstance(what, Part):
                blobs.part_path(what, file.resource.filename, arrival)
                arrival(what.size)
                tally.files, tally.size = 1, what.size
            else:
                blobs.annotation_bytes(what)
                tally.masks = 1
        if tried.failed:
            arrival(0)
        return _Done(file.row, tally)

    def _packed(self, row: int) -> _Done:
        """The packs of a row whose files are in place."""
        self._watch.check()
        slices, tally = self._job.slices, Tally()
        assert slices is not None
        resource, annotations = self._job.reader.annotated_resource(row)
        if not self._job.include_annotations:
            annotations = []
        with _Tried(tally, row, _AFTER_FILES, resource):
            volume = slices.volume(row)
            _count(tally, slices.pack_image(volume))
            tally.packs = slices.pack_paths(volume, annotations)
        if any(each.is_segmentation() for each in annotations):
            with _Tried(tally, row, _AFTER_FILES + 1, resource):
                _count(tally, slices.pack_masks(slices.volume(row), annotations))
        return _Done(row, tally, packed=True)


def _there(results: SimpleQueue[_Done | BaseException]) -> Iterator[_Done | BaseException]:
    """Those results that are there after a moment; none where nothing is done for long."""
    with suppress(Empty):
        first = results.get(timeout=GLANCE_S)
        time.sleep(_MOMENT_S)
        yield first
        while True:
            yield results.get_nowait()


#: Beyond the number of any file of a resource.
_AFTER_FILES = 1 << 31


def _count(tally: Tally, made: bool) -> None:
    tally.made += made
    tally.there += not made


class _Tried:
    """A block whose failure is noted with the resource's name; that of a key ends all, which would fail alike."""

    def __init__(self, tally: Tally, row: int, number: int, resource: Resource) -> None:
        self._tally = tally
        self._where = row, number
        self._name = f"Resource {resource.id} ({resource.filename})"
        self.failed = False

    def __enter__(self) -> _Tried:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, DatamintException) or isinstance(error, AuthenticationError):
            return False
        text = str(error)
        told = text if text.startswith(self._name) else f"{self._name}: {text}"
        self._tally.failures.append(Failure(*self._where, told))
        self.failed = True
        return True
