"""Splits that were read of a server, or saved to it, are replayed without it; others are told with what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datamint_like import ImageDataset, VolumeDataset
from datamint_like.backends import open_backend
from datamint_like.cache import Cache
from datamint_like.cli.main import main
from datamint_like.exceptions import CacheError, ValidationError
from tests import serving
from tests.dataset.conftest import shelf
from tests.remote.test_datasets_over_http import Both, both
from tests.remote.test_silenced_datasets import no_socket_opens

__all__ = ["both", "shelf"]
pytestmark = pytest.mark.filterwarnings("ignore::datamint_like.exceptions.SkippedResourcesWarning")


def ids(parts: Any) -> dict[str, list[str]]:
    return {name: [each.id for each in part.resources] for name, part in parts.items()}


@pytest.fixture(params=["auto_update", "DATAMINT_LIKE_OFFLINE"])
def silenced(request: pytest.FixtureRequest, both: Both) -> Any:
    """Datasets that may not ask, in either way."""

    def make(kind: Any = ImageDataset, project: str | None = "mixed", **options: Any) -> Any:
        return kind(project, **both.remote(), auto_update=request.param != "auto_update", **options)

    with pytest.MonkeyPatch.context() as patch:

        def start() -> Any:
            if request.param != "auto_update":
                patch.setenv("DATAMINT_LIKE_OFFLINE", "1")
            return make

        yield start


def test_a_saved_split_is_replayed_by_its_instant(both: Both, silenced: Any) -> None:
    images = ImageDataset("mixed", **both.remote())
    first = images.split(train=0.5, val=0.5, seed=3)
    instant = first.save()
    second = images.split(train=0.5, val=0.5, seed=4)
    later = second.save()
    make = silenced()
    with no_socket_opens(both.folder):
        there = make()
        for when, parts in ((instant, first), (later, second), (instant.replace("Z", "+00:00"), first)):
            again = there.split(as_of_timestamp=when)
            assert {name: sorted(own) for name, own in ids(again).items()} == ids(parts)
            assert again["train"].split_as_of_timestamp == when
            assert again["train"].split_source == "project_api"
        assert ids(there.split())["train"] == ids(second)["train"]


def test_what_split_gave_of_this_state_it_gives_again(both: Both, silenced: Any) -> None:
    volumes = VolumeDataset("mixed", **both.remote())
    volumes.split(train=0.5, val=0.5, seed=1).save()
    volumes = VolumeDataset("mixed", **both.remote())
    now = volumes.split()
    slices = volumes.filter(tags=["even"]).slice("axial").split()
    make = silenced()
    with no_socket_opens(both.folder):
        there = make(VolumeDataset)
        again = there.split()
        assert ids(again) == ids(now)
        assert again["val"].split_as_of_timestamp > now["val"].split_as_of_timestamp  # that of the slices came later
        assert ids(there.filter(tags=["even"]).slice("axial").split()) == ids(slices)


def test_a_look_back_is_not_taken_for_the_newest_and_every_instant_that_was_read_is_kept(
    both: Both, silenced: Any
) -> None:
    images = ImageDataset("mixed", **both.remote())
    first = images.split(train=0.5, val=0.5, seed=3)
    instant = first.save()
    images.split(train=0.5, test=0.5, seed=9).save()
    images = ImageDataset("mixed", **both.remote())
    read = [images.split() for _ in range(2)]
    images.split(as_of_timestamp=instant)
    make = silenced()
    with no_socket_opens(both.folder):
        there = make()
        assert ids(there.split()) == ids(read[0])
        for each in read:
            when = each["train"].split_as_of_timestamp
            assert ids(there.split(as_of_timestamp=when)) == ids(each)
        assert {name: sorted(own) for name, own in ids(there.split(as_of_timestamp=instant)).items()} == ids(first)
    kept = (both.folder / "remote" / "catalog").rglob("splits-*.json")
    assert len(list(kept)) == 2  # equal assignments lie there once


def test_splits_that_were_not_read_are_told_with_what_to_do(both: Both, silenced: Any) -> None:
    server, images = open_backend(both.url, api_key=serving.ADMIN_KEY), ImageDataset("mixed", **both.remote())
    project = images.project
    server.assign_splits(project.id, {both.shelf.xray.id: "train", both.shelf.plain_xray.id: "val"})
    ImageDataset("mixed", **both.remote()).prepare()
    make = silenced()
    with no_socket_opens(both.folder):
        with pytest.raises(
            CacheError, match=rf"'mixed' were not read .* before, .*{both.url}.*split\(\) reads.*seed=42"
        ):
            make().split()
        with pytest.raises(CacheError, match="as of 2026-01-01 were not read on this machine before"):
            make().split(as_of_timestamp="2026-01-01")
        for nonsense in ("yesterday", "", 7):
            with pytest.raises(ValidationError, match="is not a time stamp"):
                make().split(as_of_timestamp=nonsense)
        assert len(make().split(train=0.5, val=0.5, seed=1)) == 2


def test_after_another_sync_the_old_split_is_not_taken_for_the_new_one(both: Both, silenced: Any) -> None:
    server, images = open_backend(both.url, api_key=serving.ADMIN_KEY), ImageDataset("mixed", **both.remote())
    server.assign_splits(images.project.id, {both.shelf.xray.id: "another"})
    images = ImageDataset("mixed", **both.remote())
    instant = images.split(train=0.5, val=0.5, seed=3).save()
    ImageDataset("mixed", **both.remote()).prepare()
    make = silenced()
    with no_socket_opens(both.folder):
        with pytest.raises(
            CacheError, match=rf"since the project was synced last.* as of {instant}: .*as_of_timestamp="
        ):
            make().split()
        assert len(make().split(as_of_timestamp=instant)) == 2


def test_a_lock_file_replays_by_the_instant(both: Both, silenced: Any, tmp_path: Path) -> None:
    images = ImageDataset("mixed", **both.remote())
    images.snapshot.write_lock(tmp_path / "mixed.lock")
    parts = images.split(train=0.5, val=0.5, seed=3)
    instant = parts.save()
    make = silenced()
    with no_socket_opens(both.folder):
        again = make(project=None, lock=tmp_path / "mixed.lock").split(as_of_timestamp=instant)
        assert {name: sorted(own) for name, own in ids(again).items()} == ids(parts)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[:-20],
    "empty": lambda _: b"",
    "another id": lambda data: data[:-5] + bytes([data[-5] ^ 1]) + data[-4:],
    "another instant": lambda data: data.replace(b'"instant":"2', b'"instant":"3'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_told_and_mended_by_reading_them_again(both: Both, damage: str) -> None:
    ImageDataset("mixed", **both.remote()).split(train=0.5, val=0.5, seed=3).save()
    cache = Cache(both.folder / "remote")
    images = ImageDataset("mixed", **both.remote())
    parts = ids(images.split())
    kept = sorted((both.folder / "remote" / "catalog").rglob("split*.json"))
    assert len(kept) == 4  # that of save(), and the same parts as of later
    (last,) = [path for path in kept if path.name == "split-last.json"]
    newest = last.read_bytes()
    instant = json.loads(newest)["instant"]
    assert (cache.verify().damaged, cache.verify().checked["other"]) == ((), 4)
    silent = ImageDataset("mixed", **both.remote(), auto_update=False)
    for path in kept:
        whole = path.read_bytes()
        path.write_bytes(DAMAGES[damage](whole))
        if path.read_bytes() == whole:
            continue  # the parts have no instant
        assert path.name in {Path(each.name).name for each in cache.verify().damaged}
        found = json.loads(whole)
        if path == last or found.get("instant") in (instant, None):
            with pytest.raises(CacheError, match=r"are damaged: .*\.json .*Call split\(\) or prefetch\(\) while the"):
                silent.split()
        assert ids(images.split()) == parts
        assert ids(silent.split()) == parts
        path.write_bytes(whole)
        last.write_bytes(newest)


def test_files_that_lack_what_they_name_are_damaged_and_cleared_ones_are_as_none(both: Both) -> None:
    images = ImageDataset("mixed", **both.remote())
    instant = images.split(train=0.5, val=0.5, seed=3).save()
    cache = Cache(both.folder / "remote")
    (parts,) = (both.folder / "remote" / "catalog").rglob("splits-*.json")
    parts.unlink()
    silent = ImageDataset("mixed", **both.remote(), auto_update=False).prepare()
    with pytest.raises(CacheError, match=f"{parts.name} cannot be read .No such file"):
        silent.split(as_of_timestamp=instant)
    assert len(cache.verify(remove=True).damaged) == 2
    assert cache.verify().damaged == ()
    with pytest.raises(CacheError, match="were not read on this machine before"):
        silent.split(as_of_timestamp=instant)
    assert len(images.split(as_of_timestamp=instant)) == 2
    assert len(silent.split(as_of_timestamp=instant)) == 2
    cache.clear()
    assert not list((both.folder / "remote" / "catalog").rglob("split*.json"))


def test_the_command_brings_a_part_of_a_server_and_keeps_its_split(
    both: Both, monkeypatch: pytest.MonkeyPatch, silenced: Any
) -> None:
    monkeypatch.setenv("DATAMINT_LIKE_API_KEY", serving.ADMIN_KEY)
    VolumeDataset("mixed", **both.remote()).split(train=0.5, val=0.5, seed=1).save()
    where = ["--server-url", both.url, "--cache-dir", str(both.folder / "remote")]
    assert main(["prefetch", "mixed", "--split", "train", "--annotations", *where]) == 0
    make = silenced()
    with no_socket_opens(both.folder):
        part = make(VolumeDataset, irregular_spacing="keep").split()["train"]
        assert len([part[n] for n in range(len(part))]) == 1
