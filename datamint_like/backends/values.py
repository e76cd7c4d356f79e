"""Checks of arguments that rows and requests share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from datamint_like.exceptions import ValidationError


def json_ready(value: Any, what: str) -> Any:
    """`value` as JSON gives it back.

    Raises:
        ValidationError: JSON cannot hold it (as NaN, infinities and lone surrogates).
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValidationError(f"{what} must be JSON-ready: {error}.") from error
    return json.loads(text)


def id_list(values: Sequence[str], what: str) -> list[str]:
    """`values` without repetitions, in order.

    Raises:
        ValidationError: It is one text, or holds something else than text.
    """
    listed = list(values) if isinstance(values, Iterable) else []
    if isinstance(values, str) or not isinstance(values, Iterable) or not all(isinstance(each, str) for each in listed):
        raise ValidationError(f"{what} must be a list of texts, not {values!r:.80}.")
    return list(dict.fromkeys(listed))
