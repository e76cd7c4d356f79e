"""Splits that were read of a server, or saved to it, are replayed without it; others are told with what to do."""

from __future__ import annotations

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


def test_damaged_and_cleared_files_are_as_none(both: Both) -> None:
    images = ImageDataset("mixed", **both.remote())
    instant = images.split(train=0.5, val=0.5, seed=3).save()
    kept = sorted((both.folder / "remote" / "catalog").rglob("split*.json"))
    assert len(kept) == 3
    assert Cache(both.folder / "remote").verify().damaged == ()
    for path in kept:
        path.write_bytes(path.read_bytes()[:-20])
    silent = ImageDataset("mixed", **both.remote(), auto_update=False)
    with pytest.raises(CacheError, match="were not read on this machine before"):
        silent.split(as_of_timestamp=instant)
    assert len(images.split(as_of_timestamp=instant)) == 2
    assert len(silent.split(as_of_timestamp=instant)) == 2
    Cache(both.folder / "remote").clear()
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
