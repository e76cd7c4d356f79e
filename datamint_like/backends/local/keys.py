"""Rows of the keys that open a server: only digests, so that a copy of the database opens nothing.

A key is `dml_<8 letters>_<secret>`; what stands before the secret is public and finds its row. The secret is 256
random bits, so one round of SHA-256 is enough: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from datamint_like.backends.local.database import Read, Write
from datamint_like.backends.local.schema import api_keys, users
from datamint_like.entities import ApiKey, User
from datamint_like.exceptions import ItemNotFoundError, ValidationError

_FORM = re.compile(r"(dml_[a-z2-7]{8})_[A-Za-z0-9_-]{43}")
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_SHORTEST = 16  # of a key that an operator chose
_row = api_keys.c


def create(write: Write, email: str, label: str = "") -> tuple[ApiKey, str]:
    """A new key of a user, and its text, which is known now and never again.

    Raises:
        ItemNotFoundError: The store has no such user.
    """
    prefix = f"dml_{''.join(secrets.choice(_LETTERS) for _ in range(8))}"
    key = f"{prefix}_{secrets.token_urlsafe(32)}"
    return _insert(write, prefix, key, email, label), key


def adopt(write: Write, key: str, email: str, label: str) -> ApiKey:
    """Make a text that the operator chose a key of a user; one that is a key already stays.

    Raises:
        ValidationError: It is shorter than 16 characters, or has blanks or other than ASCII characters.
    """
    if len(key) < _SHORTEST or not key.isascii() or not key.isprintable() or " " in key:
        raise ValidationError(
            f"A key needs at least {_SHORTEST} ASCII characters without blanks. "
            "`datamint-like key create` makes a good one."
        )
    held = write.row(sa.select(api_keys).where(_row.prefix == _prefix(key)))
    return _key(held) if held is not None else _insert(write, _prefix(key), key, email, label)


def holder(read: Read, key: str) -> tuple[User, str] | None:
    """The user whose key this is, and the key's public prefix; None for any other text."""
    both = sa.select(users, _row.prefix, _row.sha256, _row.revoked_at).join(api_keys, users.c.email == _row.email)
    row = read.row(both.where(_row.prefix == _prefix(key)))
    expected = row["sha256"] if row is not None else _digest("")
    same = hmac.compare_digest(_digest(key), expected)
    if row is None or not same or row["revoked_at"] is not None:
        return None
    return User.from_dict({name: row[name] for name in User.__struct_fields__}), row["prefix"]


def listing(read: Read) -> list[ApiKey]:
    """All keys, revoked ones too, by time of creation."""
    return [_key(row) for row in read.rows(sa.select(api_keys).order_by(_row.created_at, _row.prefix))]


def revoke(write: Write, prefix: str) -> ApiKey:
    """End a key, now.

    Raises:
        ItemNotFoundError: There is no key with this prefix.
    """
    row = write.row(sa.select(api_keys).where(_row.prefix == prefix))
    if row is None:
        raise ItemNotFoundError(
            f"No key with the prefix {prefix!r:.40} was found. `datamint-like key list` shows them."
        )
    if row["revoked_at"] is None:
        write.change(api_keys, _row.prefix == prefix, revoked_at=write.stamp())
    return _key(write.row(sa.select(api_keys).where(_row.prefix == prefix)))


def revoke_all_of(write: Write, email: str) -> None:
    """End all keys of a user, now."""
    open_ones = sa.and_(_row.email == email, _row.revoked_at.is_(None))
    write.change(api_keys, open_ones, revoked_at=write.stamp())


def _insert(write: Write, prefix: str, key: str, email: str, label: str) -> ApiKey:
    if not write.found(users.c.email, [email]):
        raise write.missing("User", email)
    row = {"prefix": prefix, "sha256": _digest(key), "email": email, "label": label}
    row |= {"created_at": write.stamp(), "created_by": write.user}
    write.insert(api_keys, [row])
    return _key({**row, "revoked_at": None})


def _prefix(key: str) -> str:
    """What finds a key: its own prefix, or for a text of the operator's choice a part of its digest."""
    form = _FORM.fullmatch(key)
    return form[1] if form else f"own_{_digest(key)[:12]}"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _key(row: Mapping[str, Any] | None) -> ApiKey:
    assert row is not None  # the caller has just written it
    return ApiKey.from_dict({str(name): value for name, value in row.items() if name != "sha256"})
