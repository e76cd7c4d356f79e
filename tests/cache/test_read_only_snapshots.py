"""A project, a lock file and a list of resources open over a cache that nobody may write, and leave nothing behind."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from datamint_like.api import Api
from tests.cache.lab import SHAPE, VOLUMES, Lab, running_lab
from tests.cache.mounts import READ_ONLY, run_where
from tests.serving import ADMIN_KEY

OPENS = """
import os, sys
from pathlib import Path
from datamint_like import VolumeDataset
from datamint_like.backends.remote.keys import given
cache, url, how, given_name = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
if how == "lock":
    os.environ["DATAMINT_LIKE_OFFLINE"] = "1"
    asked = {"lock": given_name}
elif how == "project":
    given(url, sys.argv[5])
    asked = {"project": given_name}
else:
    given(url, sys.argv[5])
    asked = {"resources": given_name.split(",")}
options = {"server_url": url, "cache_dir": cache, "orientation": "native", "memory_cache": 0, **asked}
dataset = VolumeDataset(**options)
assert not os.access(cache, os.W_OK)
again = VolumeDataset(**options)
assert again.snapshot.path == dataset.snapshot.path, "it was built twice"
for method in ("fork", "spawn") if how == "lock" else ("fork",):
    loader = dataset.slice("axial").get_dataloader(batch_size=4, num_workers=2, multiprocessing_context=method)
    print(sum(len(batch["image"]) for batch in loader))
print(dataset.fingerprint, dataset.snapshot.path.exists(), dataset.snapshot.path.is_relative_to(cache))
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of temporary files; its name is short, since sockets between workers have theirs there."""
    with tempfile.TemporaryDirectory(prefix="ro-") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


@pytest.mark.parametrize("how", ["lock", "resources"])
def test_what_is_there_trains_from_a_lock_and_from_a_list(lab: Lab, tmp_path: Path, temporary: Path, how: str) -> None:
    cache, lock = tmp_path / "cache", tmp_path / "lab.lock"
    dataset = lab.dataset(cache)
    dataset.prefetch(slices="axial", progress=False)
    dataset.snapshot.write_lock(lock)
    name = str(lock) if how == "lock" else ",".join(each.id for each in dataset.resources)
    fingerprint = dataset.fingerprint
    before = sorted((str(path), path.stat().st_mtime_ns) for path in cache.rglob("*") if path.is_file())
    out = run_where(READ_ONLY, cache, OPENS, cache, lab.url, how, name, ADMIN_KEY).splitlines()
    assert out[:-1] == [str(VOLUMES * SHAPE[2])] * (2 if how == "lock" else 1)
    assert out[-1] == f"{fingerprint} True False"
    assert sorted((str(path), path.stat().st_mtime_ns) for path in cache.rglob("*") if path.is_file()) == before
    assert list(temporary.glob("datamint-like-*")) == []


@pytest.mark.parametrize("was_synced", [True, False])
def test_a_project_that_changed_or_was_never_synced_opens_as_it_is_now(
    lab: Lab, tmp_path: Path, temporary: Path, was_synced: bool
) -> None:
    cache = tmp_path / "cache"
    dataset = lab.dataset(cache)
    dataset.prefetch(slices="axial", progress=False)
    if not was_synced:
        shutil.rmtree(cache / "catalog")
    one = dataset.resources[0]
    Api(server_url=lab.url, api_key=ADMIN_KEY).annotations.create_image_classification(one, "seen", "yes")
    before = sorted(path for path in cache.rglob("*") if path.is_file())
    out = run_where(READ_ONLY, cache, OPENS, cache, lab.url, "project", dataset.project.name, ADMIN_KEY).splitlines()
    assert out[:-1] == [str(VOLUMES * SHAPE[2])]
    assert out[-1] == f"{lab.dataset(tmp_path / 'another').fingerprint} True False"
    assert sorted(path for path in cache.rglob("*") if path.is_file()) == before
    assert list(temporary.glob("datamint-like-*")) == []
