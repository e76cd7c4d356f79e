"""What a snapshot can be written as for others: tables, and a lock file."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, cast

from datamint_like.exceptions import ValidationError

if TYPE_CHECKING:
    from datamint_like.catalog.export import ExportedTables, TableFormat
    from datamint_like.catalog.snapshot import Snapshot


class Writable:
    """The half of a `Snapshot` that others read; what it takes is imported when it is asked for."""

    def export(self, folder: str | Path, format: TableFormat = "parquet") -> ExportedTables:
        """The paths of two tables written into `folder`: `resources` and `annotations`, as Parquet or JSON lines.

        Both are of the whole snapshot, whatever part of it a dataset holds; `row` counts resources in its order, and
        tells in both which resource a line is of. Times are UTC; `d`, `h`, `w` are the extents of an item in
        canonical orientation; `metadata` and `geometry` are JSON (in Parquet as text). The tables hold what the
        records hold: patient ids and the e-mails of annotators are among it.

        Args:
            folder: Where the tables go; it is made, and tables of an earlier export are replaced.
            format: `"parquet"` (needs pyarrow: `pip install "datamint-like[parquet]"`) or `"jsonl"`.

        Raises:
            MissingExtraError: Parquet is asked for and pyarrow is not installed.
            ValidationError: There is no such format, the folder is no path or cannot be written, or a time stamp is
                none.

        Example:
            >>> tables = dataset.snapshot.export("tables")
            >>> tables.resources.name, tables.annotations.name
            ('resources.parquet', 'annotations.parquet')
        """
        from datamint_like.catalog.export import export_snapshot

        return export_snapshot(cast("Snapshot", self), _path("folder", folder), format)

    def write_lock(self, path: str | Path) -> None:
        """Write the lock file of this state: `VolumeDataset(lock=path)` opens it again, here or elsewhere.

        Equal states give equal bytes. The file holds the records and the digests of all files, in plain text; no
        pixels, no masks and no key.

        Raises:
            ValidationError: It is no path, or cannot be written.

        Example:
            >>> dataset.snapshot.write_lock("chest.lock")
            >>> ImageDataset(lock="chest.lock").fingerprint == dataset.fingerprint
            True
        """
        from datamint_like.catalog.lock import write_lock

        write_lock(cast("Snapshot", self), _path("path", path))


def _path(keyword: str, given: object) -> Path:
    if isinstance(given, (str, PathLike)) and isinstance(text := fspath(given), str) and text and "\0" not in text:
        return Path(text)
    raise ValidationError(f"{keyword} is the path to write to, not {given!r:.80}.")
