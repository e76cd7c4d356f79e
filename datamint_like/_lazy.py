"""Names of a package that are imported when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def imported(home: str, name: str) -> Any:
    """The value that `name` has in the module `home`.

    Raises:
        ImportError: The module cannot be imported. An AttributeError raised in it would look as if the package had no
            such name, so it becomes an ImportError that tells the reason.
    """
    try:
        return getattr(import_module(home), name)
    except AttributeError as error:
        raise ImportError(f"{name} cannot be imported from {home}: {error}", name=home) from error
