"""What `datamint-like serve` is told on its command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from datamint_like.backends.base import NewResource
from datamint_like.backends.local.backend import LocalBackend
from tests.serving import ADMIN_KEY, served_by_process


def test_nginx_gets_whole_files_and_slices_are_kept_in_the_cache_folder(tmp_path: Path, picture: Path) -> None:
    folder, cache = tmp_path / "store", tmp_path / "cache"
    store = LocalBackend(folder.as_uri())
    resource = store.create_resource(NewResource((picture,), "picture.png"))
    (part,) = store.list_parts([resource.id])[resource.id]
    place = store.blobs().blob_path(part.sha256).relative_to(folder)
    store.close()
    with (
        served_by_process(folder, "--cache", str(cache), "--accel-prefix", "/stored/") as (url, _),
        httpx.Client(base_url=url, headers={"apikey": ADMIN_KEY}, timeout=30) as client,
    ):
        whole = client.get(f"/resources/{resource.id}/file")
        assert (whole.headers["X-Accel-Redirect"], whole.content) == (f"/stored/{place}", b"")
        assert client.get(f"/resources/{resource.id}/slices/frames/0").status_code == 200
    assert [each for each in cache.rglob("*") if each.is_file()]


@pytest.mark.parametrize("place", ["stored", "/", "http://x/stored", "/a b", "/stored\n"])
def test_a_prefix_that_is_no_location_is_refused(tmp_path: Path, place: str) -> None:
    command = [sys.executable, "-m", "datamint_like.cli.main", "serve", "--store", str(tmp_path / "store")]
    done = subprocess.run([*command, "--accel-prefix", place], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no location of nginx" in done.stderr
    assert not (tmp_path / "store").exists()
