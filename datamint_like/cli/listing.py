"""`datamint-like ls`: the projects of a store, or the resources of a project."""

from __future__ import annotations

import argparse
from typing import Any

from datamint_like._words import counted
from datamint_like.api import Api
from datamint_like.backends.finding import find_project
from datamint_like.cli._options import add_store_options, command, need_store, open_api
from datamint_like.cli._output import print_json, say, shape_text, table
from datamint_like.entities import Resource

_EXAMPLE = """  datamint-like ls
  datamint-like ls liver-ct --json"""
_COLUMNS = """columns of projects:
  RESOURCES  how many resources the project has
  ANNOTATED  how many of them have at least one annotation of any type (deleted ones do not count)"""


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser = command(
        commands, "ls", "list the projects of a store, or the resources of a project", f"{_EXAMPLE}\n\n{_COLUMNS}"
    )
    parser.add_argument("project", nargs="?", metavar="PROJECT", help="name or id of a project")
    add_store_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """List what is asked for; nothing is made."""
    with open_api(args) as api:
        need_store(api.server_url)
        if args.project is None:
            _projects(api, as_json=args.json)
        else:
            _resources(api, args.project, as_json=args.json)
    return 0


def _projects(api: Api, *, as_json: bool) -> None:
    projects = api.projects.get_list()
    annotated = api.backend.count_annotated([each.id for each in projects])
    if as_json:
        listed = [{**each.to_dict(), "resources_with_annotations": annotated[each.id]} for each in projects]
        print_json({"store": api.server_url, "projects": listed})
        return
    if not projects:
        say(f"No project in {api.server_url} yet. Make one: datamint-like import PATH --project NAME")
        return
    rows = [(each.name, each.resource_count, annotated[each.id], each.created_at[:10], each.id) for each in projects]
    say(table(("PROJECT", "RESOURCES", "ANNOTATED", "CREATED", "ID"), rows))


def _resources(api: Api, name: str, *, as_json: bool) -> None:
    project = find_project(api.backend, name)
    resources = api.projects.get_project_resources(project)
    if as_json:
        listed = [_plain(resource) for resource in resources]
        print_json({"store": api.server_url, "project": project.to_dict(), "resources": listed})
        return
    rows = [
        (
            each.filename,
            each.metadata.get("kind", ""),
            shape_text(each.metadata.get("shape")),
            each.modality or "",
            ",".join(each.tags),
            each.id,
        )
        for each in resources
    ]
    if rows:
        say(table(("NAME", "KIND", "SHAPE", "MODALITY", "TAGS", "ID"), rows))
    say(f"{project.name!r}: {counted(len(rows), 'resource')}.")


def _plain(resource: Resource) -> dict[str, Any]:
    """The resource without what identifies a patient."""
    hidden = {"patient_id", "study_uid", "series_uid", "instance_uid"}
    return {key: value for key, value in resource.to_dict().items() if key not in hidden}
