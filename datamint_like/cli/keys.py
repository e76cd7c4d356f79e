"""`datamint-like key`: make, list and revoke the keys that open a server."""

from __future__ import annotations

import argparse
import sys

from datamint_like.cli._options import command
from datamint_like.cli._output import print_json, say
from datamint_like.cli._served_store import add_served_store, open_served_store
from datamint_like.entities import ApiKey, User
from datamint_like.exceptions import ItemNotFoundError

_EXAMPLE = """  datamint-like key create --user ana@lab.example --label laptop
  datamint-like key list
  datamint-like key revoke dml_ab2cd3ef"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its three actions."""
    parser = command(commands, "key", "make, list and revoke the keys of a server", _EXAMPLE)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="a new key; its text is shown once")
    create.add_argument("--user", metavar="EMAIL", help="whose key (default: the store's owner); made when new")
    create.add_argument("--admin", action="store_true", help="a user that is made may do everything")
    create.add_argument("--label", default="", help="what the key is for")
    create.set_defaults(run=run_create)
    listed = actions.add_parser("list", help="all keys, without their secrets")
    listed.set_defaults(run=run_list)
    revoke = actions.add_parser("revoke", help="end a key, now")
    revoke.add_argument("prefix", help="what stands before the secret, as in dml_ab2cd3ef")
    revoke.set_defaults(run=run_revoke)
    for action in (create, listed, revoke):
        add_served_store(action)
        action.add_argument("--json", action="store_true", help="print one JSON object instead of text")


def run_create(args: argparse.Namespace) -> int:
    """Make a key and show it."""
    store = open_served_store(args)
    email = args.user or store.current_user().email
    try:
        store.get_user(email)
    except ItemNotFoundError:
        roles = ("admin",) if args.admin else ()
        store.create_user(User(email=email, created_at="", customer_id="", roles=roles))
    key, text = store.administration.create_key(email, args.label)
    if args.json:
        print_json({**key.to_dict(), "key": text})
    else:
        say(text)
        say(f"A key of {email}, shown only now. End it with: datamint-like key revoke {key.prefix}", sys.stderr)
    return 0


def run_list(args: argparse.Namespace) -> int:
    """Show what there is of keys."""
    keys = open_served_store(args).administration.list_keys()
    if args.json:
        print_json({"keys": [key.to_dict() for key in keys]})
    for key in () if args.json else keys:
        say(_line(key))
    return 0


def run_revoke(args: argparse.Namespace) -> int:
    """End a key."""
    key = open_served_store(args).administration.revoke_key(args.prefix)
    if args.json:
        print_json(key.to_dict())
    else:
        say(f"Revoked: {_line(key)}")
    return 0


def _line(key: ApiKey) -> str:
    ended = f", revoked {key.revoked_at}" if key.revoked_at else ""
    label = f" ({key.label})" if key.label else ""
    return f"{key.prefix}  {key.email}{label}, made {key.created_at}{ended}"
