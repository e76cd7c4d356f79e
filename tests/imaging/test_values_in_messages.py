"""What libraries below say of a damaged file comes without the values that they quote."""

from __future__ import annotations

import pytest

from datamint_like.exceptions import DecodeError
from datamint_like.imaging._reading_errors import reading

SECRET = "ZQXSECRET"


def a_key() -> object:
    return {}[SECRET]


FAILURES = {
    "a number": lambda: float(SECRET),
    "a number with an apostrophe": lambda: float(f"O'Brien {SECRET}"),
    "a number of bytes": lambda: int(SECRET.encode()),
    "a key": a_key,
    "lines": lambda: float(f"a\n{SECRET}"),
    "a path": lambda: (_ for _ in ()).throw(OSError(f"cannot identify image file '/home/{SECRET}/x.png'")),
    "a quote in quotes": lambda: (_ for _ in ()).throw(ValueError(f"bad name 'O'Brien {SECRET}' in header")),
    "no end": lambda: (_ for _ in ()).throw(ValueError(f"can't read '{SECRET}" + "x" * 500)),
    "an attribute": lambda: getattr(object(), SECRET),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_value_of_a_file_is_in_no_message(failure: str) -> None:
    with pytest.raises(DecodeError) as caught, reading("x.dcm"):
        FAILURES[failure]()
    message = str(caught.value)
    assert SECRET not in message
    assert message.startswith("x.dcm: ")


def test_the_class_and_the_unquoted_words_of_the_library_stay() -> None:
    with (
        pytest.raises(DecodeError, match=r"ValueError: could not convert string to float: '\.\.\.'\)"),
        reading("x.dcm"),
    ):
        float(SECRET)
    with pytest.raises(DecodeError, match=r"codec can't decode byte 0xff in position 0: invalid"), reading("x.dcm"):
        b"\xff".decode()
    with pytest.raises(DecodeError, match=r"RuntimeError: code 7 isn't known\)"), reading("x.dcm"):
        raise RuntimeError("code 7 isn't known")
