"""The application: the table of routes, each behind its key and its rule, each request written down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from datamint_like import __version__
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.exceptions import AuthenticationError, DatamintException
from datamint_like.server.call import Call, is_admin
from datamint_like.server.errors import Existing, Refused, answer_to
from datamint_like.server.journal import AuditLog, Seen, known_ids, tell, tell_failure
from datamint_like.server.metrics import Metrics, new_metrics
from datamint_like.server.options import ServerOptions
from datamint_like.server.routes import ROUTES
from datamint_like.server.routing import Route, answered, documented
from datamint_like.server.throttle import WINDOW_S, FailedKeys
from datamint_like.server.tidying import Tidying

_NO_KEY = "This server needs a key: send it as 'apikey: KEY' or 'Authorization: Bearer KEY'."
_WRONG_KEY = "This server does not know this key. It may have been revoked; an admin makes another."
_TOO_MANY = "Too many wrong keys came from this address. Wait a minute."


@dataclass(frozen=True)
class Server:
    """What all requests share.

    Attributes:
        store: The store, acting as its owner.
        audit: Where it is written down who read and wrote what; None writes nothing.
    """

    store: LocalBackend
    options: ServerOptions
    audit: AuditLog | None = None
    metrics: Metrics = field(default_factory=new_metrics)
    failed_keys: FailedKeys = field(default_factory=FailedKeys)
    tidying: Tidying = field(default_factory=Tidying)


def create_app(
    store: LocalBackend,
    options: ServerOptions,
    *,
    audit: AuditLog | None = None,
    routes: Sequence[Route] = ROUTES,
) -> FastAPI:
    """The ASGI application that serves a store.

    Args:
        store: The store, which the caller opened and closes.
        options: How the server runs.
        audit: The audit log, which the caller opened and closes.
        routes: What it answers to.
    """
    server = Server(store.called("of this server"), options, audit)
    app = FastAPI(
        title="datamint_like",
        version=__version__,
        description="Projects of annotated medical images.",
        redirect_slashes=False,
        docs_url=None,  # its pages load scripts from elsewhere, which many hospitals have no way to
        redoc_url=None,
    )
    for route in routes:
        app.add_api_route(
            route.path,
            _endpoint(route, server),
            methods=[route.method],
            summary=route.does,
            status_code=route.status,
            openapi_extra=dict(documented(route)),
            operation_id=f"{route.method}-{route.path}",
        )
    server.tidying.when_due(store)
    app.add_exception_handler(404, _unknown_route)
    app.add_exception_handler(405, _unknown_route)
    return app


def _endpoint(route: Route, server: Server) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        started = time.monotonic()
        calls: list[Call] = []  # none where the key was not accepted

        def enter() -> Call:
            calls.append(_call_of(request, route, server))
            return calls[0]

        try:
            answer = await answered(route, request, enter)
        except _WrongKey:
            answer = await _slowed(request, server)
        except (DatamintException, Existing, Refused) as error:
            answer = answer_to(error)
        except Exception as error:  # noqa: BLE001 -- a defect: the client gets an answer that says nothing of it
            tell_failure(route.path, error)
            answer = answer_to(error)
        _write_down(_seen(route, request, calls, answer.status_code, time.monotonic() - started), server)
        return answer

    return endpoint


class _WrongKey(Exception):  # noqa: N818 -- answered here, never seen outside
    """A key that nobody has."""


def _call_of(request: Request, route: Route, server: Server) -> Call:
    """The call of the user whose key the request carries; a route that needs none is called as the store's owner.

    Raises:
        AuthenticationError: It carries none.
        _WrongKey: It carries one that nobody has.
    """
    path = dict(request.path_params)
    if route.rule.of == "nobody":
        owner = server.store.current_user()
        return Call(server.store, owner, server.options, request, path, metrics=server.metrics, tidying=server.tidying)
    key = request.headers.get("apikey") or _bearer(request)
    if not key:
        raise AuthenticationError(_NO_KEY)
    found = server.store.administration.holder_of(key)
    if found is None:
        raise _WrongKey
    user, prefix = found
    acting = server.store.acting_as(user.email, sees_all=is_admin(user))
    return Call(acting, user, server.options, request, path, key=prefix, metrics=server.metrics, tidying=server.tidying)


async def _slowed(request: Request, server: Server) -> Response:
    """The answer to a wrong key, after the time that it costs its sender; it holds up nobody else."""
    wait_s, refused = server.failed_keys.note(request.client.host if request.client else "")
    await asyncio.sleep(wait_s)
    if refused:
        return answer_to(Refused(429, _TOO_MANY, {"Retry-After": str(round(WINDOW_S))}))
    return answer_to(AuthenticationError(_WRONG_KEY))


def _bearer(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _seen(route: Route, request: Request, calls: Sequence[Call], status: int, took_s: float) -> Seen:
    if not calls or calls[0].key is None:
        return Seen(request.method, route.path, status, took_s)
    call = calls[0]
    ids = known_ids([*call.path.values(), *call.touched])
    return Seen(request.method, route.path, status, took_s, call.user.email, call.key, ids)


def _write_down(seen: Seen, server: Server) -> None:
    server.metrics.count(seen)
    tell(seen)
    if server.audit is not None and seen.key is not None:
        server.audit.write(seen)


async def _unknown_route(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    return answer_to(Refused(status, f"{request.method} {request.url.path[:200]} was not found on this server."))
