"""The published `datamint` clients, each installed into a folder of its own, and the processes that run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datamint_like.backends.local.backend import LocalBackend
from tests.conftest import REPOSITORY
from tests.interop.tour.guide import ANA, KEY_OF_ANA
from tests.serving import ADMIN_KEY, served_by_process

# What the clients import beyond what this project needs itself; a tour touches no other of their requirements.
_WITH = (
    *("deprecated==1.3.1", "lazy-loader==0.6", "medimgkit==0.18.1", "nest-asyncio==1.6.0"),
    *("pandas==3.1.1", "puremagic==1.30", "python-magic==0.4.27", "pytz==2026.6"),
)
_ENVIRONMENT = dict(os.environ)  # before a test's own home replaces the one with pip's settings and cache
_INSTALL_S = 300
_STAGE_S = 600


class NotInstalledError(Exception):
    """pip could not get a client."""


def install(version: str, folder: Path) -> Path:
    """Install one version, unmodified, into a folder that no other Python sees; the folder.

    Raises:
        NotInstalledError: pip cannot get it, for example without network.
    """
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    command += ["--no-deps", "--target", str(folder), f"datamint=={version}", *_WITH]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S, env=_ENVIRONMENT)
    except subprocess.TimeoutExpired:
        raise NotInstalledError(f"pip got no datamint {version} within {_INSTALL_S} s") from None
    if done.returncode:
        raise NotInstalledError(f"pip could not get datamint {version}: {done.stderr.strip()[-300:]}")
    return folder


def journey(traveller: Traveller) -> None:
    """The whole tour against a server of its own, which is killed in the middle and starts again on the same port."""
    with served_by_process(traveller.store) as (url, server):
        traveller.go("before", url)
        server.kill()
        server.wait()
    with served_by_process(traveller.store, port=int(url.rpartition(":")[2])) as (url, _):
        traveller.go("after", url, **{KEY_OF_ANA: _key_of(ANA, traveller.store)})


def _key_of(email: str, folder: Path) -> str:
    """A new key of a user, made beside the server that runs."""
    store = LocalBackend(folder.as_uri())
    try:
        return store.administration.create_key(email)[1]
    finally:
        store.close()


@dataclass
class Traveller:
    """A published client, and what came of its tour so far.

    Attributes:
        version: Of the client.
        packages: Where it is installed.
        files: The files that it uploads.
        home: Its home, with its cache and its notes.
        store: Of the server that it visited.
        outcomes: Of each step: `failed`, a traceback or None, and `took_s`.
        broke: Why the tour ended early; None where it did not.
    """

    version: str
    packages: Path
    files: Path
    home: Path
    store: Path
    outcomes: dict[str, dict[str, Any]] = field(default_factory=dict)
    broke: str | None = None

    @property
    def told(self) -> Path:
        """What its processes write to stderr."""
        return self.home / "stderr.txt"

    def go(self, stage: str, url: str, **environment: str) -> None:
        """Make the steps of one stage against the server at `url`."""
        report = self.home / f"{stage}.json"
        arguments = [self.version, stage, str(self.files), str(self.home / "notes.json"), str(report)]
        with self.process(url, "tests.interop.tour", *arguments, **environment) as process:
            try:
                process.communicate(timeout=_STAGE_S)
            finally:
                process.kill()
        assert process.returncode == 0, self.told.read_text()[-3000:]
        self.outcomes |= json.loads(report.read_text())

    def process(self, url: str, module: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """A Python process that imports the client, with the server's address and a key in its environment."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATAMINT", "PYTEST"))}
        env = kept | {
            "PYTHONPATH": os.pathsep.join([str(self.packages), str(REPOSITORY)]),
            "HOME": str(self.home),
            "DATAMINT_LOG_FILE": "0",
            "DATAMINT_API_URL": url,
            "DATAMINT_API_KEY": ADMIN_KEY,
            "NO_ALBUMENTATIONS_UPDATE": "1",
            **environment,
        }
        command = [sys.executable, "-m", module, *arguments]
        with self.told.open("a") as told:
            return subprocess.Popen(command, env=env, cwd=self.home, stdout=subprocess.PIPE, stderr=told, text=True)
