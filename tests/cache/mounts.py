"""Code that runs where one folder is a small disk, or is read-only: in a mount namespace that ends with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

_TRY = ["sh", "-c", "mount -t tmpfs -o size=64k tmpfs /mnt"]


@cache
def _unshare() -> list[str] | None:
    """How to get a mount namespace here; None where there is none to be had."""
    for flags in ("-m", "-Urm"):
        command = ["unshare", flags]
        if (
            shutil.which("unshare")
            and subprocess.run([*command, *_TRY], capture_output=True, check=False).returncode == 0
        ):
            return command
    return None


def run_where(mount: str, folder: Path, code: str, *arguments: object) -> str:
    """What the code printed, run after `mount ... FOLDER`; the test skips only where nobody may mount."""
    unshare = _unshare()
    if unshare is None:
        pytest.skip("neither mount nor unshare -Urm works here")
    script = f'{mount} && exec "$@"'
    command = [*unshare, "sh", "-c", script, str(folder), sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ), timeout=120)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


#: `$0` is the folder.
SMALL = 'mount -t tmpfs -o size=256k tmpfs "$0"'
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0"'
