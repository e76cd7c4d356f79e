"""`datamint-like lock`: the state of a project as a text file that opens it again elsewhere."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from datamint_like._words import counted
from datamint_like.catalog import lock_lines, sync_project
from datamint_like.cli._options import add_store, command, need_store, open_api
from datamint_like.cli._output import say
from datamint_like.config import load_settings

_EXAMPLE = """  datamint-like lock liver-ct > liver-ct.lock
  python -c 'from datamint_like import VolumeDataset; print(len(VolumeDataset(lock="liver-ct.lock")))'

A lock file holds what the store says of every resource (records, annotations, digests of all files; patient ids are
among the records), no pixels and no key. VolumeDataset(lock=...) asks the store for files alone, and refuses others
than those that were locked."""


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser = command(commands, "lock", "write the state of a project, for VolumeDataset(lock=...)", _EXAMPLE)
    parser.add_argument("project", metavar="PROJECT", help="name or id of a project")
    add_store(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the lock file of a project."""
    with open_api(args) as api:
        need_store(api.server_url)
        snapshot = sync_project(api.backend, args.project, load_settings().cache())
    sys.stdout.buffer.writelines(lock_lines(snapshot))
    say(f"Locked {args.project!r}: {counted(len(snapshot), 'resource')}.", sys.stderr)
    return 0
