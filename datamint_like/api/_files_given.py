"""What a caller may give as files: paths, folders, globs, open files, DICOM data sets; and the paths they come to."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from datamint_like.exceptions import ValidationError

if TYPE_CHECKING:
    import pydicom

FileInput: TypeAlias = "str | Path | IO[bytes] | pydicom.Dataset"
FileInputs: TypeAlias = "FileInput | Iterable[FileInput]"


@dataclass(frozen=True)
class GivenFile:
    """One file on disk and the position of the argument that it came from."""

    path: Path
    source: int


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
    """The files that the arguments come to, each once; what is not on disk lies there while the block runs.

    Raises:
        ValidationError: A path, folder or pattern holds no file; the message says which.
    """
    with TemporaryDirectory(prefix="datamint-like-") as folder:
        found: dict[Path, GivenFile] = {}
        for source, given in enumerate(files):
            for path in _paths_of(given, Path(folder) / str(source)):
                found.setdefault(path.absolute(), GivenFile(path, source))
        yield list(found.values())


def is_on_disk(given: Any) -> bool:
    """Whether the argument names files of the disk, which can be linked in place."""
    return isinstance(given, str | Path)


def _paths_of(given: Any, scratch: Path) -> list[Path]:
    if isinstance(given, str | Path):
        return expand(given)
    scratch.mkdir()
    if hasattr(given, "read"):
        return [_save_stream(given, scratch)]
    if _is_dataset(given):
        return [_save_dataset(given, scratch)]
    raise ValidationError(f"A file is a path, an open binary file or a pydicom data set, not a {type(given).__name__}.")


def expand(given: str | Path) -> list[Path]:
    """The files that a path, a folder (with its folders, without hidden files) or a glob pattern names, sorted.

    Raises:
        ValidationError: There is none.
    """
    path = Path(given).expanduser()
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file() and not _is_hidden(file, path))
        if not files:
            raise ValidationError(f"The folder {given} holds no file. Give the folder that holds the images.")
        return files
    if path.is_file():
        return [path]
    if path.exists():
        raise ValidationError(f"{given} is neither a file nor a folder. Give the files that hold the images.")
    text = str(given)
    if glob.has_magic(text):
        matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 -- patterns may be absolute
        if not matches:
            raise ValidationError(f"Nothing matches the pattern {text}. Check it, or give a folder.")
        return [file for match in matches for file in expand(glob.escape(match) if not Path(match).exists() else match)]
    raise ValidationError(f"There is no file or folder {text}. Check the path.")


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _is_dataset(given: Any) -> bool:
    return type(given).__module__.startswith("pydicom.") and hasattr(given, "save_as")


def _save_stream(stream: Any, folder: Path) -> Path:
    """The content of an open file, under its own base name."""
    data = stream.read()
    if not isinstance(data, bytes):
        raise ValidationError("An open file must be opened in binary mode, open(path, 'rb').")
    name = getattr(stream, "name", None)
    path = folder / (Path(name).name if isinstance(name, str) and Path(name).name else "upload")
    path.write_bytes(data)
    return path


def _save_dataset(dataset: Any, folder: Path) -> Path:
    """A DICOM data set as a file, named by its instance UID."""
    path = folder / f"{dataset.get('SOPInstanceUID', 'upload')}.dcm"
    try:
        dataset.save_as(path, enforce_file_format=True)
    except (AttributeError, ValueError, TypeError, KeyError) as error:
        raise ValidationError(f"This DICOM data set cannot be written as a file: {error}.") from error
    return path
