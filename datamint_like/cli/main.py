"""The command line: `datamint-like import`, `ls`, `prefetch`, `demo`, `serve`, `key` and `cache`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from datamint_like import __version__
from datamint_like.cli._options import EXIT_CODES
from datamint_like.cli._output import print_json, say
from datamint_like.exceptions import DatamintException

_EXAMPLE = """example:
  datamint-like import scans/ --project liver-ct
  datamint-like ls liver-ct"""
FAILED = 1
INTERRUPTED = 130
UNREAD = 141  # as a shell reports a program that SIGPIPE ended


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors are one line on stderr, never a traceback.

    Example:
        >>> main(["--version"])
        datamint-like 0.1.0
        0
    """
    closed = sys.stdout is None
    _open_closed_streams()
    try:
        code = _run(argv)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        _drop_output()
        return UNREAD
    except OSError as error:  # what the store raises is ours and was told; this is standard output
        _drop_output()
        with suppress(OSError):  # standard error may be as full
            say(f"datamint-like: the output cannot be written: {error.strerror or error}.", sys.stderr)
        return FAILED
    return code or UNREAD if closed else code


def _run(argv: Sequence[str] | None) -> int:
    """The exit code of one command, after its errors were told."""
    try:
        args = _parser().parse_args(argv)
    except SystemExit as leaving:  # argparse leaves after --help, --version (0) and wrong usage (2)
        return int(leaving.code or 0)
    try:
        return int(args.run(args))
    except KeyboardInterrupt:
        say("datamint-like: interrupted. What was stored stays; run the command again to go on.", sys.stderr)
        return INTERRUPTED
    except (DatamintException, NotImplementedError) as error:
        message = " ".join(str(error).split())
        say(f"datamint-like: {message}", sys.stderr)
        if getattr(args, "json", False):
            print_json({"error": {"type": type(error).__name__, "message": message}})
        return FAILED


def _open_closed_streams() -> None:
    """Lead streams that the shell closed (`>&-`) nowhere; each takes its number, which no file of ours shall get."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 -- it stays as long as the process


def _drop_output() -> None:
    """Lead what is still to be written nowhere, so that Python's own last flush does not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    """A parser whose help that cannot be written is an error, as any other output; argparse hides it."""

    def _print_message(self, message: str, file: Any = None) -> None:
        if message:
            (file or sys.stderr).write(message)


def _parser() -> argparse.ArgumentParser:
    from datamint_like.cli import caching, demo, importing, keys, listing, locking, prefetching, serve

    parser = _Parser(
        prog="datamint-like",
        description="PyTorch datasets for annotated medical images: import, list, lock, prefetch, serve, tidy, demo.",
        epilog=f"{_EXAMPLE}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"datamint-like {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (importing, listing, locking, prefetching, demo, serve, keys, caching):
        module.add_parser(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
