"""What a foreign transform was made with, in words that are equal for equal ones, in every process."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping, Set
from enum import Enum
from typing import Any

import numpy as np
import torch

from datamint_like.imaging._option_forms import stable_repr

#: What only says where random numbers stand.
_STATES = (np.random.RandomState, np.random.Generator, np.random.BitGenerator, torch.Generator)
_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...), slice, range, torch.dtype, torch.device)


def description_of(transform: Any) -> str:
    """A transform by its class and its attributes, and theirs; `unknown` stands for a function without a name.

    Attributes that a transform keeps between its calls are part of it: describe it before it is called.
    """
    return _described(transform, ())


def _described(value: Any, around: tuple[int, ...]) -> str:
    if isinstance(value, Enum):
        return f"{_class_name(value)}.{value.name}"
    if isinstance(value, np.generic):
        return _described(value.item(), around)
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return _of_array(value)
    if isinstance(value, type) or (callable(value) and hasattr(value, "__name__")):
        return stable_repr(value)
    if id(value) in around:
        return "..."
    return _of_parts(value, (*around, id(value)))


def _of_parts(value: Any, around: tuple[int, ...]) -> str:
    """A value that holds others: a collection, or an object with attributes."""
    if isinstance(value, Mapping):
        pairs = (f"{_described(key, around)}: {_described(held, around)}" for key, held in value.items())
        return f"{{{_joined(sorted(pairs))}}}"
    if isinstance(value, Set):
        return f"{{{_joined(sorted(_described(held, around) for held in value))}}}"
    if isinstance(value, (list, tuple)):
        return f"[{_joined(_described(held, around) for held in value)}]"
    if isinstance(value, functools.partial):
        return f"partial({_joined(_described(part, around) for part in (value.func, value.args, value.keywords))})"
    own = getattr(value, "__dict__", None)
    if own is None:
        return f"{_class_name(value)}(unknown)"
    told = (f"{key}={_described(held, around)}" for key, held in sorted(own.items()) if not isinstance(held, _STATES))
    return f"{_class_name(value)}({_joined(told)})"


def _of_array(array: Any) -> str:
    """An array or tensor by its type, shape and a digest of its values."""
    values = np.ascontiguousarray(array.detach().cpu().numpy() if isinstance(array, torch.Tensor) else array)
    digest = hashlib.sha256(values.tobytes()).hexdigest()[:16] if values.dtype != object else "unknown"
    return f"{_class_name(array)}({values.dtype}, {values.shape}, {digest})"


def _class_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(parts)
