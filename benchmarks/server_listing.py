"""What a listing of 100,000 resources costs, against FastAPI with pydantic models of the same rows. Prints JSON.

Both applications run in this process and are asked, without sockets, for pages of 5,000 until all is there; both read
the same rows of the same store in their worker threads. `ratio`: CPU seconds of theirs by ours, the median of
interleaved rounds (target 3). `whole_s`, `first_page_s`: ours; `pydantic_s`: theirs.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI
from pydantic import BaseModel

from datamint_like.backends.local.backend import LocalBackend
from datamint_like.backends.local.database import new_id
from datamint_like.backends.local.options import StoreOptions
from datamint_like.backends.local.schema import resource_tags, resources
from datamint_like.server.app import create_app
from datamint_like.server.options import PAGE_SIZE, ServerOptions

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
ROUNDS = 3
KEY = "a-key-of-the-benchmark"


class ResourceModel(BaseModel):
    """A resource as pydantic has it."""

    id: str
    resource_uri: str
    storage: str
    location: str
    filename: str
    mimetype: str
    status: str
    created_at: str
    created_by: str
    upload_channel: str
    customer_id: str
    published: bool
    deleted: bool
    size: int
    modality: str | None
    upload_mechanism: str | None
    source_filepath: str | None
    published_on: str | None
    published_by: str | None
    tags: list[str]
    deleted_at: str | None
    deleted_by: str | None
    instance_uid: str | None
    series_uid: str | None
    study_uid: str | None
    patient_id: str | None
    user_info: dict[str, str]
    metadata: dict[str, Any]
    sha256: str | None


class PageModel(BaseModel):
    """A page of resources."""

    data: list[dict[str, list[ResourceModel]]]
    totalCount: int  # noqa: N815 -- the wire's name


def filled(store: LocalBackend, count: int) -> None:
    """Put rows into the store, as uploads of a CT study leave them."""
    metadata = {
        "frame_count": 120,
        "shape": [120, 512, 512],
        "dtype": "int16",
        "units": "HU",
        "affine": [[-0.7, 0.0, 0.0, 180.0], [0.0, -0.7, 0.0, 180.0], [0.0, 0.0, 1.25, -900.0], [0.0, 0.0, 0.0, 1.0]],
        "WindowCenter": 40,
        "WindowWidth": 400,
    }
    with store._database.write() as write:
        owner = store.current_user().email
        for start in range(0, count, PAGE_SIZE):
            rows = [_row(n, owner, metadata) for n in range(start, min(count, start + PAGE_SIZE))]
            write.insert(resources, rows)
            write.insert(resource_tags, [{"resource_id": row["id"], "tag": "ct", "position": 0} for row in rows])
            write.connection.execute(sa.text("SELECT 1"))


def _row(n: int, owner: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    resource_id = new_id()
    return {
        "id": resource_id,
        "resource_uri": f"/resources/{resource_id}/file",
        "storage": "DicomResource",
        "location": f"resources/{resource_id}",
        "filename": f"series_{n}.dcm",
        "mimetype": "application/dicom",
        "status": "published",
        "created_at": f"2026-02-01T09:00:{n // 1_000_000:02d}.{n % 1_000_000:06d}Z",
        "created_by": owner,
        "upload_channel": "default",
        "customer_id": "c",
        "published": True,
        "deleted": False,
        "size": 63_000_000,
        "modality": "CT",
        "upload_mechanism": "api",
        "source_filepath": f"series_{n}.dcm",
        "published_on": "2026-02-01T09:00:00.000000Z",
        "published_by": owner,
        "series_uid": f"1.2.826.0.1.3680043.8.498.{n}",
        "study_uid": f"1.2.826.0.1.3680043.8.499.{n}",
        "patient_id": f"P{n // 3}",
        "metadata": metadata,
        "sha256": "0" * 64,
    }


def pydantic_app(store: LocalBackend) -> FastAPI:
    """What FastAPI's own way gives: the rows, as models, answered by way of a response model."""
    app = FastAPI()

    @app.get("/resources", response_model=PageModel)
    def listing(offset: int = 0, limit: int = PAGE_SIZE) -> Any:
        row = resources.c
        with store._database.read() as read:
            live = row.deleted.is_(False)
            chosen = sa.select(resources).where(live).order_by(row.created_at, row.id).offset(offset).limit(limit)
            rows = read.rows(chosen)
            total = read.connection.execute(sa.select(sa.func.count()).select_from(resources).where(live)).scalar_one()
            tags: dict[str, list[str]] = {}
            held = sa.select(resource_tags).where(resource_tags.c.resource_id.in_([each["id"] for each in rows]))
            for each in read.rows(held.order_by(resource_tags.c.position)):
                tags.setdefault(each["resource_id"], []).append(each["tag"])
        found = [ResourceModel(**each, tags=tags.get(each["id"], []), user_info={}) for each in rows]
        return PageModel(data=[{"resources": found}], totalCount=total)

    return app


async def listed(app: FastAPI, count: int) -> None:
    """Ask for every page, as a server would for a client."""
    for offset in range(0, count, PAGE_SIZE):
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any], sent: list[dict[str, Any]] = sent) -> None:
            sent.append(message)

        await app(_asked(f"offset={offset}&limit={PAGE_SIZE}"), receive, send)  # type: ignore[arg-type]
        assert sent[0]["status"] == 200, sent
        assert sum(len(each.get("body", b"")) for each in sent) > min(count, PAGE_SIZE) * 500


def _asked(query: str) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/resources",
        "raw_path": b"/resources",
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(b"host", b"x"), (b"apikey", KEY.encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }


def seconds(work: Callable[[], Any]) -> float:
    """CPU time of a call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        url = (Path(folder) / "store").as_uri()
        store = LocalBackend(url)
        store.administration.adopt_key(KEY, store.current_user().email, "benchmark")
        filled(store, COUNT)
        ours, theirs = create_app(store, ServerOptions(store=StoreOptions(url))), pydantic_app(store)
        first = min(seconds(lambda: runner.run(listed(ours, 1))) for _ in range(3))
        runner.run(listed(theirs, 1))
        gc.freeze()  # as `datamint-like serve` does
        times = [
            [seconds(lambda each=each: runner.run(listed(each, COUNT))) for each in (ours, theirs)]
            for _ in range(ROUNDS)
        ]
        store.close()
    result = {
        "resources": COUNT,
        "ratio": round(statistics.median(theirs / ours for ours, theirs in times), 2),
        "whole_s": round(statistics.median(ours for ours, _ in times), 2),
        "pydantic_s": round(statistics.median(theirs for _, theirs in times), 2),
        "first_page_s": round(first, 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
