"""The error tree: one string makes each, all pickle, all arrive from a worker as themselves."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import numpy.random  # noqa: F401 -- torch's workers import it, and had better find it there
import pytest
import torch

from datamint_like import exceptions
from datamint_like.exceptions import DatamintException, PrefetchError

ERRORS = [cls for _, cls in inspect.getmembers(exceptions, inspect.isclass) if issubclass(cls, DatamintException)]


class Failing(torch.utils.data.Dataset[Any]):
    """A dataset whose items are errors, one of each class."""

    def __len__(self) -> int:
        return len(ERRORS)

    def __getitem__(self, index: int) -> Any:
        raise ERRORS[index]("volume 3 (ct.dcm) is short of 4 bytes")


@pytest.mark.parametrize("cls", ERRORS)
def test_an_error_is_made_from_one_string_and_prints_it_plainly(cls: type[DatamintException]) -> None:
    assert str(cls("ct.dcm: truncated")) == "ct.dcm: truncated"
    twin = pickle.loads(pickle.dumps(cls("ct.dcm: truncated")))
    assert type(twin) is cls
    assert str(twin) == "ct.dcm: truncated"


@pytest.mark.parametrize("cls", [cls for cls in ERRORS if cls is not DatamintException])
def test_an_error_inherits_a_builtin_that_a_caller_would_catch(cls: type[DatamintException]) -> None:
    builtins = [
        base for base in cls.__mro__ if base.__module__ == "builtins" and base not in (Exception, BaseException)
    ]
    assert len(builtins) > 1
    assert inspect.getdoc(cls)


def test_the_drawing_names_every_class() -> None:
    drawing = exceptions.__doc__ or ""
    assert [cls.__name__ for cls in ERRORS if cls.__name__ not in drawing] == []


def test_every_error_arrives_from_a_worker_as_itself() -> None:
    loader = iter(torch.utils.data.DataLoader(Failing(), num_workers=1))
    for cls in ERRORS:
        with pytest.raises(cls, match="short of 4 bytes") as caught:
            next(loader)
        assert caught.type is cls


def test_a_prefetch_error_carries_its_failures_through_a_pickle() -> None:
    error = pickle.loads(pickle.dumps(PrefetchError("2 files are missing", ["a.dcm: 404", "b.dcm: 404"])))
    assert error.failures == ("a.dcm: 404", "b.dcm: 404")
    assert str(error) == "2 files are missing"
