"""Every class, member, parameter and default of the published dataset package is here, under the same name.

`published_contract.json` holds the names alone: for each class its bases, the parameters of its constructor and
methods as Python writes them, and its attributes. What this library adds comes after, and may be left out.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from importlib import import_module
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

import pytest

CONTRACT: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "published_contract.json").read_text(encoding="utf-8")
)
CLASSES = sorted(CONTRACT)
WITH_PARAMETERS = [name for name in CLASSES if CONTRACT[name]["constructor"]]
METHODS = [(name, method) for name in CLASSES for method in CONTRACT[name]["methods"]]
ATTRIBUTES = [(name, attribute) for name in CLASSES for attribute in CONTRACT[name]["attributes"]]
_VARIABLE = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def ours(name: str) -> Any:
    module, _, found = name.rpartition(".")
    return getattr(import_module(f"datamint_like.{module}"), found)


def published(parameters: str) -> list[Parameter]:
    """The parameters that a signature in the table names."""
    scope: dict[str, Any] = {}
    exec(f"def function({parameters}): ...", scope)  # the table is ours
    return list(inspect.signature(scope["function"]).parameters.values())


def differences(expected: list[Parameter], found: Signature) -> Iterator[str]:
    """What a caller of the published signature would stumble over."""
    own = [each for each in found.parameters.values() if each.name != "self"]
    if [each.kind for each in expected] == [Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD]:
        return  # it promises no name
    names = [each.name for each in expected if each.kind not in _VARIABLE]
    if [each.name for each in own if each.kind not in _VARIABLE][: len(names)] != names:
        yield f"the parameters are {list(found.parameters)}, not first {names}"
        return
    kinds = {each.kind for each in own}
    yield from (f"{each} is missing" for each in expected if each.kind in _VARIABLE and each.kind not in kinds)
    for each in expected:
        if each.kind not in _VARIABLE:
            yield from _difference(each, found.parameters[each.name])
    added = (each for each in own if each.name not in names and each.kind not in _VARIABLE)
    yield from (f"{each.name} is ours and must be given" for each in added if each.default is Parameter.empty)


def _difference(expected: Parameter, own: Parameter) -> Iterator[str]:
    """Where one parameter differs; what must be given there may be left out here."""
    if own.kind is not expected.kind and own.kind is not Parameter.POSITIONAL_OR_KEYWORD:
        yield f"{own.name} is {own.kind.description}"
    if expected.default is ...:  # made anew for each call
        if own.default is Parameter.empty:
            yield f"{own.name} has no default"
    elif expected.default is not Parameter.empty and repr(own.default) != repr(expected.default):
        yield f"{own.name} has the default {own.default!r}, not {expected.default!r}"


def test_the_table_holds_the_whole_of_the_published_page() -> None:
    assert len(CLASSES) == 13
    assert len(METHODS) == 65
    assert len(ATTRIBUTES) == 47


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_is_at_its_path_with_its_bases(name: str) -> None:
    found = ours(name)
    lines = {base.__name__ for base in found.__mro__[1:]}
    assert set(CONTRACT[name]["bases"]) <= lines
    assert found.__name__ == name.rpartition(".")[2]


@pytest.mark.parametrize("name", WITH_PARAMETERS)
def test_every_constructor_has_its_parameters_and_defaults(name: str) -> None:
    found = inspect.signature(ours(name))
    assert list(differences(published(CONTRACT[name]["constructor"]), found)) == []


@pytest.mark.parametrize(("name", "method"), METHODS)
def test_every_method_has_its_parameters_and_defaults(name: str, method: str) -> None:
    kind, _, called = method.rpartition(" ")
    how = inspect.getattr_static(ours(name), called)
    assert isinstance(how, {"classmethod": classmethod, "static": staticmethod, "": object}[kind])
    signature = inspect.signature(getattr(ours(name), called))
    assert list(differences(published(CONTRACT[name]["methods"][method]), signature)) == []


@pytest.mark.parametrize(("name", "attribute"), ATTRIBUTES)
def test_every_attribute_is_there_with_a_sentence_that_says_what_it_is(name: str, attribute: str) -> None:
    found = inspect.getattr_static(ours(name), attribute)
    if isinstance(found, property):
        assert found.__doc__


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_member_is_documented(name: str) -> None:
    assert ours(name).__doc__
    for method in CONTRACT[name]["methods"]:
        called = method.rpartition(" ")[2]
        if not called.startswith("_"):
            assert inspect.getdoc(getattr(ours(name), called))
