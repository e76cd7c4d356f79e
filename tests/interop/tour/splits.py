"""Splits: assigned, changed, and replayed as they were."""

from __future__ import annotations

from tests.interop.tour.guide import PICTURES, Tour, agree, step


def _splits(tour: Tour, **at: str) -> dict[str, str]:
    found = tour.api.projects.get_splits(project=tour.id(PICTURES), **at)
    return {row.resource_id: row.split_name for row in found}


def _assign(tour: Tour, split: str, *names: str) -> None:
    tour.api.projects.assign_splits(project=tour.id(PICTURES), resources=tour.ids(*names), split_name=split)


@step()
def assign(tour: Tour) -> None:
    _assign(tour, "train", "png", "deep")
    _assign(tour, "val", "jpeg")
    wanted = {tour.id("png"): "train", tour.id("deep"): "train", tour.id("jpeg"): "val"}
    agree(_splits(tour), wanted)
    rows = tour.api.projects.get_splits(project=tour.id(PICTURES))
    tour.notes["first splits"] = {"instant": max(row.created_at for row in rows), "splits": wanted}


@step()
def of_one_resource(tour: Tour) -> None:
    api, project = tour.api.projects, tour.id(PICTURES)
    agree(api.get_resource_split(project=project, resource=tour.id("jpeg")).split_name, "val")
    agree(api.get_resource_split(project=project, resource=tour.id("second jpeg")), None)
    agree(set(_splits(tour, split_name="train")), set(tour.ids("png", "deep")))


@step()
def change_and_replay(tour: Tour) -> None:
    _assign(tour, "test", "png", "second jpeg")
    first = tour.notes["first splits"]
    agree(_splits(tour, as_of_timestamp=first["instant"]), first["splits"])
    now = _splits(tour)
    agree((now[tour.id("png")], now[tour.id("second jpeg")]), ("test", "test"))
    tour.notes["second splits"] = now


@step("after")
def replay_after_the_kill(tour: Tour) -> None:
    first = tour.notes["first splits"]
    agree(_splits(tour, as_of_timestamp=first["instant"]), first["splits"])
    agree(_splits(tour), tour.notes["second splits"])
