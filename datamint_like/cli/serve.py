"""`datamint-like serve`: one store on the network."""

from __future__ import annotations

import argparse
import os
import re
import sys

from datamint_like._optional import need
from datamint_like.cli._options import command
from datamint_like.cli._output import say
from datamint_like.cli._served_store import add_served_store, store_options

ADMIN_KEY = "DATAMINT_LIKE_ADMIN_KEY"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = command(
        commands,
        "serve",
        "serve a store to a team, over HTTP",
        "  datamint-like serve --store /data/store --port 8100",
    )
    add_served_store(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8100, help="port to listen on; 0 takes a free one (%(default)s)")
    parser.add_argument("--workers", type=_from_one, default=1, metavar="N", help="number of processes (1)")
    parser.add_argument("--audit", metavar="FILE", help="audit log (default: audit.jsonl in the store)")
    parser.add_argument(
        "--cache",
        metavar="DIR",
        help="folder of slices and joined series, which may be removed at any time (default: in your cache folder)",
    )
    parser.add_argument(
        "--accel-prefix",
        type=_location,
        metavar="PATH",
        help="location under which nginx in front serves the store's folder, such as /stored: whole files are its work",
    )
    parser.add_argument("--verbose", action="store_true", help="log every request, not only what went wrong")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until stopped."""
    need("fastapi", extra="server")
    need("uvicorn", extra="server")
    from datamint_like.backends.local.options import open_store
    from datamint_like.server.options import ServerOptions
    from datamint_like.server.serving import first_key, serve

    which = store_options(args)
    store = open_store(which)
    made = first_key(store, os.environ.get(ADMIN_KEY))
    store.close()
    if made is not None:
        say(f"The first key of this server, shown only now: {made}", sys.stderr)
    options = ServerOptions(
        store=which,
        host=args.host,
        port=args.port,
        workers=args.workers,
        audit=args.audit,
        verbose=args.verbose,
        cache=args.cache,
        accel_prefix=args.accel_prefix,
    )
    serve(options, lambda address: say(f"Serving {store.url} at {address}", sys.stderr))
    return 0


def _location(text: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+/?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no location of nginx: it begins with a slash, such as /stored")
    return text.rstrip("/")


def _from_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes from 1")
    return int(text)
