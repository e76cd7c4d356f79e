"""Any schedule of faults ends with the right bytes or an error that is named, and the next run finds nothing wrong."""

from __future__ import annotations

import pickle
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
import torch
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from datamint_like import Api, ImageDataset
from datamint_like.backends.remote import keys, serving, transport
from datamint_like.backends.remote.blobs import RemoteBlobs
from datamint_like.backends.remote.retries import RetryPolicy
from datamint_like.backends.remote.transport import Transport
from datamint_like.cache import Cache
from datamint_like.entities import Part
from datamint_like.exceptions import DatamintException
from datamint_like.testing.fault_server import (
    OURS,
    AsDatamint,
    Cut,
    Drip,
    Fault,
    FaultServer,
    Gzipped,
    IgnoreRange,
    Reset,
    Retag,
    Status,
    Together,
    WrongByte,
    WrongLength,
    WrongRange,
)
from tests.serving import ADMIN_KEY, Served, served

#: Waits for nobody, so that a schedule takes as long as its answers do.
PATIENT = RetryPolicy(attempts=4, deadline_s=30, sleep=lambda _: None)
LONGEST_S = 60


class World:
    """A real server with one project of images, its files, and the items that a dataset without faults gives."""

    def __init__(self, server: Served, parts: list[Part], data: list[bytes], items: list[torch.Tensor]) -> None:
        self.server, self.parts, self.data, self.items = server, parts, data, items


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, demo_images: Path) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    with Api(server_url=(folder / "store").as_uri()) as api:
        api.resources.upload_resources([demo_images / "xray"], publish_to=api.projects.create("xrays"))
        listed = api.projects.get_project_resources("xrays")
        found = api.backend.list_parts([each.id for each in listed])
        parts = [msgspec.structs.replace(part, resource_id=each.id) for each in listed for part in found[each.id]]
        data = [api.backend.blobs().part_path(part, "x").read_bytes() for part in parts]
        dataset = ImageDataset(project="xrays", server_url=api.server_url, cache_dir=folder / "cache")
        items = [dataset[n]["image"] for n in range(len(dataset))]
    with served(folder / "store") as server:
        yield World(server, parts, data, items)


@contextmanager
def bounded() -> Iterator[None]:
    """A block that ends, or fails."""

    def hangs(*_: object) -> None:
        raise AssertionError(f"it went on for {LONGEST_S} s")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(LONGEST_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def new_cache() -> Iterator[Path]:
    with TemporaryDirectory(prefix="schedule-") as folder:
        yield Path(folder) / "cache"


LENGTHS = st.integers(0, 300_000)
BREAKS = st.one_of(
    st.builds(Cut, LENGTHS),
    st.builds(Reset, st.sampled_from([None, 0, 1, 5000])),
    st.sampled_from([Status(429, {"Retry-After": wait}) for wait in ("0", "3", "100000", "soon")]),
    st.sampled_from([Status(status, body=b'{"message": "no"}') for status in (302, 401, 403, 404, 410, 416, 500, 503)]),
    st.builds(WrongLength, st.integers(1, 50)),
    st.just(Drip(40_000, 0.001)),
    st.just(Gzipped()),
    st.just(Fault()),
)
CHANGES = st.one_of(
    BREAKS,
    st.builds(WrongByte, st.integers(0, 2000)),
    st.builds(WrongLength, st.integers(-50, -1)),
    st.just(IgnoreRange()),
    st.sampled_from([Retag(), Retag('W/"weak"'), Retag("")]),
    st.builds(WrongRange, st.sampled_from([1, 100, 100_000])),
)
SCHEDULES = st.lists(
    CHANGES | st.lists(CHANGES, min_size=2, max_size=3).map(lambda faults: Together(tuple(faults))), max_size=7
)


def fetch_by_schedule(world: World, faults: list[Fault], n: int) -> None:
    note(f"{faults}")
    part, data = world.parts[n], world.data[n]
    with FaultServer(world.server.url) as proxy, new_cache() as folder, bounded():
        proxy.plan("/parts/", *faults)
        blobs = RemoteBlobs(proxy.url, folder, Transport(proxy.url, ADMIN_KEY, PATIENT))
        told = ""
        try:
            assert blobs.part_path(part, part.filename).read_bytes() == data
        except DatamintException as error:
            told = str(error)
        assert ADMIN_KEY not in told
        if folder.exists():
            assert Cache(folder).verify().damaged == ()
        direct = RemoteBlobs(world.server.url, folder, Transport(world.server.url, ADMIN_KEY, PATIENT))
        assert direct.part_path(part, part.filename).read_bytes() == data
        assert not any((folder / "blobs" / "incoming").iterdir())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(faults=SCHEDULES, n=st.integers(0, 2))
def test_a_file_comes_right_or_with_a_named_error(world: World, faults: list[Fault], n: int) -> None:
    fetch_by_schedule(world, faults, n)


@pytest.mark.soak
@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(faults=SCHEDULES, n=st.integers(0, 2))
def test_a_file_comes_right_or_with_a_named_error_whatever_the_schedule(
    world: World, faults: list[Fault], n: int
) -> None:
    fetch_by_schedule(world, faults, n)


def train_by_schedule(world: World, faults: list[Fault], *, as_datamint: bool) -> None:
    """A dataset over a server every answer of which may go wrong; then once more, with the cache as it is."""
    note(f"{faults}")
    with FaultServer(world.server.url, AsDatamint() if as_datamint else None) as proxy, new_cache() as cache:
        keys.given(proxy.url, ADMIN_KEY)
        proxy.hide(*(OURS if as_datamint else ()))
        proxy.plan("/", *faults)
        with bounded():
            told = ""
            try:
                check_items(world, proxy.url, cache)
            except DatamintException as error:
                told = str(error)
            assert ADMIN_KEY not in told
        proxy.forget()
        serving._known.clear()
        check_items(world, proxy.url, cache)
        assert Cache(cache).verify().damaged == ()


def check_items(world: World, url: str, cache: Path) -> None:
    dataset = pickle.loads(pickle.dumps(ImageDataset(project="xrays", server_url=url, cache_dir=cache)))
    assert len(dataset) == len(world.items)
    for n, expected in enumerate(world.items):
        assert dataset[n]["image"].equal(expected)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Transports wait for nobody."""
    monkeypatch.setattr(transport, "RetryPolicy", partial(RetryPolicy, **vars(PATIENT)))
    monkeypatch.setattr(keys, "_GIVEN", {})
    monkeypatch.setattr(serving, "_known", {})


@pytest.mark.usefixtures("impatient")
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(faults=st.lists(BREAKS, max_size=12), as_datamint=st.booleans())
def test_a_dataset_is_right_or_ends_with_a_named_error(world: World, faults: list[Fault], as_datamint: bool) -> None:
    train_by_schedule(world, faults, as_datamint=as_datamint)


@pytest.mark.soak
@pytest.mark.usefixtures("impatient")
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(faults=st.lists(BREAKS, max_size=25), as_datamint=st.booleans())
def test_a_dataset_is_right_or_ends_with_a_named_error_whatever_the_schedule(
    world: World, faults: list[Fault], as_datamint: bool
) -> None:
    train_by_schedule(world, faults, as_datamint=as_datamint)
