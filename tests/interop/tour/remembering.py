"""What the server held before it was killed, it holds after."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.interop.tour.guide import Tour, agree, plain, step


@step()
def everything_is_seen(tour: Tour) -> None:
    tour.notes["seen"] = _seen(tour)


@step("after")
def everything_is_there(tour: Tour) -> None:
    now = _seen(tour)
    for kind, before in tour.notes["seen"].items():
        agree(list(now[kind]), list(before), f"ids of {kind}")
        for key, row in before.items():
            agree(now[kind][key], row, f"{kind} {key}")


def _seen(tour: Tour) -> dict[str, Any]:
    api = tour.api
    projects = api.projects.get_all()
    resources = api.resources.get_list()
    annotations = api.annotations.get_list(resource=[each.id for each in resources])
    with_files = [each for each in annotations if str(each.type) == "segmentation"]
    return {
        "users": {each.email: plain(each) for each in api.users.get_list()},
        "projects": {each.id: plain(each) for each in projects},
        "members": {each.id: api.projects.get_members(project=each.id) for each in projects},
        "in projects": {each.id: [row.id for row in api.projects.get_project_resources(each.id)] for each in projects},
        "worklists": {each.id: [plain(row) for row in api.projects.get_worklists(each.id)] for each in projects},
        "splits": {each.id: [plain(row) for row in api.projects.get_splits(project=each.id)] for each in projects},
        "resources": {each.id: plain(each) for each in resources},
        "annotations": {each.id: plain(each) for each in annotations},
        "files": {
            each.id: _digest(api.resources.download_resource_file(each, auto_convert=False)) for each in resources
        },
        "masks": {each.id: _digest(api.annotations.download_file(each)) for each in with_files},
    }


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
