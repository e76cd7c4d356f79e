"""With `auto_update=False`, and with the network off, a dataset opens no socket; what it lacks is one counted error."""

from __future__ import annotations

import multiprocessing
import pickle
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from datamint_like import ImageDataset, VolumeDataset
from datamint_like.cli.main import main
from datamint_like.dataset import missing
from datamint_like.dataset.prefetch_rows import files_of
from datamint_like.exceptions import CacheError, NotHereError, PrefetchError
from datamint_like.testing.fault_server import FaultServer
from tests import serving
from tests.dataset.conftest import shelf
from tests.remote.test_datasets_over_http import DATASETS, Both, assert_same, both, itself

__all__ = ["both", "shelf"]
pytestmark = pytest.mark.filterwarnings("ignore::datamint_like.exceptions.SkippedResourcesWarning")


@contextmanager
def no_socket_opens(folder: Path) -> Iterator[None]:
    """A block in which this process, and those that it forks, make no socket but between themselves."""
    log, plain = folder / "sockets", socket.socket

    class Refused(plain):  # type: ignore[misc, valid-type]
        def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:
            if family != socket.AF_UNIX and fileno is None:
                with log.open("a") as file:
                    file.write(f"{family}\n")
                raise OSError("no socket here")
            super().__init__(family, type, proto, fileno)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "socket", Refused)
        yield
    assert not log.exists()


def by_two() -> dict[str, Any]:
    context = multiprocessing.get_context("fork")
    return {"batch_size": None, "num_workers": 2, "multiprocessing_context": context, "collate_fn": itself}


def by_workers(dataset: Any) -> list[Any]:
    return list(torch.utils.data.DataLoader(dataset, **by_two()))


@pytest.mark.parametrize("kind", ["images", "volumes", "slices", "frames"])
@pytest.mark.parametrize("by", ["auto_update", "DATAMINT_LIKE_OFFLINE"])
def test_all_that_was_fetched_is_read_without_a_socket_in_any_process(
    both: Both, kind: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, where = DATASETS[kind], both.remote()
    make(**where).prefetch(include_annotations=True, progress=False)
    here = list(make(**both.local()))
    if by == "DATAMINT_LIKE_OFFLINE":
        monkeypatch.setenv("DATAMINT_LIKE_OFFLINE", "1")
    with no_socket_opens(both.folder):
        there = make(**where, auto_update=by != "auto_update")
        for items in (there, by_workers(there), pickle.loads(pickle.dumps(there))):
            for left, right in zip(here, items, strict=True):
                assert_same(left, right)


@pytest.mark.parametrize("by", ["auto_update", "DATAMINT_LIKE_OFFLINE"])
def test_what_is_missing_is_one_error_that_counts_and_names_it(
    both: Both, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = both.remote()
    ImageDataset("mixed", **where).prepare()
    if by == "DATAMINT_LIKE_OFFLINE":
        monkeypatch.setenv("DATAMINT_LIKE_OFFLINE", "1")
    told = rf"ImageDataset lacks 3 of 3 files: 'nih_00027426_000\.png' .*'soft'.*{by}.*{both.url}.*prefetch\("
    with no_socket_opens(both.folder):
        there = ImageDataset("mixed", **where, auto_update=by != "auto_update")
        with pytest.raises(CacheError, match=told) as caught:
            there[1]
        assert type(caught.value) is NotHereError
        with pytest.raises(CacheError, match="lacks 3 of 3 files"):
            list(there.get_dataloader(**by_two()))
        with pytest.raises(CacheError, match=r"VolumeDataset lacks 63 of 63 files: .* and 60 more"):
            VolumeDataset("mixed", **where, auto_update=by != "auto_update", irregular_spacing="keep")[0]
        with pytest.raises(CacheError, match=r"SlicedVolumeDataset lacks 35 of 35 files"):
            VolumeDataset("mixed", **where, auto_update=by != "auto_update").filter(tags=["even"]).slice("axial")[7]


def test_files_that_were_emptied_or_cut_are_counted_too(both: Both) -> None:
    where = both.remote()
    ImageDataset("mixed", **where, return_segmentations=False).prefetch(progress=False)
    files = sorted((both.folder / "remote" / "blobs").glob("[0-9a-f][0-9a-f]/*"))
    for path in files:
        path.chmod(0o644)
        path.write_bytes(b"")
    there = ImageDataset("mixed", **where, auto_update=False, return_segmentations=False)
    with pytest.raises(NotHereError, match=f"lacks {len(files)} of {len(files)} files"):
        there[0]


def test_prefetch_asks_because_it_is_called_and_brings_the_state_that_is_pinned(both: Both) -> None:
    where = both.remote()
    ImageDataset("mixed", **where).prepare()
    there = ImageDataset("mixed", **where, auto_update=False)
    with pytest.raises(CacheError, match="lacks 3 of 3 files"):
        there[0]
    there.subset([0]).prefetch(progress=False)
    with no_socket_opens(both.folder), pytest.raises(CacheError, match="lacks 2 of 3 files: the mask 'soft'"):
        there[0]
    there.prefetch(include_annotations=True, progress=False)
    with no_socket_opens(both.folder):
        assert_same(list(there), list(ImageDataset("mixed", **both.local())))


def test_with_the_network_off_a_prefetch_asks_nobody(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    where = both.remote()
    ImageDataset("mixed", **where).prepare()
    monkeypatch.setenv("DATAMINT_LIKE_OFFLINE", "1")
    with no_socket_opens(both.folder), pytest.raises(PrefetchError, match="2 failures"):
        ImageDataset("mixed", **where).prefetch(progress=False)


class Comparable(ImageDataset):
    """Has no hash, as any class that says when two are equal."""

    def __eq__(self, other: object) -> bool:
        return True


def test_a_part_counts_its_own_files(both: Both) -> None:
    where = both.remote()
    ImageDataset("mixed", **where).prepare()
    there = Comparable("mixed", **where, auto_update=False, return_segmentations=False)
    with pytest.raises(CacheError, match=r"Comparable lacks 1 of 1 file: 'nih_00027426_000\.png'"):
        there.subset([1])[0]
    with pytest.raises(CacheError, match="Comparable lacks 2 of 2 files"):
        there[1]


def test_counting_ends_after_so_many_resources_and_is_not_done_again_for_each_item(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, looked = both.remote(), list[list[int]]()
    ImageDataset("mixed", **where).prepare()

    def noted(reader: Any, rows: list[int], **options: Any) -> Any:
        looked.append(rows)
        return files_of(reader, rows, **options)

    monkeypatch.setattr(missing, "files_of", noted)
    monkeypatch.setattr(missing, "_LOOKED_AT", 1)
    there = ImageDataset("mixed", **where, auto_update=False)
    for _ in range(3):
        with pytest.raises(
            CacheError, match=r"at least 1 of 1 file \(those of 1 more resources were not looked for\): 'nih_00027426"
        ):
            there[1]
    assert [len(rows) for rows in looked] == [1]


def test_a_lock_file_may_be_opened_without_a_socket_too(both: Both, tmp_path: Path) -> None:
    ImageDataset("mixed", **both.local()).snapshot.write_lock(tmp_path / "mixed.lock")
    where = both.remote()
    with no_socket_opens(both.folder):
        there = ImageDataset(lock=tmp_path / "mixed.lock", **where, auto_update=False)
        with pytest.raises(CacheError, match="lacks 3 of 3 files"):
            there[0]
    there.prefetch(include_annotations=True, progress=False)
    with no_socket_opens(both.folder):
        assert_same(list(there), list(ImageDataset("mixed", **both.local())))


def test_the_command_asks_once_for_the_project_and_brings_every_kind(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAMINT_LIKE_API_KEY", serving.ADMIN_KEY)
    with FaultServer(both.url) as proxy:
        arguments = ["prefetch", "mixed", "--annotations", "--server-url", proxy.url]
        assert main([*arguments, "--cache-dir", str(both.folder / "remote")]) == 0
        assert sum(each.path.endswith("/content") for each in proxy.seen) == 1
        with no_socket_opens(both.folder):
            for kind in ("images", "volumes", "videos"):
                assert list(DATASETS[kind](**both.remote(url=proxy.url), auto_update=False))


def test_a_list_of_resources_has_no_state_to_open_with_the_network_off(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAMINT_LIKE_OFFLINE", "1")
    there = ImageDataset(resources=[both.shelf.xray], **both.remote())
    with no_socket_opens(both.folder), pytest.raises(CacheError, match=r"DATAMINT_LIKE_OFFLINE.*project=.*lock="):
        there[0]
