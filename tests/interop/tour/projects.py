"""Projects: making, finding, archiving, bringing back."""

from __future__ import annotations

from tests.interop.tour.guide import NEW, PICTURES, VIDEOS, VOLUMES, Tour, agree, raises, step


@step()
def create(tour: Tour) -> None:
    made = tour.note(PICTURES, tour.api.projects.create(PICTURES, "Radiographs"))
    agree((made.name, made.description, made.archived, made.resource_count), (PICTURES, "Radiographs", False, 0))
    for name in (VOLUMES, VIDEOS):
        tour.note(name, tour.api.projects.create(name, "", return_entity=False))


@step()
def exists_ok(tour: Tour) -> None:
    again = tour.api.projects.create(PICTURES, "other words", exists_ok=True)
    agree((again.id, again.description), (tour.id(PICTURES), "Radiographs"))


@step()
def taken_name(tour: Tour) -> None:
    from datamint.exceptions import EntityAlreadyExistsError

    raises(EntityAlreadyExistsError, lambda: tour.api.projects.create(PICTURES, ""))


@step()
def get_by_name(tour: Tour) -> None:
    agree(tour.api.projects.get_by_name(PICTURES).id, tour.id(PICTURES))
    agree(tour.api.projects.get_by_name("No such project"), None)


@step()
def get_list(tour: Tour) -> None:
    agree({each.name for each in tour.api.projects.get_list()}, {PICTURES, VOLUMES, VIDEOS})
    agree(len(tour.api.projects.get_list(limit=2)), 2)


@step()
def patch(tour: Tour) -> None:
    tour.api.projects.patch(tour.id(VOLUMES), {"description": "CT and MR"})
    agree(tour.project(VOLUMES).description, "CT and MR")


@step()
def archive(tour: Tour) -> None:
    made = tour.note("Archived", tour.api.projects.create("Archived", ""))
    tour.api.projects.delete(made)
    agree("Archived" in {each.name for each in tour.api.projects.get_list()}, False)
    agree({each.name for each in tour.api.projects.get_all() if each.archived}, {"Archived"})


@step(clients=(NEW,))
def restore(tour: Tour) -> None:
    made = tour.api.projects.create("Restored", "")
    tour.api.projects.delete(made)
    agree({each.name for each in tour.api.projects.get_deleted()}, {"Archived", "Restored"})
    agree(tour.api.projects.restore(made).archived, False)
    agree("Restored" in {each.name for each in tour.api.projects.get_list()}, True)


@step(clients=(NEW,))
def pinned_metrics(tour: Tour) -> None:
    """They belong to Datamint's pages of models: taken, and not kept."""
    tour.api.projects.set_pinned_metrics(["val/dice"], project=tour.id(PICTURES))
    agree(tour.api.projects.get_pinned_metrics(project=tour.id(PICTURES)), [])
