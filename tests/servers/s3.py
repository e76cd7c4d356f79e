"""An S3 server of the tests' own: moto's, on the loopback, from an environment of its own (tests/servers/moto.txt)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers.ports import answers, free_port, wait_until

_MISSING = (
    "moto's server is not installed: make test installs it in .venv/moto; "
    "another one is named by DATAMINT_LIKE_TEST_MOTO"
)
BUCKET = "images"
#: Moto wants requests to be signed, and looks at no signature unless it refuses all.
_SIGNED = "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=any"


class S3Server:
    """A running server with one bucket; `ask` looks into it without the package under test."""

    def __init__(self) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [_binary(), "-H", "127.0.0.1", "-p", str(port)]
        # keys count from the moment that `deny` says so
        env = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": "1000000000"}
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
        wait_until(lambda: answers(port), "moto's server")
        self.ask("PUT", f"{self.url}/{BUCKET}")

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to use the server."""
        keys = {"AWS_ACCESS_KEY_ID": "key-of-a-test", "AWS_SECRET_ACCESS_KEY": "secret-of-a-test"}
        return {**keys, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": self.url}

    def ask(self, method: str, place: str, **more: Any) -> httpx.Response:
        """What an ordinary client is answered; unless `deny` refuses all."""
        answer = httpx.request(method, place, headers={"Authorization": _SIGNED}, **more)
        return answer.raise_for_status()

    def at(self, path: str) -> str:
        """Where an object lies."""
        return f"{self.url}/{BUCKET}/{path}"

    def deny(self, *, everything: bool) -> None:
        """Let the server refuse all keys, or take any."""
        count = 0 if everything else 1_000_000_000
        httpx.post(f"{self.url}/moto-api/reset-auth", content=str(count)).raise_for_status()

    def remove(self) -> None:
        self._process.terminate()
        self._process.wait(30)


def _binary() -> str:
    """The server's program; the test skips where there is none."""
    here = Path(sys.prefix) / "moto" / "bin" / "moto_server"
    named = os.environ.get("DATAMINT_LIKE_TEST_MOTO") or (str(here) if here.exists() else shutil.which("moto_server"))
    if not named:
        pytest.skip(_MISSING)
    return named
