"""A form that ends before its last boundary is refused, by routes that take small files too; nothing of it stays."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from datamint_like.entities import Resource

_WHOLE = (
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.json"\r\n\r\n{"definitions": []}\r\n--x--\r\n'
)


@pytest.mark.parametrize(("place", "status"), [("/annotations/{id}/segmentations/file", 422), ("/resources", 400)])
@pytest.mark.parametrize("body", [_WHOLE[:-6], _WHOLE[:70], _WHOLE[:30], b"no form", b""])
def test_a_form_that_is_not_whole_is_refused(
    admin: httpx.Client, uploaded: Resource, tmp_path: Path, place: str, status: int, body: bytes
) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = admin.post(place.format(id=uploaded.id), content=body, headers=headers)
    assert (answer.status_code, answer.json()["kind"]) == (status, "ValidationError"), answer.text
    assert [each for each in (tmp_path / "store" / "incoming").rglob("*") if each.is_file()] == []
