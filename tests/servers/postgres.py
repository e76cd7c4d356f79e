"""A PostgreSQL server of the tests' own, from Debian's binaries: on the loopback, in a folder that goes with it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.servers.ports import free_port, wait_until

_MISSING = "PostgreSQL's binaries are not installed (/usr/lib/postgresql/*/bin): apt-get install postgresql"
#: Whoever names itself `locked` needs a password; everyone else is trusted.
_WHO = "local all all trust\nhost all locked 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
_FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB", "autovacuum": "off"}


class PostgresServer:
    """A running server.

    Attributes:
        folder: Its data.
        port: Where it listens, also after it was started again.
    """

    def __init__(self) -> None:
        self._bin = _binaries()
        self._user = _owner()
        self.folder = Path(tempfile.mkdtemp(prefix="datamint-like-postgres-"))
        self.port = free_port()
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        try:
            # ICU: an order of text that is not that of code points, as on most servers
            kind = ["--encoding=UTF8", "--locale-provider=icu", "--icu-locale=en", "--locale=C.UTF-8"]
            self._run("initdb", "-D", str(self.data), "-U", "tests", "--auth=trust", "--no-sync", *kind)
            (self.data / "pg_hba.conf").write_text(_WHO)
            self.start()
        except BaseException:  # whatever it is goes on; only the folder must not stay
            shutil.rmtree(self.folder)
            raise

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, schema: str = "public", user: str = "tests") -> str:
        """The URL of a schema in the server's database."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/postgres?schema={schema}"

    def sql(self, text: str) -> str:
        """What psql prints for a statement."""
        done = self._run(
            "psql", "-XAtq", "-h", "127.0.0.1", "-p", str(self.port), "-U", "tests", "-c", text, "postgres"
        )
        return done.stdout.strip()

    def start(self) -> None:
        settings = [f"-c{name}={value}" for name, value in _FAST.items()]
        place = ["-D", str(self.data), "-p", str(self.port), "-k", str(self.folder), "-clisten_addresses=127.0.0.1"]
        log = open(self.folder / "log", "ab")  # noqa: SIM115 -- the child keeps it
        self._process = subprocess.Popen(
            [self._bin / "postgres", *place, *settings], stdout=log, stderr=log, **self._as_owner()
        )
        log.close()
        wait_until(self._is_ready, "PostgreSQL")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT breaks off its connections, SIGQUIT is as a crash."""
        self._process.send_signal(how)
        self._process.wait(60)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, (self.folder / "log").read_text()
        command = [self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def _run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self._bin / name, *arguments], capture_output=True, text=True, check=False, **self._as_owner()
        )
        assert done.returncode == 0, done.stderr
        return done

    def _as_owner(self) -> dict[str, object]:
        if self._user is None:
            return {}
        group = pwd.getpwnam(self._user).pw_gid
        return {"user": self._user, "group": group, "extra_groups": [], "cwd": str(self.folder)}


def _binaries() -> Path:
    """The folder of the newest binaries; the test skips where there are none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.skip(_MISSING)
    return found[-1].parent


def _owner() -> str | None:
    """Who runs the server: it refuses to be root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
