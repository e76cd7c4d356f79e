"""Files given for an upload, without identity where that is asked for: before anything of them is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from datamint_like.api._files_given import GivenFile
from datamint_like.api._mask_frames import bytes_of
from datamint_like.api._mask_sources import plain_source
from datamint_like.api._progress import bar
from datamint_like.backends.deidentification_secret import SECRET_LENGTH, secret_of
from datamint_like.exceptions import DecodeError, ValidationError
from datamint_like.imaging.types import Skipped

if TYPE_CHECKING:
    from datamint_like.imaging.deidentify import DeidentificationReport, DeidentifyOptions


@dataclass(frozen=True)
class Anonymize:
    """That files are to be without identity.

    Attributes:
        retain: (group, element) of DICOM attributes that stay.
        allow_burned_in: Take images whose pixels may tell the patient.
    """

    retain: tuple[Any, ...] = ()
    allow_burned_in: bool = False

    @classmethod
    def asked(cls, anonymize: bool, retain: Any, allow_burned_in: bool, link: bool) -> Anonymize | None:
        """What the arguments of an upload say; None where files are to stay as they are.

        Raises:
            ValidationError: The arguments contradict each other.
        """
        for name, flag in (("anonymize", anonymize), ("allow_burned_in", allow_burned_in)):
            if not isinstance(flag, bool):
                raise ValidationError(f"{name} is True or False, not {flag!r:.80}.")
        if not anonymize:
            if retain or allow_burned_in:
                name = "anonymize_retain_codes" if retain else "allow_burned_in"
                raise ValidationError(
                    f"{name} says how files are anonymized, and they are not. Pass anonymize=True, too."
                )
            return None
        if link:
            raise ValidationError("Anonymized files cannot be linked: they are made anew. Leave out link=True.")
        if isinstance(retain, str | bytes) or not isinstance(retain, Sequence):
            raise ValidationError(
                f"anonymize_retain_codes is a list such as [(0x0010, 0x0040)], not a {type(retain).__name__}."
            )
        return cls(tuple(tuple(each) if isinstance(each, list) else each for each in retain), allow_burned_in)

    def options(self, url: str) -> DeidentifyOptions:
        """How files for the store at this URL are de-identified."""
        from datamint_like.imaging.deidentify import DeidentifyOptions

        DeidentifyOptions(b"\0" * SECRET_LENGTH, self.retain)  # refuses what is no tag before a secret is made
        return DeidentifyOptions(secret_of(url), self.retain, self.allow_burned_in)


@dataclass(frozen=True)
class Clean:
    """The files of an upload as they are to be stored.

    Attributes:
        given: All files; those that were taken stand for the ones that were given.
        files: Those that were taken.
        skipped: Those that were not, with the reason.
        report: What was done; None where nothing was asked for.
    """

    given: list[GivenFile]
    files: list[GivenFile]
    skipped: tuple[Skipped, ...] = ()
    report: DeidentificationReport | None = None


@contextmanager
def without_identity(
    given: list[GivenFile], how: Anonymize | None, url: str, *, progress_bar: bool = False
) -> Iterator[Clean]:
    """The files for the store at this URL; those without identity lie on the disk while the block runs."""
    if how is None:
        yield Clean(given, given)
        return
    from datamint_like.imaging.deidentify import deidentify_files

    with TemporaryDirectory(prefix="datamint-like-") as folder:
        paths = {file.path for file in given}
        with bar(len(paths), "anonymizing", "file", shown=progress_bar) as step:
            done = deidentify_files(paths, Path(folder), how.options(url), step)
        every = [
            replace(file, path=done.files[file.path], stands_for=file.told) if file.path in done.files else file
            for file in given
        ]
        told = {file.path: file.told for file in given}
        skipped = tuple(replace(each, path=told[each.path]) for each in done.skipped)
        yield Clean(every, [file for file in every if file.stands_for is not None], skipped, done.report)


def mask_without_identity(source: Any, how: Anonymize | None, url: str) -> Any:
    """A mask given with a file, for the store at this URL; arrays and run lengths tell nobody and stay.

    Raises:
        DecodeError, ValidationError: It cannot be de-identified.
    """
    if how is None or isinstance(source, Mapping):
        return source
    from datamint_like.imaging import sniff_mask
    from datamint_like.imaging.deidentify import deidentify_files

    data = plain_source(source)
    if not isinstance(data, str | Path | bytes):
        return data
    data = bytes_of(data)
    if sniff_mask(data) in ("numpy", "rle", None):
        return source
    with TemporaryDirectory(prefix="datamint-like-") as folder:
        given, made = Path(folder, "mask"), Path(folder, "made")
        given.write_bytes(data)
        made.mkdir()
        done = deidentify_files([given], made, how.options(url))
        if done.skipped:
            raise DecodeError(f"A mask cannot be anonymized: {done.skipped[0].reason.removeprefix('mask: ')}")
        return done.files[given].read_bytes()
