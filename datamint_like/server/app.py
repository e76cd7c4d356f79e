"""The application: the table of routes, each behind its key and its rule."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from datamint_like import __version__
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.entities import User
from datamint_like.exceptions import AuthenticationError, StorageError
from datamint_like.server.call import Call, is_admin
from datamint_like.server.errors import Refused, answer_to
from datamint_like.server.options import ServerOptions
from datamint_like.server.routes import ROUTES
from datamint_like.server.routing import Route, answered, documented

_NO_KEY = "This server needs a key: send it as 'apikey: KEY' or 'Authorization: Bearer KEY'."
_WRONG_KEY = "This server does not know this key. It may have been revoked; an admin makes another."


def create_app(store: LocalBackend, options: ServerOptions, routes: Sequence[Route] = ROUTES) -> FastAPI:
    """The ASGI application that serves a store.

    Args:
        store: The store, which the caller opened and closes.
        options: How the server runs.
        routes: What it answers to.
    """
    app = FastAPI(
        title="datamint_like",
        version=__version__,
        description="Projects of annotated medical images.",
        redirect_slashes=False,
        redoc_url=None,
    )
    for route in routes:
        app.add_api_route(
            route.path,
            _endpoint(route, store, options),
            methods=[route.method],
            summary=route.does,
            status_code=route.status,
            openapi_extra=dict(documented(route)),
            operation_id=f"{route.method}-{route.path}",
        )
    with suppress(StorageError):  # a store that this user may only read is served as it is
        store.tidy()
    app.add_exception_handler(404, _unknown_route)
    app.add_exception_handler(405, _unknown_route)
    return app


def _endpoint(route: Route, store: LocalBackend, options: ServerOptions) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await answered(route, request, partial(_entered, route, request, store, options))
        except Exception as error:  # noqa: BLE001 -- whatever it is, the client gets an answer that says nothing of it
            return answer_to(error)

    return endpoint


def _entered(route: Route, request: Request, store: LocalBackend, options: ServerOptions) -> Call:
    """The call of the user whose key it carries; a route that needs no key is called as the store's owner would.

    Raises:
        AuthenticationError: It carries none, or one that nobody has.
    """
    user = None if route.rule.of == "nobody" else _user_of(request, store)
    caller = user or store.current_user()
    acting = store.acting_as(caller.email, sees_all=is_admin(caller)) if user else store
    return Call(acting, caller, options, request, dict(request.path_params))


def _user_of(request: Request, store: LocalBackend) -> User:
    """Whose key a request carries.

    Raises:
        AuthenticationError: It carries none, or one that nobody has.
    """
    key = request.headers.get("apikey") or _bearer(request)
    if not key:
        raise AuthenticationError(_NO_KEY)
    found = store.administration.holder_of(key)
    if found is None:
        raise AuthenticationError(_WRONG_KEY)
    return found[0]


def _bearer(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


async def _unknown_route(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    return answer_to(Refused(status, f"{request.method} {request.url.path[:200]} was not found on this server."))
