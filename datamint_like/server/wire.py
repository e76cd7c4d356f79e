"""From records to the JSON that published clients accept: envelopes, and fields that must not be null."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from starlette.responses import Response

from datamint_like.entities import Annotation, AnnotationWorklist, Project, Record

JSON = "application/json"
_encoder = msgspec.json.Encoder()


def json_answer(value: Any, status: int = 200) -> Response:
    """An answer whose body is `value` as JSON; records are written field by field.

    Example:
        >>> json_answer({"id": "7"}).body
        b'{"id":"7"}'
    """
    return Response(_encoder.encode(value), status, media_type=JSON)


def envelope(name: str, rows: Sequence[Any], total: int | None = None) -> dict[str, Any]:
    """The form of a list that published clients unwrap: `data`, one element, its rows under the route's name.

    Example:
        >>> envelope("resources", [])
        {'data': [{'resources': []}], 'totalCount': 0}
    """
    return {"data": [{name: list(rows)}], "totalCount": len(rows) if total is None else total}


def project(record: Project) -> dict[str, Any]:
    """A project as clients read it: fields that older ones want are there."""
    return {
        **without_nulls(record, keep=("description", "worklist_id", "most_recent_experiment")),
        "is_active_learning": False,
        "two_up_display": False,
        "require_review": False,
        "pinned_metrics": [],
    }


def worklist(record: AnnotationWorklist) -> dict[str, Any]:
    """A worklist as clients read it: expertise is never null, a spec has a colour or no such field."""
    found = record.to_dict()
    for annotator in found["annotators"]:
        annotator["expertise_level"] = annotator["expertise_level"] or "trained"
    found["annotations"] = [
        {key: value for key, value in spec.items() if value is not None} for spec in found["annotations"]
    ]
    return found


def annotation(record: Annotation) -> Annotation:
    """An annotation as clients read it: without a geometry the field is null, since some take a list for one."""
    return record if record.geometry else msgspec.structs.replace(record, geometry=None)


def tracks(records: Iterable[Annotation]) -> list[dict[str, Any]]:
    """What was said of single frames, by identifier, type, value and author, with its frames in half-open ranges."""
    frames: dict[tuple[Any, ...], set[int]] = {}
    for each in records:
        value = each.text_value if each.numeric_value is None else each.numeric_value
        key = (each.identifier, each.annotation_type, value, each.created_by or each.created_by_model)
        if each.frame_index is not None:
            frames.setdefault(key, set()).add(each.frame_index)
    names = ("identifier", "type", "value", "created_by")
    return [{**dict(zip(names, key, strict=True)), "frame_ranges": _ranges(some)} for key, some in frames.items()]


def _ranges(frames: Iterable[int]) -> list[dict[str, int]]:
    found: list[dict[str, int]] = []
    for frame in sorted(frames):
        if found and found[-1]["end"] == frame:
            found[-1]["end"] = frame + 1
        else:
            found.append({"start": frame, "end": frame + 1})
    return found


def without_nulls(record: Record, keep: Sequence[str] = ()) -> dict[str, Any]:
    """The fields of a record, without those that are null and not in `keep`."""
    return {key: value for key, value in record.to_dict().items() if value is not None or key in keep}
