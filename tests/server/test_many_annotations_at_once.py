"""One call that annotates many resources: all of it, or nothing."""

from __future__ import annotations

import httpx
import msgspec

from datamint_like.backends.base import AnnotationQuery
from datamint_like.testing.samples import CT_FILES, XRAY_MASK, upload
from tests.serving import Served


def test_resources_are_annotated_in_one_call_masks_too(server: Served, admin: httpx.Client) -> None:
    image, volume = upload(server.store), upload(server.store, *CT_FILES)
    mask = {"type": "segmentation", "identifier": "lung", "scope": "frame", "payload": XRAY_MASK.read_bytes()}
    body = {
        "annotations": {
            image.id: [{"type": "label", "identifier": "benign"}, mask],
            volume.id: [{"type": "float", "identifier": "age", "value": 3.5}],
        }
    }
    headers = {"Content-Type": "application/msgpack"}
    answer = admin.post("/annotations/batch", content=msgspec.msgpack.encode(body), headers=headers)
    assert answer.status_code == 201, answer.text
    assert [(row["resource_id"], row["identifier"]) for row in answer.json()] == [
        (image.id, "benign"),
        (image.id, "lung"),
        (volume.id, "age"),
    ]
    assert [each.id for each in server.store.list_annotations(AnnotationQuery())] == [
        row["id"] for row in answer.json()
    ]


def test_one_bad_annotation_leaves_all_resources_as_they_were(server: Served, admin: httpx.Client) -> None:
    one, other = upload(server.store), upload(server.store)
    good, waiting = {"type": "label", "identifier": "x"}, {"type": "segmentation", "identifier": "y"}
    for bad in ({"type": "guess", "identifier": "x"}, waiting, {"type": "label", "identifier": " "}):
        answer = admin.post("/annotations/batch", json={"annotations": {one.id: [good], other.id: [good, bad]}})
        assert answer.status_code == 422
    unknown = "00000000-0000-0000-0000-000000000000"
    answer = admin.post("/annotations/batch", json={"annotations": {one.id: [good], unknown: [good]}})
    assert answer.status_code == 404
    assert server.store.list_annotations(AnnotationQuery()) == []


def test_nothing_is_a_batch_too(admin: httpx.Client) -> None:
    assert admin.post("/annotations/batch", json={"annotations": {}}).json() == []
