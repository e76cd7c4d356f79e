"""Tables of a snapshot, as an analyst reads them: whole, typed, streamed."""

from __future__ import annotations

import json
import sys
import tempfile
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from pyarrow import parquet

from datamint_like import ImageDataset
from datamint_like.catalog import Snapshot, write_snapshot
from datamint_like.exceptions import MissingExtraError, ValidationError
from tests.catalog.made_up import Made, contents, small
from tests.dataset.conftest import ANA, Shelf, shelf

__all__ = ["shelf"]
pytestmark = pytest.mark.filterwarnings("ignore::datamint_like.exceptions.SkippedResourcesWarning")


@pytest.fixture
def snapshot(shelf: Shelf, tmp_path: Path) -> Snapshot:
    return ImageDataset("mixed", server_url=shelf.url, cache_dir=tmp_path / "cache").snapshot


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def snapshot_of(folder: Path, made: Made) -> Snapshot:
    write_snapshot(folder / "one.sqlite", made.content(), "file:///nowhere/store")
    return Snapshot(folder / "one.sqlite")


def test_parquet_holds_every_resource_and_annotation_in_typed_columns(
    shelf: Shelf, snapshot: Snapshot, tmp_path: Path
) -> None:
    tables = snapshot.export(tmp_path / "tables")
    resources, annotations = parquet.read_table(tables.resources), parquet.read_table(tables.annotations)
    assert resources["filename"].to_pylist() == ["philips.dcm", "ge.dcm", "one.png", "two.png", "clip.dcm"]
    assert resources["kind"].to_pylist() == ["volume", "volume", "image", "image", "video"]
    assert resources["d"].to_pylist()[:3] == [32, 28, 1]
    assert resources["tags"].to_pylist()[0] == ["ct", "even"]
    assert len(resources["file_sha256"].to_pylist()[0]) == 32
    assert json.loads(resources["metadata"][0].as_py())["kind"] == "volume"
    assert resources.schema.field("created_at").type == pa.timestamp("us", tz="UTC")
    assert resources["created_at"][0].as_py() == datetime.fromisoformat(shelf.philips.created_at)
    assert resources["created_at"][0].as_py().tzinfo is not None
    assert sum(resources["annotations"].to_pylist()) == len(annotations) == 10
    assert pc.unique(annotations["created_by"]).to_pylist()[0] == ANA
    labels = annotations.filter(pc.field("annotation_type") == "label")
    assert sorted(labels["identifier"].to_pylist()) == ["artefact", "contrast", "contrast", "motion"]
    assert set(annotations["resource_id"].to_pylist()) == {shelf.philips.id, shelf.xray.id}
    assert annotations.schema.field("frame_index").type == pa.int64()
    rows = dict(zip(resources["id"].to_pylist(), resources["row"].to_pylist(), strict=True))
    assert [rows[each] for each in annotations["resource_id"].to_pylist()] == annotations["row"].to_pylist()


def test_json_lines_hold_the_same_with_what_is_nested_as_it_is(snapshot: Snapshot, tmp_path: Path) -> None:
    columns = snapshot.export(tmp_path / "tables")
    lines = snapshot.export(tmp_path / "tables", format="jsonl")
    for table, text in zip(columns, lines, strict=True):
        found = lines_of(text)
        for row, told in zip(parquet.read_table(table).to_pylist(), found, strict=True):
            assert {key: plain(key, value) for key, value in row.items()} == told


def plain(name: str, value: Any) -> Any:
    """A value of a Parquet table as JSON lines have it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    return json.loads(value) if name in ("metadata", "geometry") else value


@given(contents())
@settings(deadline=None, max_examples=20)
def test_whatever_records_hold_goes_into_both(made: Made) -> None:
    with tempfile.TemporaryDirectory() as name:
        snapshot = snapshot_of(Path(name), made)
        columns, lines = snapshot.export(name), snapshot.export(name, format="jsonl")
        for table, text in zip(columns, lines, strict=True):
            rows = parquet.read_table(table).to_pylist()
            assert [{key: plain(key, value) for key, value in row.items()} for row in rows] == lines_of(text)


def test_an_empty_project_has_tables_with_columns(tmp_path: Path) -> None:
    tables = snapshot_of(tmp_path, small(0)).export(tmp_path / "tables")
    assert parquet.read_table(tables.resources).num_rows == 0
    assert "identifier" in parquet.read_table(tables.annotations).column_names


@pytest.mark.parametrize("format", ["parquet", "jsonl"])
def test_a_large_project_is_written_some_rows_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: Any
) -> None:
    monkeypatch.setattr("datamint_like.catalog.export._AT_ONCE", 100)
    peaks = []
    for count in (600, 3000):
        (tmp_path / str(count)).mkdir()
        snapshot = snapshot_of(tmp_path / str(count), small(count))
        tracemalloc.start()
        try:
            snapshot.export(tmp_path / "tables", format=format)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < peaks[0] + 500_000


def test_without_pyarrow_the_error_says_how_to_install_it_and_json_lines_need_none(
    snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r'pip install "datamint-like\[parquet\]"'):
        snapshot.export(tmp_path / "tables")
    assert not (tmp_path / "tables").exists()
    assert len(lines_of(snapshot.export(tmp_path / "tables", format="jsonl").resources)) == 5


def test_a_form_that_there_is_not_and_a_folder_that_cannot_be_made_are_told(snapshot: Snapshot, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"'parquet', 'jsonl', not 'csv'"):
        snapshot.export(tmp_path, format="csv")  # type: ignore[arg-type]
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValidationError, match=r"file/tables.*Name another folder"):
        snapshot.export(tmp_path / "file" / "tables")


@pytest.mark.parametrize("given", [None, 7, "", b"tables", "a\0b"])
def test_what_is_no_path_is_told(snapshot: Snapshot, given: Any) -> None:
    with pytest.raises(ValidationError, match="folder is the path to write to, not"):
        snapshot.export(given)
    with pytest.raises(ValidationError, match="path is the path to write to, not"):
        snapshot.write_lock(given)


def test_tables_of_an_earlier_export_stay_whole_when_the_next_one_breaks_off(
    snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot.export(tmp_path / "tables", format="jsonl").resources.read_bytes()

    def interrupted(_: Snapshot) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Snapshot, "each_row", interrupted)
    with pytest.raises(KeyboardInterrupt):
        snapshot.export(tmp_path / "tables", format="jsonl")
    assert (tmp_path / "tables" / "resources.jsonl").read_bytes() == before
    assert len(list((tmp_path / "tables").iterdir())) == 2
