"""Time stamps of a store: ISO 8601 in UTC with microseconds and `Z`, one width, so text order is time order."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from datamint_like.exceptions import ValidationError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE_ONLY = len("2026-02-01")


def wall_clock(*, ago_s: float = 0.0) -> str:
    """What this machine's clock shows now, or showed some seconds ago."""
    return _text(_EPOCH + timedelta(microseconds=time.time_ns() // 1000) - timedelta(seconds=ago_s))


def a_day_ago() -> str:
    """What this machine's clock showed a day ago."""
    return _text(datetime.now(UTC) - timedelta(days=1))


def later_than(stamp: str, at_least: str) -> str:
    """`at_least`, or one microsecond after `stamp` when the clock shows no later time."""
    if at_least > stamp:
        return at_least
    return _text(datetime.fromisoformat(stamp) + timedelta(microseconds=1))


def parse(text: str) -> str:
    """The stamp of an ISO 8601 time with `Z`, an offset, or none (which is UTC).

    Raises:
        ValidationError: It is no such time.
    """
    return _text(_moment(text))


def end_of(text: str) -> str:
    """The last stamp that an inclusive bound covers: a bare date means its whole day.

    Raises:
        ValidationError: It is no ISO 8601 time.
    """
    moment = _moment(text)
    if len(text.strip()) <= _DATE_ONLY:
        moment += timedelta(days=1, microseconds=-1)
    return _text(moment)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, AttributeError, TypeError) as error:
        raise ValidationError(
            f"{text!r} is not a time stamp: give ISO 8601, such as 2026-02-01T09:00:00.123456Z."
        ) from error


def _text(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
