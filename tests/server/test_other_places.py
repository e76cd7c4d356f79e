"""A server whose rows lie in PostgreSQL and whose files lie in a bucket: everything by the command line's options."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.serving import ADMIN_KEY, served_by_process


@pytest.fixture
def places(postgres_url: str, bucket_url: str) -> tuple[str, ...]:
    return "--database", postgres_url, "--blobs", bucket_url


def test_what_was_acknowledged_is_there_after_a_kill_and_with_two_processes(
    places: tuple[str, ...], demo_images: Path, tmp_path: Path
) -> None:
    picture = (demo_images / "xray" / "nih_00000001_000.png").read_bytes()
    audit = ("--audit", str(tmp_path / "audit.jsonl"))
    with served_by_process(None, *places, *audit) as (url, process):
        made = httpx.post(
            f"{url}/resources",
            files={"resource": ("a.png", picture, "image/png")},
            headers={"apikey": ADMIN_KEY},
            timeout=60,
        )
        assert made.status_code == 201, made.text
        process.kill()
    with (
        served_by_process(None, *places, *audit, "--workers", "2") as (url, _),
        httpx.Client(base_url=url, headers={"apikey": ADMIN_KEY}, timeout=60) as client,
    ):
        got = client.get(f"/resources/{made.json()['id']}/file")
        assert got.content == picture
    assert "a.png" not in (tmp_path / "audit.jsonl").read_text()
