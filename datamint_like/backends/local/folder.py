"""The folder of a store: made for its owner alone, and never one that holds other things."""

from __future__ import annotations

from pathlib import Path

from datamint_like._files import make_dirs
from datamint_like.backends._urls import DATABASE
from datamint_like.backends.local.files import OWNER
from datamint_like.exceptions import StorageError, ValidationError

_MODE = 0o700
_BYTES = frozenset({"blobs", "incoming"})


def made_ready(folder: Path, *, with_rows: bool = True) -> Path:
    """`folder`, with what a store needs in it; with its bytes alone, where the rows lie elsewhere.

    Raises:
        ValidationError: It holds other files and no store, or is a file; or a store with rows where none belong.
        StorageError: It cannot be made.
    """
    try:
        if folder.is_file():
            raise ValidationError(f"{folder} is a file; a store is a folder.")
        if not (folder / DATABASE).exists():
            _make(folder, _BYTES if with_rows else _BYTES | {OWNER})
        elif not with_rows:
            raise ValidationError(f"{folder} is a store with rows of its own. Name another folder for these bytes.")
    except (FileExistsError, NotADirectoryError) as error:
        raise ValidationError(f"A store is a folder; {folder} lies inside a file.") from error
    except OSError as error:
        raise StorageError(f"The store's folder {folder} cannot be made: {error.strerror}.") from error
    return folder


def _make(folder: Path, own: frozenset[str]) -> None:
    make_dirs(folder, mode=_MODE)
    others = [path.name for path in folder.iterdir() if not path.name.startswith((DATABASE, "store.lock"))]
    if set(others) - own and not (OWNER in own and OWNER in others):  # a place for bytes may hold a server's log
        raise ValidationError(f"{folder} holds other files and no store. Name a new or empty folder for the store.")
    folder.chmod(_MODE)  # an empty folder that was there already may be open to others
    for name in ("incoming", "blobs"):
        make_dirs(folder / name, mode=_MODE)
