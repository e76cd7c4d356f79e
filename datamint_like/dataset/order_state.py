"""Whether a state can be loaded: whole, within its bounds, and of the same order and data."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral

import numpy as np

from datamint_like.exceptions import DatamintDatasetException

_EXAMPLE = (
    "A state is what state_dict() gives, such as "
    "{'epoch': 1, 'position': 40, 'shuffle': True, 'seed': 7, 'length': 320}, of a loader with its 'fingerprint' too."
)
_BITS = 63  # of a seed or an epoch, beside the sign


def require_keys(state: object, *keys: str) -> Mapping[str, object]:
    """The state, where it is a mapping that has these keys.

    Raises:
        DatamintDatasetException: It is not.
    """
    if not isinstance(state, Mapping):
        raise DatamintDatasetException(f"A state to load is a mapping, not {type(state).__name__}. {_EXAMPLE}")
    missing = [key for key in keys if key not in state]
    if missing:
        raise DatamintDatasetException(f"The state to load has no {', '.join(map(repr, missing))}. {_EXAMPLE}")
    return state


def whole_number(
    state: Mapping[str, object], key: str, *, least: int = -(1 << _BITS), most: int = (1 << _BITS) - 1
) -> int:
    """The value of a key, where it is a whole number from `least` to `most`.

    Raises:
        DatamintDatasetException: It is not.
    """
    value = state[key]
    if isinstance(value, Integral) and not isinstance(value, bool) and least <= int(value) <= most:
        return int(value)
    raise DatamintDatasetException(
        f"{key!r} of the state to load is a whole number from {least} to {most}, not {value!r:.80}. {_EXAMPLE}"
    )


def truth(state: Mapping[str, object], key: str) -> bool:
    """The value of a key, where it is True or False.

    Raises:
        DatamintDatasetException: It is not.
    """
    value = state[key]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise DatamintDatasetException(f"{key!r} of the state to load is True or False, not {value!r:.80}. {_EXAMPLE}")


def refuse_other_data(state: Mapping[str, object], fingerprint: str | None) -> None:
    """Nothing, where the state's data has this fingerprint.

    Raises:
        DatamintDatasetException: It has another.
    """
    found = require_keys(state, "fingerprint")["fingerprint"]
    if found != fingerprint:
        theirs, own = (str(each)[:12] for each in (found, fingerprint))
        raise DatamintDatasetException(
            f"The state is of a dataset with other items, annotations or options (fingerprint {theirs}, this one has "
            f"{own}). Make the same dataset: the same resources, part and options, of the same snapshot "
            "(auto_update=False). Or start anew, without the state."
        )
