"""What a failure of PostgreSQL or its driver means, in the errors of this package.

The server's messages may quote what was to be stored, so none is passed on where that can be, and no error of ours
carries one of theirs as its cause.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from datamint_like.backends.local.connections import BUSY_S
from datamint_like.exceptions import DatamintException, StorageError, ValidationError

_FULL = "53100"
_NOTHING_STORED = "Nothing of this call was stored"
#: Starts of SQLSTATE whose messages quote neither rows nor users.
_PLAIN = ("08", "23", "25", "3D", "3F", "42", "53", "55", "57")
_ADVICE = {
    "08": "The connection broke; try again.",
    "25006": "This server only reads, as a standby does; name the one that writes.",
    "25P03": "The call took too long between two statements; try again.",
    "28": "Check the user of the URL, and the password in it or in PGPASSWORD.",
    "3D": "Make the database first (createdb).",
    "3F": "Make the schema first, or let the user make it.",
    "42501": "Let the user of the URL make and write tables in that schema.",
    _FULL: "Its disk is full; free some space there and try again.",
    "53300": "It has too many connections; raise max_connections there, or run fewer processes.",
    "55P03": f"Another process held it for more than {BUSY_S} s; try again.",
    "57014": "It took too long; try again when the server is less busy.",
    "57P": "The server stops or starts; try again.",
}
_LOST = ("08", "57P", "25P03")


class Translated(Exception):  # noqa: N818 -- it carries an error through SQLAlchemy, which keeps the type
    """An error of this package on its way out of SQLAlchemy.

    Attributes:
        error: What to raise.
    """

    def __init__(self, error: DatamintException) -> None:
        super().__init__(str(error))
        self.error = error


def code_of(error: BaseException) -> str:
    """SQLSTATE of a driver's error, or an empty text where the server gave none."""
    told = error.args[0] if error.args else None
    return str(told.get("C", "")) if isinstance(told, dict) else ""


def is_lost(error: BaseException) -> bool:
    """Whether the connection is of no use any more."""
    return isinstance(error, OSError) or "network error" in str(error) or code_of(error).startswith(_LOST)


def translated(error: BaseException, shown: str) -> DatamintException:
    """The error of this package for one of the driver; `shown` names the database.

    A database without room has an `OSError` of a full disk as its cause.
    """
    if isinstance(error, DatamintException):
        return error
    code = code_of(error)
    if code.startswith("22") or isinstance(error, (UnicodeError, OverflowError, TypeError, ValueError)):
        return unstorable()
    failed = f"The database {shown} failed"
    if not code:
        how = "the connection broke" if is_lost(error) else type(error).__name__
        return StorageError(f"{failed}: {how}. {_NOTHING_STORED} unless it was just being confirmed; try again.")
    advice = next((text for start, text in _ADVICE.items() if code.startswith(start)), "")
    told: Any = error.args[0]
    message = str(told.get("M", "")).rstrip(".") if code.startswith(_PLAIN) else ""
    reason = f"{message} (SQLSTATE {code})" if message else f"SQLSTATE {code}"
    failure = StorageError(f"{failed}: {reason}. {advice or _NOTHING_STORED + '.'}")
    if code == _FULL:
        failure.__cause__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return failure


def unstorable() -> ValidationError:
    """The error for a value that PostgreSQL cannot hold."""
    return ValidationError(
        "An argument cannot be stored: text must be valid Unicode without the character NUL, "
        "numbers 64-bit, and ids text."
    )
