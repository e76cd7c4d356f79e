"""Options that every command takes, and the store they name."""

from __future__ import annotations

import argparse

from datamint_like.api import Api
from datamint_like.backends import store_url
from datamint_like.backends._urls import has_store, without_user_info
from datamint_like.exceptions import ItemNotFoundError

EXIT_CODES = """exit codes:
  0  all done
  1  an error, told in one line on stderr
  2  the command line is wrong
  3  done, but files were left out
  130  interrupted
  141  nobody reads the output: standard output is closed, or its reader has gone"""


def add_store_options(parser: argparse.ArgumentParser) -> None:
    """Add `--home`, `--server-url` and `--json`."""
    add_store(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add `--home` and `--server-url`."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--home",
        metavar="DIR",
        help="folder of the embedded store (default: DATAMINT_LIKE_HOME, else your data folder)",
    )
    where.add_argument(
        "--server-url",
        metavar="URL",
        help="the store by its URL: file:///folder, or a server's https://host. Its key is read from "
        "DATAMINT_LIKE_API_KEY (or the config file), never from the command line, which others can see",
    )


def open_api(args: argparse.Namespace) -> Api:
    """A handle on the store that the options name."""
    given = args.server_url if args.home is None else args.home
    return Api(server_url=None if given is None else store_url(given))


def need_store(url: str) -> None:
    """Nothing, where there is a store: a command that only reads makes none.

    Raises:
        ItemNotFoundError: There is none.
    """
    if not has_store(url):
        raise ItemNotFoundError(
            f"There is no store in {without_user_info(url)}. Check --home, --server-url or DATAMINT_LIKE_HOME, or make "
            "one: datamint-like import PATH --project NAME"
        )


def command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, what: str, example: str
) -> argparse.ArgumentParser:
    """A subcommand whose help ends with an example and the exit codes."""
    return commands.add_parser(
        name,
        help=what,
        description=f"{what[0].upper()}{what[1:]}.",
        epilog=f"example:\n{example}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
