"""The docstrings of the package: its modules, and the examples in them."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cached_property
from types import ModuleType
from typing import Any

import datamint_like

_FINDER = doctest.DocTestFinder(exclude_empty=True)


def modules() -> Iterator[ModuleType]:
    yield datamint_like
    for found in pkgutil.walk_packages(datamint_like.__path__, "datamint_like."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def home_of(value: Any) -> str:
    """The module and qualified name under which a class, function or property was written."""
    if isinstance(value, property):
        value = value.fget
    value = getattr(value, "func", value)  # of a cached property
    return f"{value.__module__}.{value.__qualname__}"


def examples() -> dict[str, doctest.DocTest]:
    """Each docstring with an example, by module and qualified name; its `globs` are the names of the module."""
    found = (test for module in modules() for test in (*_FINDER.find(module), *_of_cached(module)))
    return {test.name: test for test in found if test.examples}


def _of_cached(module: ModuleType) -> Iterator[doctest.DocTest]:
    """Those of cached properties, which doctest does not see."""
    for kind in vars(module).values():
        if inspect.isclass(kind) and kind.__module__ == module.__name__:
            for value in vars(kind).values():
                if isinstance(value, cached_property):
                    yield from _FINDER.find(value.func, home_of(value), module=module)
