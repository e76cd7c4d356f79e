"""Calls whose published argument order changed: both orders, told apart by what the arguments are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from datamint_like.exceptions import ValidationError

Fits = Mapping[str, Callable[[Any], bool]]


def bind(
    call: str,
    args: Sequence[Any],
    given: Mapping[str, Any],
    *,
    orders: Sequence[tuple[str, ...]],
    fits: Fits,
    tie: Callable[[Mapping[str, Any]], bool] | None = None,
) -> dict[str, Any]:
    """The arguments by name, whichever of the published orders they came in.

    Keywords are taken first; the positional arguments then fill the names that are left, in each order.
    An order counts when every argument fits its name. Where several orders still fit and differ, `tie` decides.

    Raises:
        ValidationError: A name is unknown, an argument is missing, or no order (or more than one) fits.
    """
    names = set(orders[0])
    spelled = " or ".join(f"{call}({', '.join(order)})" for order in orders)
    unknown = sorted(set(given) - names)
    if unknown:
        raise ValidationError(f"{call} has no argument {unknown[0]!r}. Call it as {spelled}.")
    if len(args) + len(given) != len(names):
        raise ValidationError(f"{call} takes {len(names)} arguments, got {len(args) + len(given)}: {spelled}.")
    bound: list[dict[str, Any]] = []
    for order in orders:
        rest = [name for name in order if name not in given]
        candidate = {**given, **dict(zip(rest, args, strict=True))}
        if all(fits[name](value) for name, value in candidate.items()) and candidate not in bound:
            bound.append(candidate)
    if len(bound) > 1 and tie is not None:
        bound = [candidate for candidate in bound if tie(candidate)] or bound
    if len(bound) == 1:
        return bound[0]
    trouble = "do not fit" if not bound else "fit more than one order"
    raise ValidationError(f"The arguments of {call} {trouble}. Name them: {spelled}.")
