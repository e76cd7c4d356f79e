"""How the annotators' votes become one answer."""

from __future__ import annotations

from typing import Literal, cast, get_args

from datamint_like.exceptions import ValidationError

#: `union`: any voter suffices; `intersection`: all must agree; `mode`: half of them do, so a tie counts as present.
MergeStrategy = Literal["union", "intersection", "mode"]

MERGE_STRATEGIES: tuple[str, ...] = get_args(MergeStrategy)


def check_strategy(keyword: str, value: object) -> MergeStrategy:
    """The value, if it is a merge strategy.

    Raises:
        ValidationError: It is another; the message names the keyword and the strategies there are.

    Example:
        >>> check_strategy("image_labels_merge_strategy", "mode")
        'mode'
    """
    if not isinstance(value, str) or value not in MERGE_STRATEGIES:
        allowed = ", ".join(map(repr, MERGE_STRATEGIES))
        raise ValidationError(f"`{keyword}` is one of {allowed}; found {value!r}.")
    return cast("MergeStrategy", value)


def votes_needed(strategy: MergeStrategy, num_voters: int) -> int:
    """How many of `num_voters` (at least one) make a class or label present."""
    return {"union": 1, "intersection": num_voters, "mode": (num_voters + 1) // 2}[strategy]
