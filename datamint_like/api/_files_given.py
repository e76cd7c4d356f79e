"""What a caller may give as files: paths, folders, globs, open files, DICOM data sets; and the paths they come to."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from datamint_like._files import reason_of
from datamint_like.exceptions import ValidationError
from datamint_like.imaging.types import Skipped

if TYPE_CHECKING:
    import pydicom

FileInput: TypeAlias = "str | Path | IO[bytes] | pydicom.Dataset"
FileInputs: TypeAlias = "FileInput | Iterable[FileInput]"
_UID = r"[0-9.]{1,64}"
#: Names that de-identification gives.
_NEUTRAL = re.compile(r"\b[0-9a-f]{16}(?:-\d+)?\.[a-z0-9]{2,4}(?:\.gz)?\b")


@dataclass(frozen=True)
class GivenFile:
    """One file on disk and the position of the argument that it came from.

    Attributes:
        temporary: Whether it lies there only until the call is done.
        stands_for: The file that was given, where this one is made of it (without identity).
    """

    path: Path
    source: int
    temporary: bool = False
    stands_for: Path | None = None

    @property
    def told(self) -> Path:
        """What the caller knows the file by: the path given, or a name where none was."""
        return self.stands_for or (Path(self.path.name) if self.temporary else self.path)


class Originals:
    """What the caller knows files by, for results and messages that name others."""

    def __init__(self, files: Sequence[GivenFile]) -> None:
        self._paths = {file.path: file.stands_for for file in files if file.stands_for is not None}
        self._names = {path.name: original.name for path, original in self._paths.items()}

    def path(self, path: Path) -> Path:
        """The file that was given for this one."""
        return self._paths.get(path, path)

    def skipped(self, each: Skipped) -> Skipped:
        """The same, of the files that were given."""
        reason = _NEUTRAL.sub(lambda match: self._names.get(match[0], match[0]), each.reason) if self._names else ""
        return replace(each, path=self.path(each.path), reason=reason) if self._names else each


def as_list(files: Any) -> list[Any]:
    """One argument as a list of one, several as a list.

    Raises:
        ValidationError: It is neither a file nor several.
    """
    if isinstance(files, str | Path) or hasattr(files, "read") or _is_dataset(files):
        return [files]
    if isinstance(files, Iterable) and not isinstance(files, bytes):
        return list(files)
    raise ValidationError(
        f"Files are given as paths, folders, glob patterns, open binary files or pydicom data sets, "
        f"not as a {type(files).__name__}."
    )


@contextmanager
def on_disk(files: list[Any]) -> Iterator[list[GivenFile]]:
    """The files that the arguments come to, in order; what is not on disk lies there while the block runs.

    A file that several arguments come to is listed for each, always under the path it was found by first.

    Raises:
        ValidationError: A path, folder or pattern holds no file; the message says which.
    """
    with TemporaryDirectory(prefix="datamint-like-") as folder:
        first: dict[str, Path] = {}
        found: list[GivenFile] = []
        names = Counter(_stream_name(given) for given in files)
        for source, given in enumerate(files):
            alone = names[_stream_name(given)] > 1  # files that belong together by their names lie in one folder
            paths = _paths_of(given, Path(folder) / (str(source) if alone else "together"))
            places = dict.fromkeys(first.setdefault(_place_of(path), path) for path in paths)
            found += [GivenFile(path, source, not is_on_disk(given)) for path in places]
        yield found


def is_on_disk(given: Any) -> bool:
    """Whether the argument names files of the disk, which can be linked in place."""
    return isinstance(given, str | Path)


def _paths_of(given: Any, scratch: Path) -> list[Path]:
    if isinstance(given, str | Path):
        return expand(given)
    scratch.mkdir(exist_ok=True)
    if hasattr(given, "read"):
        return [_save_stream(given, scratch)]
    if _is_dataset(given):
        return [_save_dataset(given, scratch)]
    raise ValidationError(f"A file is a path, an open binary file or a pydicom data set, not a {type(given).__name__}.")


def expand(given: str | Path) -> list[Path]:
    """The files that a path, a folder (with its folders, without hidden files) or a glob pattern names, sorted.

    Links to folders are followed, each folder once.

    Raises:
        ValidationError: There is none, or it cannot be looked for, or the path is an empty text.
    """
    if not str(given).strip():  # Path("") is the current folder, which nobody meant
        raise ValidationError("A path is empty (a variable that is not set?). Give a file or folder; . is this folder.")
    try:
        return _files_at(Path(given).expanduser(), given)
    except (OSError, RuntimeError) as error:  # a name too long, a folder that is closed, no such user's home
        reason = reason_of(error)
        closed = getattr(error, "filename", None)  # of a folder, the one in it
        which = Path(closed).name if closed else given
        raise ValidationError(f"{which!s:.200} cannot be read: {reason}. Check the path.") from error


def _files_at(path: Path, given: str | Path) -> list[Path]:
    if path.is_dir():
        files = sorted(_files_in(path))
        if not files:
            raise ValidationError(f"The folder {given} holds no file. Give the folder that holds the images.")
        return files
    if path.is_file():
        return [path]
    if path.exists():
        raise ValidationError(f"{path.name} is neither a file nor a folder. Give the files that hold the images.")
    text = str(given)
    if glob.has_magic(text):
        matches = sorted(set(_matches(path)))
        if not matches:
            raise ValidationError(f"Nothing matches the pattern {text}. Check it, or give a folder.")
        return [file for match in matches for file in _files_at(match, match)]
    where = "" if path.parent.is_dir() else f", and no folder {path.parent.name} that could hold it"
    raise ValidationError(f"There is no file or folder {path.name}{where}. Check the path.")


def _files_in(folder: Path) -> Iterator[Path]:
    """The files in a folder and its folders, without hidden ones."""
    for place, names in _folders_in(folder):
        yield from (place / name for name in names if not name.startswith(".") and (place / name).is_file())


def _folders_in(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """A folder and those in it, none hidden, with what each holds; links to folders come last, each folder once."""
    seen: set[str] = set()
    waiting = [folder]
    for start in waiting:  # grows on the way
        for place, folders, names in os.walk(start, onerror=_raise):
            if (real := os.path.realpath(place)) in seen:
                folders.clear()
                continue
            seen.add(real)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            waiting += [Path(place, name) for name in folders if Path(place, name).is_symlink()]
            yield Path(place), names


def _matches(pattern: Path) -> list[Path]:
    """The paths that a pattern names, where `**` is any folders: unlike `glob`, never round in circles of links."""
    parts = pattern.parts
    if "**" not in parts:
        return [Path(match) for match in glob.glob(str(pattern))]  # noqa: PTH207 -- patterns may be absolute
    at = parts.index("**")
    rest = parts[at + 1 :]
    bases = _matches(Path(*parts[:at])) if at else [Path()]
    if not rest:
        return bases
    folders = [folder for base in bases if base.is_dir() for folder, _ in _folders_in(base)]
    return [match for folder in folders for match in _matches(Path(glob.escape(str(folder)), *rest))]


def _raise(error: OSError) -> None:
    """A folder that is closed is told, not left out in silence."""
    raise error


def _place_of(path: Path) -> str:
    """Where a file lies, whichever links its folders were reached by."""
    return os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118 -- as realpath, a text


def _is_dataset(given: Any) -> bool:
    return type(given).__module__.startswith("pydicom.") and hasattr(given, "save_as")


def _save_stream(stream: Any, folder: Path) -> Path:
    """The content of an open file, under its own base name."""
    try:
        data = stream.read()
    except (OSError, ValueError) as error:  # the disk; a file that is closed, or not open for reading
        raise ValidationError(f"An open file cannot be read: {error}. Open it with open(path, 'rb').") from error
    if not isinstance(data, bytes):
        raise ValidationError("An open file must be opened in binary mode, open(path, 'rb').")
    path = folder / (_stream_name(stream) or "upload")
    path.write_bytes(data)
    return path


def _stream_name(given: Any) -> str:
    """The base name of an open file; empty where it has none, or is none."""
    name = getattr(given, "name", None)
    return Path(name).name if hasattr(given, "read") and isinstance(name, str) else ""


def _save_dataset(dataset: Any, folder: Path) -> Path:
    """A DICOM data set as a file, named by its instance UID."""
    uid = str(dataset.get("SOPInstanceUID", ""))
    path = folder / f"{uid if re.fullmatch(_UID, uid) else 'upload'}.dcm"
    try:
        dataset.save_as(path, enforce_file_format=True)
    except (AttributeError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        raise ValidationError(f"This DICOM data set cannot be written as a file: {error}.") from error
    return path
