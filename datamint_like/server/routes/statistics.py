"""Statistics of the work in projects and worklists, reviews of it, and annotations as a table."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

import msgspec
from starlette.responses import StreamingResponse

from datamint_like.backends.base import AnnotationQuery
from datamint_like.entities import Annotation, AnnotationWorklist
from datamint_like.exceptions import ItemNotFoundError, ValidationError
from datamint_like.server import progress
from datamint_like.server.access import OWNS_PROJECT, READS_PROJECT, READS_WORKLIST
from datamint_like.server.call import Call
from datamint_like.server.exports import CSV, table
from datamint_like.server.routing import Route

_RESOURCES_AT_ONCE = 500
_ROWS_AT_ONCE = 5000


class Of(msgspec.Struct, frozen=True):
    """Of one annotator."""

    email: str | None = None


class Reviews(msgspec.Struct, frozen=True):
    """Which reviews."""

    annotator: str | None = None
    resource_id: str | None = msgspec.field(default=None, name="resourceId")
    statuses: tuple[str, ...] = ()


class Export(msgspec.Struct, frozen=True):
    """Which annotations, and as what; several names may come in one text, between commas."""

    format: str = "csv"
    from_date: str | None = msgspec.field(default=None, name="from")
    to_date: str | None = msgspec.field(default=None, name="to")
    annotators: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()

    def has(self, annotation: Annotation) -> bool:
        """Whether this annotation is asked for."""
        authors, identifiers = _split(self.annotators), _split(self.annotations)
        wanted = not authors or annotation.created_by in authors or annotation.created_by_model in authors
        return wanted and (not identifiers or annotation.identifier in identifiers)


def _split(names: tuple[str, ...]) -> set[str]:
    return {*names, *(part.strip() for name in names for part in name.split(","))}


def project_annotators(call: Call) -> Any:
    """Of each annotator how far they are."""
    project_id = call.path["project_id"]
    members = [each.user_id for each in call.administration.list_members(project_id)]
    found = progress.of_annotators(
        members,
        call.store.list_work_statuses(project_id),
        call.administration.tallies_of_project(project_id),
        call.store.get_project(project_id).resource_count,
    )
    return [each for each in found if call.query.email in (None, each["email"])]


def project_annotator(call: Call) -> Any:
    """How far one annotator is."""
    project_id = call.path["project_id"]
    return progress.of_annotator(
        call.path["email"],
        call.store.list_work_statuses(project_id),
        call.administration.tallies_of_project(project_id),
        call.store.get_project(project_id).resource_count,
    )


def project_annotations(call: Call) -> Any:
    """How often what was said."""
    tallies = call.administration.tallies_of_project(call.path["project_id"])
    return {
        "total": sum(each.total for each in tallies),
        "types": progress.of_types(tallies),
        "identifiers": progress.of_identifiers(tallies),
    }


def files_matrix(call: Call) -> Any:
    """Of each resource and annotator the state of work, and how much was said."""
    project_id = call.path["project_id"]
    states: dict[str, dict[str, str]] = {}
    for status in call.store.list_work_statuses(project_id):
        states.setdefault(status.resource_id, {})[status.user_id or ""] = status.status
    said: dict[str, dict[str, int]] = {}
    for each in call.administration.tallies_of_project(project_id):
        of_resource = said.setdefault(each.resource_id, {})
        of_resource[each.author or ""] = of_resource.get(each.author or "", 0) + each.total
    emails = {email for of_resource in states.values() for email in of_resource}
    emails |= {email for of_resource in said.values() for email in of_resource}
    return {
        "annotators": sorted(emails),
        "resources": [
            {
                "resource_id": resource.id,
                "filename": resource.filename,
                "statuses": states.get(resource.id, {}),
                "annotations": said.get(resource.id, {}),
            }
            for resource in call.store.list_project_resources(project_id)
        ],
    }


def review_messages(call: Call) -> Any:
    """What reviewers said, oldest first."""
    asked: Reviews = call.query
    project_id = call.path["project_id"]
    return call.administration.list_review_messages(
        project_id, asked.annotator, asked.resource_id, sorted(_split(asked.statuses))
    )


def reset_status(call: Call) -> Any:
    """Forget how far an annotator's work on a resource is."""
    path = call.path
    call.administration.reset_work_status(path["project_id"], path["resource_id"], path["email"])
    return {}


def project_table(call: Call) -> Any:
    """The annotations of the project's resources, in dataset order."""
    asked = _checked(call.query)
    ids = [each.id for each in call.store.list_project_resources(call.path["project_id"])]

    def batches() -> Iterator[list[Annotation]]:
        for start in range(0, len(ids), _RESOURCES_AT_ONCE):
            some = ids[start : start + _RESOURCES_AT_ONCE]
            found = call.store.list_annotations(
                AnnotationQuery(tuple(some), from_date=asked.from_date, to_date=asked.to_date)
            )
            order = {resource_id: place for place, resource_id in enumerate(some)}
            yield sorted(filter(asked.has, found), key=lambda each: order[each.resource_id])

    return _streamed(batches())


def worklist_annotators(call: Call) -> Any:
    """Of each annotator how far they are."""
    worklist = call.store.get_worklist(call.path["worklist_id"])
    emails = [each.email for each in worklist.annotators]
    found = progress.of_annotators(emails, *_work_of(call, worklist))
    return [each for each in found if call.query.email in (None, each["email"])]


def worklist_annotator(call: Call) -> Any:
    """An annotator's part in the worklist, and how far they are."""
    worklist, email = call.store.get_worklist(call.path["worklist_id"]), call.path["email"]
    part = next((each for each in worklist.annotators if each.email == email), None)
    if part is None:
        raise ItemNotFoundError(f"Annotator {email} not found in worklist {worklist.id}.")
    expertise = part.expertise_level or "trained"
    done = progress.of_annotator(email, *_work_of(call, worklist))
    return {**done, "status": part.status, "expertise_level": expertise}


def worklist_annotations(call: Call) -> Any:
    """How often what was said in the worklist."""
    return progress.of_identifiers(call.administration.tallies_of_worklist(call.path["worklist_id"]))


def worklist_table(call: Call) -> Any:
    """The annotations that were made in the worklist, by time."""
    asked = _checked(call.query)
    worklist_id = call.store.get_worklist(call.path["worklist_id"]).id

    def batches() -> Iterator[list[Annotation]]:
        start, more = 0, True
        while more:
            query = AnnotationQuery(
                worklist_id=worklist_id,
                from_date=asked.from_date,
                to_date=asked.to_date,
                offset=start,
                limit=_ROWS_AT_ONCE,
            )
            found = call.store.list_annotations(query)
            yield [each for each in found if asked.has(each)]
            start, more = start + len(found), len(found) == _ROWS_AT_ONCE

    return _streamed(batches())


def _work_of(call: Call, worklist: AnnotationWorklist) -> tuple[Any, Any, int]:
    """States of work, what was said, and the number of resources of a worklist (its project's, where it names none)."""
    tallies = call.administration.tallies_of_worklist(worklist.id)
    if worklist.project_id is None:
        return [], tallies, len(worklist.resource_ids)
    statuses = call.store.list_work_statuses(worklist.project_id)
    if not worklist.resource_ids:
        return statuses, tallies, call.store.get_project(worklist.project_id).resource_count
    here = [each for each in statuses if each.resource_id in worklist.resource_ids]
    return here, tallies, len(worklist.resource_ids)


def _checked(asked: Export) -> Export:
    """What is asked for, which can be made.

    Raises:
        ItemNotFoundError: Not as a workbook.
        ValidationError: Not in an unknown form.
    """
    if asked.format in ("xlsx", "excel"):
        raise ItemNotFoundError("Workbooks are not served (not found); ask for format=csv, which spreadsheets open.")
    if asked.format != "csv":
        raise ValidationError(f"Annotations are exported with format=csv, not {asked.format!r:.80}.")
    return asked


def _streamed(batches: Iterator[list[Annotation]]) -> StreamingResponse:
    """The batches as CSV; the first is read before the answer begins, so that an error is one."""
    headers = {"Content-Disposition": 'attachment; filename="annotations.csv"'}
    first = list(islice(batches, 1))
    return StreamingResponse(table(chain(first, batches)), media_type=CSV, headers=headers)


_P, _W = "/projects/{project_id}", "/annotationsets/{worklist_id}"
_RESET = _P + "/resources/{resource_id}/annotator/{email}/status-reset"
ROUTES = (
    Route("GET", _P + "/annotators-statistic", project_annotators, READS_PROJECT, "Work by annotator", query=Of),
    Route("GET", _P + "/users/{email}/status", project_annotator, READS_PROJECT, "One annotator's work"),
    Route("GET", _P + "/annotations-statistic", project_annotations, READS_PROJECT, "How often what was said"),
    Route("GET", _P + "/files-matrix-statistic", files_matrix, READS_PROJECT, "Work by resource and annotator"),
    Route("GET", _P + "/reviewmessages", review_messages, READS_PROJECT, "What reviewers said", query=Reviews),
    Route("DELETE", _RESET, reset_status, OWNS_PROJECT, "Forget how far an annotator is"),
    Route("GET", _P + "/download-annotations", project_table, READS_PROJECT, "Annotations as CSV", query=Export),
    Route("GET", _W + "/annotators-statistic", worklist_annotators, READS_WORKLIST, "Work by annotator", query=Of),
    Route("GET", _W + "/users/{email}", worklist_annotator, READS_WORKLIST, "One annotator's work"),
    Route("GET", _W + "/annotations-statistic", worklist_annotations, READS_WORKLIST, "How often what was said"),
    Route("GET", _W + "/download-annotations", worklist_table, READS_WORKLIST, "Annotations as CSV", query=Export),
)
