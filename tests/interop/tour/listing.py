"""Resources: listed by what they are, tagged, published, deleted, brought back."""

from __future__ import annotations

from typing import Any

from tests.interop.tour.guide import NEW, OLD, PICTURES, VOLUMES, Tour, agree, step


def _listed(tour: Tour, **wanted: Any) -> set[str]:
    return {each.id for each in tour.api.resources.get_list(**wanted)}


@step("after")
def by_status(tour: Tour) -> None:
    agree(tour.id("spare") in _listed(tour, status="inbox"), True)
    agree(tour.id("png") in _listed(tour, status="inbox"), False)
    agree(set(tour.ids("png", "nifti", "video")) <= _listed(tour, status="published"), True)


@step("after")
def by_what_they_are(tour: Tour) -> None:
    agree(_listed(tour, mimetype="video/mp4"), {tour.id("video")})
    agree(_listed(tour, modality="CR"), {tour.id("png")})
    agree(_listed(tour, filename="brain.nii"), {tour.id("nifti")})
    agree(_listed(tour, channel="ward 7"), {tour.id("png")})
    agree(_listed(tour, tags=["frontal"]), set(tour.ids("png", "jpeg")))
    agree(_listed(tour, project_name=PICTURES), set(tour.ids("png", "jpeg", "deep", "second jpeg")))
    agree(_listed(tour, project_name=[PICTURES, VOLUMES]), set(), "in both projects")


@step("after")
def in_order(tour: Tour) -> None:
    everything = tour.api.resources.get_list(order_field="created_at", order_ascending=True)
    names = [each.created_at for each in everything]
    agree(names, sorted(names))
    agree(
        [each.id for each in tour.api.resources.get_list(limit=2, order_field="created_at", order_ascending=True)],
        [each.id for each in everything[:2]],
    )
    agree(everything[0].id, tour.id("png"))


@step("after")
def by_day(tour: Tour) -> None:
    agree(_listed(tour, from_date="2999-01-01"), set())
    agree(tour.id("png") in _listed(tour, from_date="2000-01-01", to_date="2999-01-01"), True)


@step("after")
def of_a_project(tour: Tour) -> None:
    found = tour.project(PICTURES).fetch_resources()
    agree([each.id for each in found], tour.ids("png", "jpeg", "deep", "second jpeg"))
    agree(tour.project(PICTURES).resource_count, 4)


@step("after")
def tags(tour: Tour) -> None:
    api = tour.api.resources
    api.set_tags(tour.resource("jpeg"), ["one"])
    api.add_tags(tour.id("jpeg"), ["two"])
    agree(set(tour.resource("jpeg").tags), {"one", "two"})
    api.set_tags([tour.resource("jpeg"), tour.resource("deep")], ["both"])
    agree((tour.resource("jpeg").tags, tour.resource("deep").tags), (["both"], ["both"]))


@step("after")
def publish(tour: Tour) -> None:
    tour.api.resources.publish_resources(tour.id("spare"))
    agree(tour.resource("spare").status, "published")
    tour.api.resources.bulk_publish(tour.ids("spare", "anonymized"))
    agree(tour.resource("anonymized").status, "published")


@step("after")
def add_to_a_project(tour: Tour) -> None:
    tour.api.projects.add_resources(project=VOLUMES, resources=[tour.resource("anonymized")])
    agree(tour.project(VOLUMES).fetch_resources()[-1].id, tour.id("anonymized"))


@step("after")
def delete(tour: Tour) -> None:
    tour.api.resources.delete(tour.id("spare"))
    tour.api.resources.bulk_delete(tour.ids("anonymized"))
    agree(_listed(tour) & set(tour.ids("spare", "anonymized")), set())


@step("after", clients=(NEW,))
def restore(tour: Tour) -> None:
    api = tour.api.resources
    agree({each.id for each in api.get_deleted()}, set(tour.ids("spare", "anonymized")))
    agree(api.restore(tour.id("spare")).deleted, False)
    answer = api.bulk_restore(tour.ids("spare", "anonymized"))
    agree(answer, {"restored": tour.ids("anonymized"), "skipped": [{"id": tour.id("spare"), "reason": "not_deleted"}]})
    agree(set(tour.ids("spare", "anonymized")) <= _listed(tour), True)


@step("after", clients=(OLD,))
def channels_of_the_older_client(tour: Tour) -> None:
    found = {each.channel_name: each for each in tour.api.channels.get_list()}
    agree([row.resource_id for row in found["ward 7"].resource_data], tour.ids("png"))


@step("after", clients=(NEW,))
def channels(tour: Tour) -> None:
    (found,) = tour.api.resources.list_channels(channel_name="ward 7")
    agree([row.resource_id for row in found.resource_data], tour.ids("png"))


@step("after")
def not_annotated(tour: Tour) -> None:
    found = {each.id for each in tour.api.resources.get_not_annotated(status="published")}
    agree(tour.id("second jpeg") in found, True)
    agree(tour.id("png") in found, False)
