"""What identity becomes: UIDs, patient ids and dates by a keyed hash, the same for the same secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import date, timedelta
from uuid import UUID

from datamint_like.exceptions import ValidationError

#: Bytes that a secret has at least.
SHORTEST_SECRET = 16
_MOST_DAYS = 3650


class Pseudonyms:
    """Pseudonyms under one secret: who lacks it can neither find the original nor test a guess.

    Args:
        secret: Random bytes, kept where the results belong together (a store).

    Raises:
        ValidationError: The secret is too short.

    Example:
        >>> names = Pseudonyms(b"0123456789abcdef")
        >>> names.patient("4711") == names.patient("4711"), names.patient("4711") == names.patient("4712")
        (True, False)
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < SHORTEST_SECRET:
            raise ValidationError(f"The secret of a de-identification has {SHORTEST_SECRET} bytes or more.")
        self._secret = secret

    def __repr__(self) -> str:
        return "Pseudonyms()"

    def uid(self, uid: str) -> str:
        """The UID that stands for this one: `2.25.` and a UUID (PS3.5 B.2)."""
        return f"2.25.{UUID(bytes=self._digest('uid', uid)[:16], version=4).int}"

    def patient(self, patient: str) -> str:
        """The patient id that stands for this one."""
        return f"ANON-{base64.b32encode(self._digest('patient', patient)[:10]).decode()}"

    def token(self, text: str) -> str:
        """Sixteen hexadecimal digits that stand for a text, for the names of files."""
        return self._digest("token", text)[:8].hex()

    def shifted(self, day: date, patient: str) -> date | None:
        """The day that stands for this one, by an offset of the patient's own; None before the first year."""
        offset = 1 + int.from_bytes(self._digest("days", patient)[:8], "big") % _MOST_DAYS
        try:
            return day - timedelta(days=offset)
        except OverflowError:
            return None

    def _digest(self, purpose: str, text: str) -> bytes:
        message = f"{purpose}\0{text}".encode(errors="surrogatepass")
        return hmac.digest(self._secret, message, hashlib.sha256)
