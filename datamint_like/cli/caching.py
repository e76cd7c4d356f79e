"""`datamint-like cache`: what a cache folder holds, whether that is sound, and what may go."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

from datamint_like._cache.collecting import Collected
from datamint_like._cache.entries import Entry
from datamint_like._sizes import size_text
from datamint_like.backends._urls import without_user_info
from datamint_like.cache import Amount, Cache, ProjectUsage
from datamint_like.cli._options import command
from datamint_like.cli._output import print_json, say, table
from datamint_like.exceptions import ValidationError

_EXAMPLE = """  datamint-like cache du
  datamint-like cache gc --limit 200GB
  datamint-like cache verify --remove"""
_DAMAGED = 1
_KINDS = {
    "file": "files of servers",
    "pack": "packs of slices",
    "snapshot": "snapshots of projects",
    "partial": "under way, or left by killed processes",
    "lease": "leases",
    "other": "locks, pointers and splits",
}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its four actions."""
    parser = command(commands, "cache", "show, check and tidy the cache folder", _EXAMPLE)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    du = actions.add_parser("du", help="what the cache holds, by kind and by project")
    du.set_defaults(run=run_du)
    verify = actions.add_parser("verify", help="check every entry; exit code 1 where one is damaged")
    verify.add_argument("--remove", action="store_true", help="remove what is damaged; it is made again when needed")
    verify.set_defaults(run=run_verify)
    gc = actions.add_parser(
        "gc", help="remove superseded snapshots, rests of killed processes, and what is above the limit"
    )
    gc.add_argument("--limit", metavar="SIZE", help="such as 200GB (default: DATAMINT_LIKE_CACHE_LIMIT, else none)")
    gc.add_argument(
        "--grace-hours", metavar="H", type=float, default=24.0, help="what was used since then stays (default: 24)"
    )
    gc.add_argument("--dry-run", action="store_true", help="only tell what would go")
    gc.set_defaults(run=run_gc)
    clear = actions.add_parser("clear", help="remove everything that no running process holds")
    clear.add_argument("--yes", action="store_true", help="do not ask")
    clear.set_defaults(run=run_clear)
    for action in (du, verify, gc, clear):
        action.add_argument(
            "--cache-dir", metavar="DIR", help="the cache folder (default: DATAMINT_LIKE_CACHE, else yours)"
        )
        action.add_argument("--json", action="store_true", help="print one JSON object instead of text")


def run_du(args: argparse.Namespace) -> int:
    """Show what there is."""
    cache = Cache(args.cache_dir)
    used = cache.usage()
    if args.json:
        kinds = {kind: _amount(amount) for kind, amount in used.kinds.items()}
        projects = [_project(each) for each in used.projects]
        facts = {"cache": str(cache.folder), "limit": cache.limit, "size": used.size}
        print_json({**facts, "kinds": kinds, "projects": projects})
        return 0
    rows = [(_KINDS[kind], each.entries, size_text(each.size)) for kind, each in used.kinds.items() if each.entries]
    if rows:
        say(table(("WHAT", "ENTRIES", "SIZE"), rows))
    if used.projects:
        listed = [
            (
                each.project or "(lists of resources)",
                size_text(each.snapshots.size),
                size_text(each.files.size),
                without_user_info(each.store_url),
            )
            for each in used.projects
        ]
        say("\n" + table(("PROJECT", "SNAPSHOTS", "FILES", "STORE"), listed) + "\n")
    limit = "no limit" if cache.limit is None else f"limit {size_text(cache.limit)}"
    say(f"{cache.folder}: {size_text(used.size)}, {limit}.")
    return 0


def run_verify(args: argparse.Namespace) -> int:
    """Check what there is."""

    def shown(entries: Iterable[Entry]) -> Iterable[Entry]:
        listed = list(entries)
        with tqdm(total=sum(each.size for each in listed), desc="verify", unit="B", unit_scale=True) as bar:
            for each in listed:
                yield each
                bar.update(each.size)

    found = Cache(args.cache_dir).verify(remove=args.remove, progress=shown)
    damaged = [{"kind": d.kind, "name": d.name, "reason": d.reason, "removed": d.removed} for d in found.damaged]
    if args.json:
        print_json({"checked": found.checked, "unchecked": found.unchecked, "damaged": damaged})
    else:
        for each in found.damaged:
            say(f"{each.name}: {each.reason}{' Removed.' if each.removed else ''}")
        unchecked = f", {found.unchecked} that nothing tells of" if found.unchecked else ""
        say(f"{_entries(sum(found.checked.values()))} checked, {len(damaged)} damaged{unchecked}.")
    return _DAMAGED if damaged else 0


def run_gc(args: argparse.Namespace) -> int:
    """Remove what nobody needs, and what is above the limit."""
    done = Cache(args.cache_dir).gc(limit=args.limit, grace_hours=args.grace_hours, dry_run=args.dry_run)
    return _told(done, as_json=args.json, would=args.dry_run)


def run_clear(args: argparse.Namespace) -> int:
    """Remove everything, after asking."""
    cache = Cache(args.cache_dir)
    if not args.yes and not _agreed(f"Remove {size_text(cache.usage().size)} from {cache.folder}?"):
        say("Nothing was removed.", sys.stderr)
        return 0
    return _told(cache.clear(), as_json=args.json)


def _agreed(question: str) -> bool:
    """Whether the person says yes.

    Raises:
        ValidationError: There is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise ValidationError("Nobody can be asked whether to clear the cache. Say --yes.")
    say(f"{question} [y/N]", sys.stderr)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _told(done: Collected, *, as_json: bool, would: bool = False) -> int:
    if as_json:
        print_json({"removed": done.removed, "freed": done.freed, "held": done.held, "refused": list(done.refused)})
    else:
        if done.refused:
            more = f" and {len(done.refused) - 1} more, which --json lists" if len(done.refused) > 1 else ""
            say(f"{_entries(len(done.refused))} cannot be removed: {done.refused[0]}{more}.", sys.stderr)
        verb = "Would remove" if would else "Removed"
        say(f"{verb} {_entries(done.removed)} ({size_text(done.freed)}); {size_text(done.held)} stay.")
        if not done.is_within_limit:
            say("That is above the limit: the rest was used within the last hours, is in use, or is a newest snapshot.")
    return 1 if done.refused else 0


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number} entries"


def _amount(amount: Amount) -> dict[str, int]:
    return {"entries": amount.entries, "size": amount.size}


def _project(each: ProjectUsage) -> dict[str, Any]:
    return {
        "store": without_user_info(each.store_url),
        "project": each.project,
        "snapshots": _amount(each.snapshots),
        "files": _amount(each.files),
    }
