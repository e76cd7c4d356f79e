"""Running the server: its socket, its processes, its first key."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import uvicorn
from fastapi import FastAPI

from datamint_like.backends.local.backend import LocalBackend
from datamint_like.backends.local.options import open_store
from datamint_like.exceptions import StorageError
from datamint_like.server import metrics
from datamint_like.server.app import create_app
from datamint_like.server.journal import AuditLog, log_to_stderr
from datamint_like.server.options import ServerOptions

_OPTIONS = "DATAMINT_LIKE_SERVER_OPTIONS"  # how the processes of `workers` get theirs
_BACKLOG = 2048
_FACTORY = "datamint_like.server.serving:app_from_environment"


def first_key(store: LocalBackend, admin_key: str | None) -> str | None:
    """The text of a key that was made because the store had none; None where it has keys, or was given one.

    Args:
        store: The store that is about to be served.
        admin_key: A key of the operator's choice, which opens the server as the store's owner.

    Raises:
        ValidationError: `admin_key` is too short or has characters that no header takes.
    """
    owner = store.current_user().email
    if admin_key:
        store.administration.adopt_key(admin_key, owner, "set by the operator")
        return None
    if any(key.revoked_at is None for key in store.administration.list_keys()):
        return None
    return store.administration.create_key(owner, "first key")[1]


def serve(options: ServerOptions, announce: Callable[[str], None]) -> None:
    """Serve until the process is told to stop (SIGINT, SIGTERM); requests under way are finished.

    Args:
        options: How.
        announce: Is called with the server's address once it listens.

    Raises:
        StorageError: The address is taken, or not of this machine.
    """
    gc.freeze()  # what is loaded now stays: no collection needs to look at it again
    with listening(options) as listener:
        announce(f"http://{options.host}:{listener.getsockname()[1]}")
        if options.workers == 1:
            uvicorn.Server(config(app_of(options))).run(sockets=[listener])
            return
        os.environ[_OPTIONS] = msgspec.json.encode(options).decode()
        from uvicorn.supervisors import Multiprocess

        with tempfile.TemporaryDirectory() as counts:
            os.environ[metrics.SHARED] = counts
            Multiprocess(config(_FACTORY, workers=options.workers), sockets=[listener]).run()


def config(app: FastAPI | str, *, workers: int = 1) -> uvicorn.Config:
    """How uvicorn serves us: its own logs only when something is wrong, nothing about itself in headers."""
    return uvicorn.Config(
        app, factory=isinstance(app, str), workers=workers, log_config=None, access_log=False, server_header=False
    )


def app_from_environment() -> FastAPI:
    """The application of one of several processes, which ends when the process that started it does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return app_of(msgspec.json.decode(os.environ[_OPTIONS], type=ServerOptions))


def _end_with_parent() -> None:
    """Wait for the end of the process that started this one, however it comes, then finish what is under way."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def app_of(options: ServerOptions) -> FastAPI:
    """The application over the store that `options` name, with its audit log; both stay open with the process."""
    log_to_stderr(logging.INFO if options.verbose else logging.WARNING)
    return create_app(open_store(options.store), options, audit=AuditLog(options.audit_file))


@contextmanager
def listening(options: ServerOptions) -> Iterator[socket.socket]:
    """A socket that listens at the address asked for.

    Raises:
        StorageError: The address is taken, or not of this machine.
    """
    try:
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        listener = socket.create_server((options.host, options.port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        raise StorageError(
            f"Cannot listen on {options.host}:{options.port}: {error}. Choose another --port."
        ) from error
    with listener:
        listener.set_inheritable(True)
        # Connections inherit it. asyncio sets it only where the socket names its protocol, which this one does not,
        # and an answer in two pieces would wait some 40 ms for the client to acknowledge the first.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener
