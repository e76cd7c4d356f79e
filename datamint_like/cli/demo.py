"""`datamint-like demo`: real images become a project, and a small network trains on it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from datamint_like.cli._options import command
from datamint_like.cli._output import print_json, say

_EXAMPLE = "  datamint-like demo --home demo-home"


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser = command(commands, "demo", "make shipped real images a project and train a small network on it", _EXAMPLE)
    parser.add_argument(
        "--home", type=_folder, required=True, metavar="DIR", help="folder of the demo's store; may exist"
    )
    parser.add_argument("--epochs", type=_count, default=30, metavar="N", help="passes over the data (default: 30)")
    parser.add_argument(
        "--seed", type=_whole_number, default=42, metavar="S", help="of split, weights and order (default: 42)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo; the table (or JSON) goes to standard output, everything else to standard error."""
    from datamint_like.demo.report import table, what_next
    from datamint_like.demo.run import DemoOptions, run_demo

    options = DemoOptions(home=args.home, epochs=args.epochs, seed=args.seed)
    result = run_demo(options, say=lambda line: say(line, sys.stderr))
    if args.json:
        print_json(result.to_dict())
    else:
        say(f"\n{table(result)}\n\n{what_next(result)}")
    return 0


def _folder(text: str) -> Path:
    """A folder; an empty text would be the current one."""
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a folder, found an empty text (a variable that is not set?)")
    return Path(text)


def _count(text: str) -> int:
    """A whole number from 1."""
    number = _whole_number(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, found {text}")
    return number


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, found {text!r}") from None
