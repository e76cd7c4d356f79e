"""Projects with very many rows: little memory while they are written, few bytes a row, a small pickle."""

from __future__ import annotations

import pickle
import sqlite3
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from datamint_like import ImageDataset
from datamint_like.backends.base import ContentRow, NewAnnotation, NewResource, ProjectContent
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.catalog import Snapshot, sync_project, write_snapshot
from datamint_like.entities import Annotation, Part, Resource
from datamint_like.exceptions import CacheError
from datamint_like.imaging import facts_to_metadata, probe
from datamint_like.testing.contents import whole
from datamint_like.testing.samples import XRAY, project_of, upload

COUNT = 20_000
FACTS = probe([XRAY])


def rows(count: int) -> Iterator[ContentRow]:
    """Resources with five annotations each, as a store may hold them."""
    metadata = facts_to_metadata(FACTS)
    draw = np.random.default_rng(0)
    for n in range(count):
        own, digest = draw.bytes(16).hex(), draw.bytes(32).hex()
        resource = Resource(
            id=own,
            resource_uri=f"/resources/{own}/file",
            storage="ImageResource",
            location=f"resources/{own}",
            filename=f"{n}.png",
            mimetype="image/png",
            status="published",
            created_at=f"2026-01-01T00:00:00.{n:06d}Z",
            created_by="ana@lab.example",
            patient_id=f"P{n // 4}",
            tags=("chest", f"site-{n % 7}"),
            metadata=metadata,
            sha256=digest,
        )
        said = [
            Annotation(draw.bytes(16).hex(), f"name {k}", "image", "label", own, f"{n % 3}@lab.example", status="new")
            for k in range(5)
        ]
        yield ContentRow(resource, [Part(index=0, filename=f"{n}.png", size=n, sha256=digest)], said)


def content(count: int) -> ProjectContent:
    return ProjectContent("1", None, (), count, rows(count))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    path = tmp_path_factory.mktemp("many") / "many.sqlite"
    write_snapshot(path, content(COUNT), "file:///store")
    return Snapshot(path)


def allocated(work: Callable[[], object]) -> int:
    """The most bytes that Python held at once for it."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_writing_holds_few_rows_at_a_time(tmp_path: Path) -> None:
    few, more = (
        allocated(lambda n=n: write_snapshot(tmp_path / f"{n}.sqlite", content(n), "file:///s"))  # type: ignore[misc]
        for n in (1000, 4000)
    )
    assert more < few + 500_000  # 3,000 rows as records take over 10 MB


def test_a_store_is_read_some_rows_at_a_time(tmp_path: Path) -> None:
    store = LocalBackend((tmp_path / "store").as_uri())
    project = project_of(store)
    part = Part(index=0, filename="x.png", size=XRAY.stat().st_size, sha256="", linked_path=str(XRAY))
    said = (NewAnnotation("label", "a"), NewAnnotation("label", "b"))
    for start in range(0, 2000, 500):
        digests = (f"{n:064x}" for n in range(start, start + 500))
        parts = (msgspec.structs.replace(part, sha256=digest) for digest in digests)
        store.create_resources(
            project.id, [NewResource((), "x.png", FACTS, parts=(p,), annotations=said) for p in parts]
        )

    def read() -> None:
        with store.read_project(project.id) as found:
            assert sum(len(row.annotations) for row in found.rows) == 4000

    read()  # what is made once is there
    assert allocated(read) < 2_500_000  # as records they take 8 MB
    store.close()


def test_a_row_takes_few_bytes_and_one_look_up(many: Snapshot) -> None:
    assert many.path.stat().st_size / COUNT < 900
    asked: list[str] = []
    many.row(0)  # opens it
    many._connection().set_trace_callback(asked.append)
    place = 12_345
    found = many.row(place)
    many._connection().set_trace_callback(None)
    assert len(asked) == 1
    assert found == next(row for n, row in enumerate(rows(COUNT)) if n == place)
    assert many.resource(place) == found.resource
    assert many.annotations(place) == found.annotations
    assert many.parts(place) == found.parts
    assert many.annotated_resource(place) == (found.resource, found.annotations)


def test_columns_and_counts_are_those_of_the_rows(many: Snapshot) -> None:
    assert len(many) == COUNT
    assert many.column("filename")[-1] == f"{COUNT - 1}.png"
    assert many.rows_where("patient = 'P5'").tolist() == [20, 21, 22, 23]
    assert many.count_names("1", {}) == [("label", f"name {k}", COUNT) for k in range(5)]
    assert many.count_by("author", "1", {})[0] == ("0@lab.example", 5 * len(range(0, COUNT, 3)))
    assert many.annotated_rows("author = '1@lab.example'", {}).tolist() == list(range(1, COUNT, 3))
    assert all(len(each) == 64 for each in many.column("digest")[:100])


def test_a_record_is_read_with_zlib_and_msgpack_alone(many: Snapshot) -> None:
    connection = many._connection()
    (dictionary,) = connection.execute("SELECT value FROM meta WHERE key = 'dictionary'").fetchone()
    record, said = connection.execute("SELECT record, annotations FROM packed WHERE row = 7").fetchone()
    values, parts = msgspec.msgpack.decode(zlib.decompressobj(zdict=dictionary).decompress(record))
    named = dict(zip(many.meta.layout[0], values, strict=True))
    assert (named["filename"], named["patient_id"], len(parts)) == ("7.png", "P1", 1)
    assert len(msgspec.msgpack.decode(zlib.decompressobj(zdict=dictionary).decompress(said))) == 5


def test_a_record_that_was_damaged_is_told_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "some.sqlite"
    write_snapshot(path, content(100), "file:///store")
    with sqlite3.connect(path) as connection:
        (record,) = connection.execute("SELECT record FROM packed WHERE row = 3").fetchone()
        damaged = bytearray(record)
        damaged[len(record) // 2] ^= 16
        connection.execute("UPDATE packed SET record = ? WHERE row = 3", (bytes(damaged),))
        connection.execute("UPDATE packed SET annotations = ? WHERE row = 4", (record[:9],))
    connection.close()
    snapshot = Snapshot(path)
    with pytest.raises(CacheError, match=r"damaged in row 3.*auto_update=True"):
        snapshot.resource(3)
    with pytest.raises(CacheError, match="damaged in row 4"):
        snapshot.annotations(4)
    assert snapshot.resource(5).filename == "5.png"


def test_a_snapshot_of_another_format_is_built_again(tmp_path: Path) -> None:
    store = LocalBackend((tmp_path / "store").as_uri())
    project = project_of(store, upload(store), name="p")
    path = sync_project(store, "p", tmp_path / "cache").path
    for change in ({"format": 4}, {"layout": [["id"], ["index"], ["id"]]}):
        rewrite_meta(path, change)
        with pytest.raises(CacheError, match=r"format 4|other fields"):
            Snapshot(path)
        assert sync_project(store, project, tmp_path / "cache").resource(0).filename == XRAY.name
    assert whole(store.read_project(project.id)).resources[0] == Snapshot(path).resource(0)
    store.close()


def rewrite_meta(path: Path, change: dict[str, object]) -> None:
    with sqlite3.connect(path) as connection:
        (raw,) = connection.execute("SELECT value FROM meta WHERE key = 'snapshot'").fetchone()
        value = msgspec.msgpack.encode({**msgspec.msgpack.decode(raw), **change})
        connection.execute("UPDATE meta SET value = ? WHERE key = 'snapshot'", (value,))
    connection.close()


@pytest.mark.parametrize("count", [0, 1, 64, 65, 700])
def test_any_number_of_rows_comes_back(tmp_path: Path, count: int) -> None:
    write_snapshot(tmp_path / "x.sqlite", content(count), "file:///store")
    snapshot = Snapshot(tmp_path / "x.sqlite")
    assert len(snapshot) == count
    assert [snapshot.row(n) for n in range(count)] == list(rows(count))


def test_a_dataset_pickles_as_a_path_and_few_bytes_a_row(
    many: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datamint_like.dataset.prepared._open", lambda *_: many)
    dataset = ImageDataset("p", server_url=(tmp_path / "store").as_uri(), cache_dir=tmp_path / "cache")
    assert len(dataset) == COUNT
    every = len(pickle.dumps(dataset))
    assert every < 20_000
    some = np.random.default_rng(0).permutation(COUNT)[: COUNT // 2]
    subset = dataset.subset(some)
    assert len(pickle.dumps(subset)) < 20_000 + 4 * len(some)
    again = pickle.loads(pickle.dumps(subset))
    assert again._rows.dtype == np.int64
    assert np.array_equal(again._rows, some)
    assert again.get_resource(5) == dataset.get_resource(int(some[5]))
