"""Creates that were asked for under a name (`Idempotency-Key`): done once, however often they are asked for.

The answer of a create is stored in the transaction that makes what it tells of. So a process that is killed has either
made both or neither, and of two that ask at once one makes and both get the same answer. A name is kept for a day.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from datamint_like.backends.local import clock
from datamint_like.backends.local.schema import idempotency
from datamint_like.exceptions import ValidationError

_DAY_S = 24 * 3600.0
_row = idempotency.c


@dataclass(frozen=True)
class Answer:
    """What a create was answered: an HTTP status, and the body as text."""

    status: int
    body: str


@dataclass(frozen=True)
class Once:
    """A create that is to happen once.

    Attributes:
        user: Who asks; each user has names of their own.
        name: The asker's name for it.
        digest: Of all that was asked; the same name with another digest is refused.
        answer_of: From what the create made to its answer.
    """

    user: str
    name: str
    digest: str
    answer_of: Callable[[Any], Answer]


class AlreadyMade(Exception):  # noqa: N818 -- an answer rather than a failure
    """The create has happened before; nothing of this one is stored."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("This was made before, under the same name.")
        self.answer = answer


def earlier(connection: sa.Connection, once: Once) -> Answer | None:
    """What the create was answered within the last day; None where it has not happened.

    Raises:
        ValidationError: The name was used for something else.
    """
    chosen = sa.select(idempotency).where(_is(once), _row.created_at > _a_day_ago())
    row = connection.execute(chosen).mappings().first()
    if row is None:
        return None
    if row["digest"] != once.digest:
        raise ValidationError(
            "This Idempotency-Key was used for another request within the last day. Send each new request with a "
            "new key."
        )
    return Answer(row["status"], row["answer"])


def refuse_second(connection: sa.Connection, once: Once) -> None:
    """Raise AlreadyMade where the create has happened before."""
    found = earlier(connection, once)
    if found is not None:
        raise AlreadyMade(found)


def keep(connection: sa.Connection, once: Once, made: Any, now: str) -> None:
    """Store the answer that tells what was made, in the transaction that makes it; names of yesterday go."""
    answer = once.answer_of(made)
    connection.execute(sa.delete(idempotency).where(_is(once)))
    row = {"user_id": once.user, "name": once.name, "digest": once.digest, "created_at": now}
    connection.execute(sa.insert(idempotency).values(**row, status=answer.status, answer=answer.body))


def forget_old(connection: sa.Connection) -> None:
    """Remove the names that are older than a day."""
    connection.execute(sa.delete(idempotency).where(_row.created_at <= _a_day_ago()))


def _is(once: Once) -> sa.ColumnElement[bool]:
    return sa.and_(_row.user_id == once.user, _row.name == once.name)


def _a_day_ago() -> str:
    return clock.wall_clock(ago_s=_DAY_S)
