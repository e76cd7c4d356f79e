"""Files that define segmentation classes: JSON, YAML or CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import msgspec
import yaml

from datamint_like.exceptions import ValidationError
from datamint_like.server.schemas import SegmentationData

MAX_BYTES = 10 << 20
_ENDINGS = ".yaml, .yml, .csv or .json"


def classes_of(filename: str, content: bytes) -> SegmentationData:
    r"""The classes that a file defines.

    JSON and YAML hold `segmentationValueType` and `definitions`, or a list of definitions, or classes by name. CSV has
    the columns `identifier`, and where wanted `index` and `color` (`#rrggbb`, or three numbers).

    Raises:
        ValidationError: The file is larger than 10 MB, of another kind, or damaged.

    Example:
        >>> classes_of("classes.csv", b"identifier,color,index\nlesion,#ff0000,1").group()
        {'lesion': SegmentationClass(color=(255, 0, 0, 255), index=1)}
    """
    if len(content) > MAX_BYTES:
        raise ValidationError(f"A file of segmentation classes has at most {MAX_BYTES} bytes, not {len(content)}.")
    ending = PurePath(filename).suffix.lower()
    readers = {".json": msgspec.json.decode, ".yaml": yaml.safe_load, ".yml": yaml.safe_load, ".csv": _table}
    if ending not in readers:
        raise ValidationError(f"Segmentation classes come as {_ENDINGS}, not as {ending or 'a file without ending'!r}.")
    try:
        return msgspec.convert(_whole(readers[ending](content)), SegmentationData, strict=False)
    except (msgspec.MsgspecError, yaml.YAMLError, csv.Error, UnicodeError, RecursionError, ValueError) as error:
        raise ValidationError(f"This file defines no segmentation classes: {str(error)[:300]}.") from None


def _whole(read: Any) -> Any:
    """What was read, in the form of `SegmentationData`."""
    if isinstance(read, list):
        return {"definitions": read}
    if isinstance(read, Mapping) and "definitions" not in read:
        by_name = read.get("groups", read)
        if isinstance(by_name, Mapping) and all(isinstance(each, Mapping) for each in by_name.values()):
            return {"definitions": [{"identifier": name, **each} for name, each in by_name.items()]}
    return read


def _table(content: bytes) -> Any:
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    if "identifier" not in (rows.fieldnames or ()):
        raise ValueError("its first line must name the columns, one of which is 'identifier'")
    return [_definition(row) for row in rows]


def _definition(row: Mapping[str | None, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"identifier": row["identifier"]}
    if row.get("index"):
        found["index"] = row["index"]
    if row.get("color"):
        found["color"] = _colour(row["color"])
    return found


def _colour(text: str) -> list[int]:
    if re.fullmatch("#[0-9a-fA-F]{6}", text.strip()):
        return list(bytes.fromhex(text.strip()[1:]))
    return [int(part) for part in re.findall(r"\d+", text)]
