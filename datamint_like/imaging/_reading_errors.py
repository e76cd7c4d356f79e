"""One way in which failures and warnings of the libraries below become errors that name the file."""

from __future__ import annotations

import logging
import math
import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

from datamint_like.exceptions import DatamintException, DecodeError, GeometryError
from datamint_like.imaging.types import SourceFile


class _Own(threading.local):
    """What a thread alone sees: how many blocks it is in."""

    depth = 0


class _Quiet:
    """Warnings ignored, and OpenCV's log silent, while at least one thread reads a file.

    Filters and log level are restored when the last one leaves.

    `warnings.catch_warnings` alone would restore the filters of another thread in the wrong order. A fork
    waits for the lock, and the child counts only the thread that lives on in it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._own = _Own()
        self._readers = 0
        self._saved = warnings.catch_warnings()
        self._log_level = cv2.utils.logging.LOG_LEVEL_WARNING
        os.register_at_fork(
            before=self._lock.acquire, after_in_parent=self._lock.release, after_in_child=self._after_in_child
        )

    def __enter__(self) -> None:
        with self._lock:
            self._own.depth += 1
            self._readers += 1
            if self._readers == 1:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.simplefilter("ignore")
                self._log_level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._own.depth -= 1
            self._leave(self._readers - 1)

    def lets_log(self, record: logging.LogRecord) -> bool:
        """Whether a record of pydicom may be logged: not while this thread reads a file, whose values it quotes."""
        return not self._own.depth

    def _after_in_child(self) -> None:
        self._leave(self._own.depth)
        self._lock.release()

    def _leave(self, readers: int) -> None:
        """Count this many readers from now on; the last one that leaves restores the filters."""
        was_quiet, self._readers = self._readers > 0, readers
        if was_quiet and not readers:
            self._saved.__exit__(None, None, None)
            cv2.utils.logging.setLogLevel(self._log_level)


_QUIET = _Quiet()
logging.getLogger("pydicom").addFilter(_QUIET.lets_log)
#: Values that a mask has for one voxel at most: a colour with its alpha.
_MOST_VALUES = 4
#: From a quote before a word to one after a word (not the apostrophe of "can't"), or to the end where there is none.
_QUOTED = re.compile(r"""(?<!\w)[bru]?(["'])(?:(?:\\.|.)*?\1(?!\w)|.*)""")


@contextmanager
def reading(file: SourceFile | str) -> Iterator[None]:
    """A block in which whatever goes wrong with the file comes out as an error that names it.

    Raises:
        DecodeError: A library below failed, or the file cannot be opened.
        GeometryError: The block raised one; the file's name is put in front.
    """
    name = file if isinstance(file, str) else file.name
    try:
        with _QUIET:
            yield
    except (DecodeError, GeometryError) as error:
        if str(error).startswith(f"{name}: "):
            raise
        raise type(error)(f"{name}: {error}") from error
    except DatamintException:
        raise
    except OSError as error:
        reason = error.strerror or told_by(error) or type(error).__name__
        raise DecodeError(f"{name}: it cannot be read ({reason}).") from error
    except MemoryError as error:
        raise DecodeError(f"{name}: its pixels do not fit into memory.") from error
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # on damaged files readers raise any class; a panic of one in Rust is no Exception
        reason = told_by(error) or "no reason given"
        raise DecodeError(f"{name}: it is damaged or not supported ({type(error).__name__}: {reason}).") from error


def told_by(error: BaseException) -> str:
    """What a library below said, on one line, without what it quotes: that may be a value of the file."""
    return _QUOTED.sub("'...'", " ".join(str(error).split()))[:300]


def refuse_oversized(voxels: int, max_voxels: int) -> None:
    """Stop before memory is allocated for more voxels than the limit.

    Raises:
        DecodeError: `voxels` is above `max_voxels`.
    """
    if voxels > max_voxels:
        raise DecodeError(
            f"its header claims {voxels:,} voxels, more than the limit of {max_voxels:,}. "
            "If the file is right, raise the limit with DATAMINT_LIKE_MAX_VOXELS."
        )


def refuse_larger(shape: tuple[int, ...], image: tuple[int, int, int] | None) -> None:
    """Stop before memory is allocated for an array that is no mask of an image (K, J, I), in whatever order of axes.

    Raises:
        GeometryError: It holds more than four values (red, green, blue, alpha) for each voxel.
    """
    if image is not None and math.prod(shape) > _MOST_VALUES * math.prod(image):
        raise GeometryError(
            f"it lies on another grid: its shape is {shape}, that of the image (k, j, i) {image}. "
            "Give the mask on the image's grid."
        )
