"""Every error that a public call may raise, as one tree.

    DatamintException
    ├── ValidationError            (ValueError)        an argument or a file's content is not acceptable
    │   └── EntityAlreadyExistsError                   a name that must be unique is taken
    ├── DatamintDatasetException   (ValueError)        a dataset cannot be built or used as asked
    ├── ItemNotFoundError          (LookupError)       no such project, resource, annotation, user
    ├── AuthenticationError        (PermissionError)   the server does not know this key
    ├── PermissionDeniedError      (PermissionError)   the key is known but may not do this
    ├── NetworkError               (ConnectionError)   no answer, or an answer that broke off
    ├── ServerError                (RuntimeError)      the server failed
    ├── StorageError               (OSError)           the embedded store cannot write, or its bytes changed
    ├── CacheError                 (OSError)           the cache cannot write, or lacks what offline work needs
    │   └── NotHereError                               a file is not on this machine, and nobody may be asked for it
    ├── DecodeError                (ValueError)        a file cannot be read as an image or a mask
    ├── GeometryError              (ValueError)        planes or grids do not fit together in space
    ├── PrefetchError              (RuntimeError)      a prefetch that ended incomplete; carries the failures
    └── MissingExtraError          (ImportError)       an optional package is not installed

Each class can be made from one string, pickles, and also inherits the builtin a caller would catch.
A message names the resource (id and base file name), what was expected, what was found, and what to do;
it never holds a key, a patient's name, or a folder of the user's disk beyond what the user typed.
"""

from __future__ import annotations

from collections.abc import Sequence


class DatamintException(Exception):  # noqa: N818 -- the published name
    """Base class for every error of this package."""


class ValidationError(DatamintException, ValueError):
    """The argument or file that does not meet what the call asks for."""


class EntityAlreadyExistsError(ValidationError):
    """The project, user or worklist whose unique name is taken."""


class DatamintDatasetException(DatamintException, ValueError):  # noqa: N818 -- the published name
    """The dataset that cannot be built or used as asked."""


class ItemNotFoundError(DatamintException, LookupError):
    """The project, resource, annotation or user that the store does not hold."""


class AuthenticationError(DatamintException, PermissionError):
    """The key that the server does not accept."""


class PermissionDeniedError(DatamintException, PermissionError):
    """The action that the key's role does not allow."""


class NetworkError(DatamintException, ConnectionError):
    """The request that got no whole answer."""


class ServerError(DatamintException, RuntimeError):
    """The failure that the server itself reported."""


class StorageError(DatamintException, OSError):
    """The embedded store's disk is full, read-only, or holds other bytes than were stored."""


class CacheError(DatamintException, OSError):
    """The cache cannot be written, or lacks bytes that offline work needs."""


class NotHereError(CacheError):
    """The file that is not on this machine while its server may not be asked."""


class DecodeError(DatamintException, ValueError):
    """The file that cannot be read as an image or a mask."""


class GeometryError(DatamintException, ValueError):
    """The planes or grids that do not fit together in space."""


class PrefetchError(DatamintException, RuntimeError):
    """The prefetch that ended with something missing.

    Attributes:
        failures: One sentence for each file that could not be had.
    """

    def __init__(self, message: str, failures: Sequence[str] = ()) -> None:
        super().__init__(message, tuple(failures))
        self.failures = tuple(failures)

    def __str__(self) -> str:
        return str(self.args[0])


class MissingExtraError(DatamintException, ImportError):
    """The optional package that is not installed; the message holds the command that installs it."""


class DatamintWarning(UserWarning):
    """Base class for warnings of this package, so that they can be filtered together."""


class PatientLeakageWarning(DatamintWarning):
    """A split put images of one known patient on two sides."""


class SkippedResourcesWarning(DatamintWarning):
    """A dataset class left out resources of another kind."""
