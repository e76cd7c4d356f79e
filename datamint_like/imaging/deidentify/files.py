"""Files of any format without identity, written under neutral names into a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from datamint_like._files import chunks_of, is_disk_full, new_file, sha256_of
from datamint_like.exceptions import DecodeError, GeometryError, StorageError, ValidationError
from datamint_like.imaging._reading_errors import reading
from datamint_like.imaging.deidentify.dicom_file import clean_dicom
from datamint_like.imaging.deidentify.nifti import clean_nifti
from datamint_like.imaging.deidentify.options import DeidentifyOptions
from datamint_like.imaging.deidentify.pictures import clean_picture
from datamint_like.imaging.deidentify.pseudonyms import Pseudonyms
from datamint_like.imaging.deidentify.report import DeidentificationReport, Tally
from datamint_like.imaging.deidentify.tiff import clean_tiff
from datamint_like.imaging.deidentify.video import clean_video
from datamint_like.imaging.dicom.series_uid import series_uid_of
from datamint_like.imaging.nifti_pairs import Pairs, pair_up
from datamint_like.imaging.registry import decoder_named, decoder_of
from datamint_like.imaging.sniff import VIDEO_EXTENSIONS, is_gzip, is_tiff, picture_extension, read_head, video_mimetype
from datamint_like.imaging.types import HeaderFacts, Skipped, SourceFile

#: Facts that tell who, or what was dropped on purpose; all others are the same before and after.
_MAY_DIFFER = frozenset({"patient_id", "study_uid", "series_uid", "instance_uid", "details"})
_PLAINER = "Export it as single slices or pages, or in a form that needs none of them."


@dataclass(frozen=True)
class Deidentified:
    """What a de-identification gave.

    Attributes:
        files: For each file taken the one without identity.
        skipped: Files that were not taken, with the reason.
        report: What was done to the others.
    """

    files: Mapping[Path, Path]
    skipped: tuple[Skipped, ...]
    report: DeidentificationReport


def deidentify_files(
    paths: Iterable[Path],
    folder: Path,
    options: DeidentifyOptions,
    progress: Callable[[int], None] | None = None,
) -> Deidentified:
    """Write each file without identity into `folder`, in the order of the paths; equal files give equal bytes.

    DICOM (images, segmentations, structure sets): the basic profile of PS3.15 Annex E with dates shifted by one
    offset a patient, UIDs and patient ids replaced consistently, private elements removed. NIfTI: texts and extensions.
    Pictures and videos: metadata, never the coded pixels. A file whose place or values would change is not taken.

    Args:
        paths: Files; the header and the image of a NIfTI pair are found by their names.
        folder: An empty folder.
        options: The secret, and what stays.
        progress: Called with 1 after each file.

    Raises:
        MissingExtraError: The package with the profile's table is not installed (extra `deid`).
        StorageError: The disk is full.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     done = deidentify_files([Path("ct/IM0000.dcm")], Path(folder), DeidentifyOptions(b"0123456789abcdef"))
        ...     done.report.files, done.report.rules["shifted"]["StudyDate"]
        (1, 1)
    """
    worker = _Worker(sorted(set(paths)), folder, options)
    for path in worker.paths:
        worker.take(path)
        if progress is not None:
            progress(1)
    return Deidentified(worker.files, tuple(worker.skipped), worker.tally.report())


class _Worker:
    """Takes file by file, and keeps what became of each."""

    def __init__(self, paths: Sequence[Path], folder: Path, options: DeidentifyOptions) -> None:
        self.paths = paths
        self.files: dict[Path, Path] = {}
        self.skipped: list[Skipped] = []
        self.tally = Tally()
        self._folder = folder
        self._options = options
        self._stems: Counter[str] = Counter()
        self._names = Pseudonyms(options.secret)
        self._pairs: Pairs = pair_up(paths)
        self._images = set(self._pairs.images.values())

    def take(self, path: Path) -> None:
        """Write one file, or the two of a pair, anew."""
        if path in self._images:
            return
        parts = self._pairs.parts(path)
        sources = [SourceFile(part, part.name) for part in parts]
        place = self._folder / f"{len(self.files) + len(self.skipped):06d}"  # keeps the order of names
        counts = Tally()
        try:
            with reading(sources[0]), _room():
                place.mkdir()
                made = self._write(sources, place, counts)
        except (DecodeError, GeometryError) as error:
            self._skip(sources, str(error))
        except ValidationError as error:
            self._skip(sources, f"{path.name}: it cannot be de-identified: {error}")
        else:
            self.files.update(zip(parts, made, strict=True))
            self.tally.take(counts)

    def _stem(self, source: SourceFile) -> str:
        """A name by the bytes, numbered where several files have the same."""
        stem = self._names.token(sha256_of(source.path))
        self._stems[stem] += 1
        return stem if self._stems[stem] == 1 else f"{stem}-{self._stems[stem]}"

    def _skip(self, sources: Sequence[SourceFile], reason: str) -> None:
        """Leave files out; their series goes by the UID that it has without identity."""
        uid = series_uid_of(sources[0])
        series = self._names.uid(uid) if uid else None
        self.skipped += [Skipped(source.path, reason, series) for source in sources]

    def _write(self, sources: Sequence[SourceFile], place: Path, counts: Tally) -> list[Path]:
        source = sources[0]
        decoder = decoder_of(source.path, source.name).format
        stem = self._stem(source)
        targets = [place / (stem + extension) for extension in _extensions(sources, decoder)]
        if decoder == "dicom":
            clean_dicom(source, targets[0], self._options, counts)
        elif decoder == "nifti":
            clean_nifti(sources, targets, counts)
        elif decoder == "video":
            clean_video(source, video_mimetype(read_head(source.path)) or "", targets[0], counts)
            return targets  # whose facts would be found by decoding all of it
        else:
            data = b"".join(chunks_of(source.path))
            with new_file(targets[0], durable=False) as file:
                file.write((clean_tiff if decoder == "tiff" else clean_picture)(data, counts))
        _refuse_changed(sources, targets, decoder)
        return targets


@contextmanager
def _room() -> Iterator[None]:
    """A block in which a full disk is no fault of the file."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise StorageError(
                "The disk with the temporary folder is full, so nothing can be anonymized there. Make room, or point "
                "TMPDIR to a folder on another disk."
            ) from error
        raise


def _extensions(sources: Sequence[SourceFile], decoder: str) -> list[str]:
    """What the new names end with."""
    head = read_head(sources[0].path)
    if decoder == "dicom":
        return [".dcm"]
    if decoder == "video":
        return [VIDEO_EXTENSIONS.get(video_mimetype(head) or "", ".mp4")]
    if decoder != "nifti":
        return [".tif" if is_tiff(head) else picture_extension(head)]
    kinds = [".hdr", ".img"] if len(sources) == 2 else [".nii"]
    return [kind + (".gz" if _is_gz(source.path) else "") for kind, source in zip(kinds, sources, strict=True)]


def _is_gz(path: Path) -> bool:
    with open(path, "rb") as file:
        return is_gzip(file.read(2))


def _refuse_changed(before: Sequence[SourceFile], after: Sequence[Path], decoder: str) -> None:
    """Stop where what was dropped was needed to know sizes, values or places.

    Raises:
        ValidationError: The facts differ; the message names them.
    """
    old = _facts(before, decoder)
    if old is None:
        return
    new = _facts([SourceFile(path, path.name) for path in after], decoder)
    if new is None:
        raise ValidationError(f"without its private elements or free texts it could not be read any more. {_PLAINER}")
    names = [field.name for field in fields(HeaderFacts) if field.name not in _MAY_DIFFER]
    differing = [name for name in names if getattr(old, name) != getattr(new, name)]
    if differing:
        raise ValidationError(
            f"without its private elements or free texts its {', '.join(differing)} would change. {_PLAINER}"
        )


def _facts(files: Sequence[SourceFile], decoder: str) -> HeaderFacts | None:
    """The facts of an image, or None where these are none (segmentations, structure sets, one of several planes)."""
    try:
        return decoder_named(decoder).probe(files)
    except (DecodeError, GeometryError):
        return None
