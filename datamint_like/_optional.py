"""Optional packages are imported in one way: present, or an error that holds the install command."""

from __future__ import annotations

import importlib
from types import ModuleType

from datamint_like.exceptions import MissingExtraError


def need(module: str, *, extra: str) -> ModuleType:
    """The imported module, or an error that names the extra it comes with.

    Raises:
        MissingExtraError: The module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"This needs the package {module.split('.')[0]!r}, which is not installed. "
            f'Install it with: pip install "datamint-like[{extra}]"'
        ) from error
