"""A real server for tests: in a thread of this process, or in a process of its own that can be killed."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from datamint_like.backends.local.backend import LocalBackend
from datamint_like.backends.local.options import StoreOptions
from datamint_like.entities import User
from datamint_like.server.app import create_app
from datamint_like.server.options import ServerOptions
from datamint_like.server.serving import config, listening

ADMIN_KEY = "a-key-of-the-tests-own-choice"


@dataclass
class Served:
    """A server that runs.

    Attributes:
        url: Where.
        store: The store behind it, opened beside it.
    """

    url: str
    store: LocalBackend

    def client(self, key: str | None = ADMIN_KEY, **options: Any) -> httpx.Client:
        """A client that shows a key."""
        headers = {} if key is None else {"apikey": key}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, **options)

    def user(self, email: str, *roles: str) -> str:
        """The key of a new user."""
        self.store.create_user(User(email=email, created_at="", customer_id="", roles=roles))
        return self.store.administration.create_key(email)[1]


class _Attentive(uvicorn.Server):
    """A server that looks a hundred times a second whether it shall end, not ten: hundreds of tests wait for that."""

    async def main_loop(self) -> None:
        for counter in itertools.count():
            if await self.on_tick(counter):
                return
            await asyncio.sleep(0.01)


@contextmanager
def served(folder: Path, **options: Any) -> Iterator[Served]:
    """A server over the store in `folder`, in a thread; `ADMIN_KEY` opens it."""
    store = LocalBackend(folder.as_uri())
    store.administration.adopt_key(ADMIN_KEY, store.current_user().email, "tests")
    chosen = ServerOptions(store=StoreOptions(folder.as_uri()), port=0, **options)
    server = _Attentive(config(create_app(store, chosen)))
    with listening(chosen) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", store)
        finally:
            server.should_exit = True
            thread.join(timeout=30)
            store.close()


@contextmanager
def served_by_process(
    folder: Path | None, *arguments: str, port: int = 0
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Address and process of `datamint-like serve` over the store in `folder`; `ADMIN_KEY` opens it.

    Without a folder `arguments` name the store.
    """
    command = [sys.executable, "-m", "datamint_like.cli.main", "serve", "--port", str(port)]
    command += [] if folder is None else ["--store", str(folder)]
    env = {**os.environ, "DATAMINT_LIKE_ADMIN_KEY": ADMIN_KEY}
    with subprocess.Popen([*command, *arguments], env=env, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            url = ""
            while not url:
                line = process.stderr.readline()
                assert line, f"the server ended with {process.poll()}"
                url = (re.findall(r"http://\S+", line) or [""])[0]
            _wait_until_healthy(url)
            yield url, process
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()


_DIES_BEFORE_ITS_ANSWER = """
import os, socket, sys
import uvicorn
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.backends.local.options import StoreOptions
from datamint_like.server import once
from datamint_like.server.app import create_app
from datamint_like.server.options import ServerOptions
from datamint_like.server.serving import config

once._response = lambda answer: os.kill(os.getpid(), 9)
store = LocalBackend(sys.argv[1])
store.administration.adopt_key(sys.argv[2], store.current_user().email, "tests")
uvicorn.Server(config(create_app(store, ServerOptions(store=StoreOptions(sys.argv[1]))))).run(
    sockets=[socket.socket(fileno=int(sys.argv[3]))]
)
"""


@contextmanager
def killed_before_its_answer(folder: Path) -> Iterator[str]:
    """Address of a server that dies with its first create stored and not answered, which the block must ask for."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    arguments = [folder.as_uri(), ADMIN_KEY, str(listener.fileno())]
    command = [sys.executable, "-c", _DIES_BEFORE_ITS_ANSWER, *arguments]
    with subprocess.Popen(command, pass_fds=[listener.fileno()]) as process:
        listener.close()
        try:
            yield url
        except httpx.TransportError:
            assert process.wait(timeout=30) == -signal.SIGKILL
        else:
            raise AssertionError("it answered")
        finally:
            process.kill()


def _wait_until_healthy(url: str) -> None:
    for _ in range(300):
        try:
            if httpx.get(f"{url}/health").status_code == 200:
                return
        except httpx.TransportError:
            pass  # not yet
        time.sleep(0.1)
    raise AssertionError(f"{url} did not become healthy within 30 s")
