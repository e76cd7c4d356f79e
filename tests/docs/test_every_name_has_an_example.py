"""Every public name says in its first line what it gives, and shows it in an example that `test_examples` runs.

Public are the names in the `__all__` of a package or module, what `Api()` groups its calls in, what the calls of a
dataset give back, and the methods and properties of all these that are not told by an underscore.
Exempt, because there is nothing to call: exceptions and warnings, protocols, abstract methods (what implements them
counts), and records (dataclasses and structs), though not their methods and properties. A property also counts as
shown where the example of its class reads it.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

import datamint_like
from datamint_like.api.client import Api
from datamint_like.dataset.annotation_processor import AnnotationProcessor
from datamint_like.dataset.dataset import DatamintDataset
from datamint_like.dataset.loader import Loader
from datamint_like.dataset.prefetch import PrefetchReport
from datamint_like.dataset.split_report import SplitReport
from tests.docs.docstrings import examples, home_of, modules

#: Classes that a user meets without importing them, or by a path of the published package.
MET = (AnnotationProcessor, DatamintDataset, Loader, PrefetchReport, SplitReport)
OURS = datamint_like.__name__
EXAMPLES = examples()


class Public(NamedTuple):
    """A public class, function, method or property."""

    name: str
    value: Any
    owner: type | None

    @property
    def doc(self) -> str:
        return inspect.getdoc(self.value) or ""

    @property
    def is_property(self) -> bool:
        return isinstance(self.value, property | cached_property)

    def is_shown(self) -> bool:
        if home_of(self.value) in EXAMPLES:
            return True
        member = re.compile(rf"\.{self.name.rpartition('.')[2]}\b")
        return self.owner is not None and self.is_property and any(map(member.search, _statements(self.owner)))


def _statements(owner: type) -> Iterator[str]:
    """The lines of code in the examples of a class, and of those of ours that it descends from."""
    for each in owner.__mro__:
        if each.__module__.startswith(OURS):
            yield from re.findall(r"^ *(?:>>>|\.\.\.) (.*)$", each.__doc__ or "", re.MULTILINE)


def exported() -> dict[str, Any]:
    """The classes and functions of ours that a package or module lists, each under its own name."""
    listed = [getattr(module, name) for module in modules() for name in getattr(module, "__all__", ())]
    grouped = [type(value) for value in (getattr(Api(), name) for name in vars(Api) if name.endswith("s"))]
    values = [*listed, *(kind for kind in grouped if kind.__module__.startswith(OURS)), *MET]
    ours = (v for v in values if (inspect.isclass(v) or inspect.isfunction(v)) and v.__module__.startswith(OURS))
    return {f"{value.__module__}.{value.__qualname__}": value for value in ours}


def members(owner: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties that a class has from classes of ours, each under the name of its own class."""
    for each in owner.__mro__:
        if each.__module__.startswith(OURS):
            for name, value in vars(each).items():
                told = getattr(value, "__func__", value)  # of a class method or a static one
                callable_or_read = inspect.isfunction(told) or isinstance(told, property | cached_property)
                abstract = getattr(told, "__isabstractmethod__", False)
                if not name.startswith("_") and callable_or_read and not abstract:
                    yield f"{each.__module__}.{each.__qualname__}.{name}", told


def is_exempt(value: Any) -> bool:
    if not inspect.isclass(value):
        return False
    record = dataclasses.is_dataclass(value) or issubclass(value, msgspec.Struct)
    return record or issubclass(value, BaseException) or _is_protocol(value)


def _is_protocol(value: Any) -> bool:
    return getattr(value, "_is_protocol", False) is True


def public() -> list[Public]:
    found: dict[str, Public] = {}
    for name, value in exported().items():
        if not is_exempt(value):
            found[name] = Public(name, value, None)
        if inspect.isclass(value) and not _is_protocol(value) and not issubclass(value, BaseException):
            found |= {own: Public(own, member, value) for own, member in members(value)}
    return [found[name] for name in sorted(found)]


PUBLIC = public()


def test_the_walk_finds_what_users_call() -> None:
    names = {each.name for each in PUBLIC}
    assert {
        "datamint_like.dataset.parts.Parts.subset",
        "datamint_like.dataset.loader.Loader.state_dict",
        "datamint_like.api.resources.ResourcesApi.upload_resources",
        "datamint_like.imaging.reading.read",
        "datamint_like.dataset.holdings.Holdings.seglabel2code",
    } <= names


def test_every_public_name_says_in_its_first_line_what_it_gives() -> None:
    assert [each.name for each in PUBLIC if not re.fullmatch(r"\S.*[.:]", each.doc.partition("\n")[0])] == []


def test_every_public_name_is_shown_in_an_example() -> None:
    assert [each.name for each in PUBLIC if not each.is_shown()] == []
