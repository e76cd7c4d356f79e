"""What a cache holds is told, checked, and removed, through the handle; a folder that is no cache is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from datamint_like._cache import CacheFolder, Lease
from datamint_like.api import Api
from datamint_like.cache import Amount, Cache
from datamint_like.dataset import VolumeDataset
from datamint_like.exceptions import CacheError, ValidationError
from tests.cache.conftest import Shelf


@pytest.fixture
def project(demo_images: Path) -> Api:
    """A project with one volume, in the configured store."""
    api = Api()
    api.resources.upload_resources([demo_images / "ct_philips"], publish_to=api.projects.create("head"))
    return api


@pytest.fixture
def slices(project: Api) -> VolumeDataset:
    return VolumeDataset(project="head").slice("axial")  # type: ignore[return-value]


def entry(cache: Cache, pattern: str) -> Path:
    (found,) = cache.folder.glob(pattern)
    return found


def test_a_folder_that_holds_other_things_is_refused_whatever_is_asked(tmp_path: Path) -> None:
    (tmp_path / "blobs" / "ab").mkdir(parents=True)
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(CacheError, match=r"no cache of datamint-like.*Nothing was touched"):
        Cache(tmp_path)
    with pytest.raises(CacheError, match="no cache folder"):
        Cache(tmp_path / "misspelt")
    assert Cache().usage().size == 0  # the configured one need not be there yet


def test_usage_counts_by_kind_and_by_project(slices: VolumeDataset) -> None:
    _ = slices[0]
    used = Cache().usage()
    assert {kind: amount.entries for kind, amount in used.kinds.items() if kind != "other"} == {
        "file": 0, "pack": 1, "snapshot": 1, "partial": 0, "lease": 1,
    }  # fmt: skip
    assert used.size == sum(path.stat().st_size for path in Cache().folder.rglob("*[!G]") if path.is_file())
    (project,) = used.projects
    assert (project.project, project.snapshots) == ("head", used.kinds["snapshot"])
    assert project.files == Amount()
    assert project.store_url == Api().server_url


@pytest.mark.parametrize("compression", ["gzip", None])
def test_damaged_packs_and_snapshots_are_found_and_made_again(slices: VolumeDataset, compression: str | None) -> None:
    volumes = VolumeDataset(project="head", compression=compression)  # type: ignore[arg-type]
    expected = volumes.slice("axial")[3]["image"]
    cache = Cache()
    assert cache.verify().damaged == ()
    pack = entry(cache, "packs/*/*/axial.npy.gz" if compression else "packs/*/*/axial.npy")
    damaged = bytearray(pack.read_bytes())
    damaged[len(damaged) // 2 if compression else -5] ^= 8
    pack.write_bytes(damaged)
    snapshot = entry(cache, "catalog/*/*/*.sqlite")
    snapshot.write_bytes(snapshot.read_bytes()[:5000])
    found = cache.verify()
    assert {damage.kind for damage in found.damaged} == {"pack", "snapshot"}
    assert not any(damage.removed for damage in found.damaged)
    assert dict(found.checked) == {"pack": 1, "snapshot": 1}
    assert all(damage.removed for damage in cache.verify(remove=True).damaged)
    assert cache.verify().checked == {}
    again = VolumeDataset(project="head", compression=compression)  # type: ignore[arg-type]
    assert again.slice("axial")[3]["image"].equal(expected)
    assert cache.verify().checked == {"pack": 1, "snapshot": 1}


def test_files_are_hashed_and_those_of_unknown_digest_counted(shelf: Shelf) -> None:
    shelf.file(1)
    shelf.put("blobs/00/version-" + "0" * 56)
    good = shelf.put("blobs/2d/2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", 1)
    found = Cache(shelf.path).verify(remove=True)
    assert (found.checked, found.unchecked) == ({"file": 2}, 1)
    (damage,) = found.damaged
    assert damage.name == f"blobs/00/{1:064x}"
    assert damage.removed
    assert good.exists()


def test_a_check_is_no_use(slices: VolumeDataset) -> None:
    _ = slices[0]
    cache = Cache()
    old = [entry(cache, "packs/*/*/axial.npy.gz"), entry(cache, "catalog/*/*/*.sqlite")]
    for path in old:
        Shelf.age(path, 90)
    before = [path.stat().st_mtime for path in old]
    cache.verify()
    cache.usage()
    assert [path.stat().st_mtime for path in old] == before


def test_gc_spares_the_snapshots_of_living_datasets_and_removes_them_after(project: Api) -> None:
    first = VolumeDataset(project="head").prepare()
    project.projects.create("other")
    (resource,) = project.resources.get_list()
    project.annotations.add_label_annotation(resource, "seen")
    second = VolumeDataset(project="head").prepare()
    cache = Cache()
    for path in cache.folder.glob("catalog/*/*/*.sqlite"):
        Shelf.age(path, 90)
    assert cache.gc().removed == 0
    old = first._prepared.snapshot.path
    del first
    assert cache.gc().removed == 1
    assert not old.exists()
    assert len(second) == 1


def test_the_newest_snapshot_stays_although_nobody_used_it_for_long(project: Api) -> None:
    VolumeDataset(project="head").prepare()
    (resource,) = project.resources.get_list()
    project.annotations.add_label_annotation(resource, "seen")
    VolumeDataset(project="head").prepare()
    cache = Cache()
    for path in cache.folder.glob("catalog/*/*/*"):
        Shelf.age(path, 9000)
    assert cache.gc(limit=0).removed == 1
    (kept,) = cache.folder.glob("catalog/*/*/*.sqlite")
    offline = VolumeDataset(project="head", auto_update=False)
    assert offline.image_labels_set == ["seen"]
    assert offline._prepared.snapshot.path == kept


def test_nothing_goes_where_the_newest_snapshot_cannot_be_told(shelf: Shelf) -> None:
    old = shelf.put("catalog/0123456789abcdef/p1/old.4.sqlite", hours=90)
    (old.parent / "current").mkdir()
    with pytest.raises(CacheError, match="Nothing was removed"):
        Cache(shelf.path).gc(limit=0)
    assert old.exists()


def test_a_changed_bit_of_the_newest_snapshot_is_found(project: Api) -> None:
    VolumeDataset(project="head").prepare()
    cache = Cache()
    path = entry(cache, "catalog/*/*/*.sqlite")
    data = bytearray(path.read_bytes())
    data[data.rindex(b"dcm")] ^= 1  # within a row, where SQLite has no check of its own
    path.write_bytes(data)
    (damage,) = cache.verify().damaged
    assert damage.kind == "snapshot"


def test_a_damaged_snapshot_that_is_not_the_newest_is_told_and_stays_until_its_removal_is_asked_for(
    project: Api,
) -> None:
    VolumeDataset(project="head").prepare()
    cache = Cache()
    path = entry(cache, "catalog/*/*/*.sqlite")
    (path.parent / "current").unlink()  # as of a list of resources or a lock file: no digest is known
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * (path.stat().st_size - 4096))
    for _ in range(2):
        (damage,) = cache.verify().damaged
        assert (damage.kind, damage.removed) == ("snapshot", False)
        cache.usage()
        assert path.exists()
    assert [each.removed for each in cache.verify(remove=True).damaged] == [True]
    assert not path.exists()


def test_clear_removes_all_but_what_running_processes_hold(slices: VolumeDataset) -> None:
    _ = slices[0]
    cache = Cache()
    before = cache.usage()
    done = cache.clear()
    assert before.kinds["pack"].entries == 1
    left = cache.usage()
    assert (left.kinds["pack"].entries, left.kinds["snapshot"].entries) == (0, 1)
    assert done.held == left.size
    assert slices[1]["image"].shape == (1, 128, 128)  # made again
    slices._state = None
    del slices


def test_clear_leaves_the_name_of_a_snapshot_that_is_open(project: Api) -> None:
    dataset = VolumeDataset(project="head").prepare()
    Cache().clear()
    assert len(VolumeDataset(project="head", auto_update=False)) == len(dataset)


@pytest.mark.parametrize("top", ["blobs", "packs", "catalog"])
def test_nothing_is_put_among_what_is_not_the_caches(shelf: Shelf, tmp_path: Path, top: str) -> None:
    other = tmp_path / "store"
    (other / top).mkdir(parents=True)
    (other / top / "theirs").write_text("x")
    with pytest.raises(OSError, match=f"in {top}/ lies what is not this cache's"):
        CacheFolder(other).make(other / top / "ab")
    assert [path.name for path in (other / top).iterdir()] == ["theirs"]


def test_a_folder_that_is_in_the_way_is_told_to_be_moved(project: Api, tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "catalog").mkdir(parents=True)
    (tmp_path / "elsewhere" / "catalog" / "theirs").write_text("x")
    with pytest.raises(
        CacheError, match=r"in catalog/ lies what is not this cache's.* Move that folder away, or name"
    ) as e:
        VolumeDataset(project="head", cache_dir=tmp_path / "elsewhere").prepare()
    assert "Free space" not in str(e.value)


@pytest.mark.parametrize("given", ["", " ", 7, b"cache"])
def test_a_cache_has_a_name(given: Any) -> None:
    with pytest.raises(ValidationError, match="The cache folder is a path"):
        Cache(given)


def test_clear_takes_young_entries_and_those_of_the_future(shelf: Shelf) -> None:
    shelf.file(1)
    shelf.pack(2, hours=-30)
    kept = shelf.file(3)
    with Lease(shelf.cache, [kept]):
        assert Cache(shelf.path).clear().removed == 2
        assert kept.exists()
    assert Cache(shelf.path).clear().removed == 1
    assert shelf.names == set()


def test_a_copied_cache_works_elsewhere_without_its_store(
    slices: VolumeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = slices[5]["image"]
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(Cache().folder, elsewhere)
    shutil.rmtree(Cache().folder)
    for path in (tmp_path / "home").rglob("blobs"):
        shutil.rmtree(path)
    moved = VolumeDataset(project="head", auto_update=False, cache_dir=elsewhere).slice("axial")
    assert moved[5]["image"].equal(expected)
    assert Cache(elsewhere).verify().damaged == ()


def test_folders_and_files_of_a_shared_cache_are_open_to_the_group_whatever_the_umask(
    project: Api, tmp_path: Path
) -> None:
    import os

    before = os.umask(0o077)
    try:
        shared, own = tmp_path / "shared", tmp_path / "own"
        _ = VolumeDataset(project="head", cache_dir=shared, cache_mode=0o750).slice("axial")[0]
        _ = VolumeDataset(project="head", cache_dir=own).slice("axial")[0]
    finally:
        os.umask(before)
    paths = [path for path in (shared, *shared.rglob("*")) if not path.name.endswith(".lock")]
    assert len(paths) > 10
    assert [path for path in paths if path.is_dir() and path.stat().st_mode & 0o777 != 0o750] == []
    assert {oct(path.stat().st_mode & 0o077) for path in paths if path.is_file()} == {"0o40"}
    assert {oct(path.stat().st_mode & 0o777) for path in (own, *own.rglob("*")) if path.is_dir()} == {"0o700"}


def test_a_limit_that_is_none_is_refused_where_it_is_written(project: Api) -> None:
    with pytest.raises(ValueError, match="256MB"):
        VolumeDataset(project="head", cache_limit="much")
    with pytest.raises(ValueError, match="0o700 to 0o777"):
        VolumeDataset(project="head", cache_mode=750)
    assert VolumeDataset(project="head", cache_limit="1GB")._source.cache == CacheFolder(Cache().folder, 10**9, 0o700)


@pytest.mark.parametrize("blank", ["", " ", Path(" ")])
def test_a_folder_without_a_name_is_refused(blank: str | Path) -> None:
    with pytest.raises(ValidationError, match="The cache folder is a path"):
        Cache(blank)
