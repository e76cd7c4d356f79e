"""Whether the server can serve, what it can do, and its time."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from datamint_like import __version__
from datamint_like.server.access import ADMIN, KEY, OPEN
from datamint_like.server.call import Call
from datamint_like.server.options import PAGE_SIZE
from datamint_like.server.routing import Route

FEATURES = ("content", "parts", "uploads", "batch", "splits-map", "slices", "idempotency", "changes", "bulk")


def health(call: Call) -> Any:
    """200 when the store can be read."""
    call.store.current_user()
    return {"status": "ok", "version": __version__}


def capabilities(_call: Call) -> Any:
    """What this server does beyond Datamint's protocol."""
    return {
        "name": "datamint_like",
        "version": __version__,
        "protocol": 1,
        "features": FEATURES,
        "page_size": PAGE_SIZE,
    }


def now(call: Call) -> Any:
    """An instant after every write so far."""
    return {"now": call.store.now()}


def metrics(call: Call) -> Any:
    """Counts for Prometheus."""
    assert call.metrics is not None  # every call of an application has them
    text, kind = call.metrics.text()
    return Response(text, media_type=kind)


ROUTES = (
    Route("GET", "/health", health, OPEN, "Whether the server can serve"),
    Route("GET", "/capabilities", capabilities, OPEN, "What this server does beyond Datamint's protocol"),
    Route("GET", "/now", now, KEY, "An instant of the store"),
    Route("GET", "/metrics", metrics, ADMIN, "Counts for Prometheus"),
)
