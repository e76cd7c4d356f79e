"""Work on a project: members, states, statistics, exports."""

from __future__ import annotations

import json

from tests.interop.tour.guide import ANA, BO, NEW, OLD, PICTURES, Tour, agree, step


@step()
def members(tour: Tour) -> None:
    api, project = tour.api.projects, tour.id(PICTURES)
    api.set_member(project=project, user_id=ANA, roles=["PROJECT_ANNOTATOR"])
    api.set_member(project=project, user_id=BO, roles=["PROJECT_REVIEWER"])
    found = {each["user_id"]: each["roles"] for each in api.get_members(project=project)}
    agree((found[ANA], found[BO]), (["PROJECT_ANNOTATOR"], ["PROJECT_REVIEWER"]))
    api.remove_member(project=project, user_id=BO)
    agree(BO in {each["user_id"] for each in api.get_members(project=project)}, False)


@step()
def statuses(tour: Tour) -> None:
    api, project = tour.api.projects, tour.id(PICTURES)
    for name, status in (("png", "annotated"), ("jpeg", "opened"), ("png", "closed")):
        api.set_work_status(project=project, resource=tour.id(name), status=status)
    latest = {row["resource_id"]: row["status"] for row in api.get_annotation_statuses(project=project)}
    agree((latest[tour.id("png")], latest[tour.id("jpeg")]), ("closed", "opened"))
    agree({row["status"] for row in api.get_annotation_statuses(project=project, status="opened")}, {"opened"})


@step()
def reset_status(tour: Tour) -> None:
    (me,) = {row["user_id"] for row in tour.api.projects.get_annotation_statuses(project=tour.id(PICTURES))}
    given = {"annotator" if tour.is_old else "annotator_email": me}
    tour.api.projects.reset_annotator_status(project=tour.id(PICTURES), resource=tour.id("jpeg"), **given)


@step()
def statistics(tour: Tour) -> None:
    api, project = tour.api.projects, tour.id(PICTURES)
    for found in (
        api.get_annotators_stats(project=project),
        api.get_annotations_stats(project=project),
        api.get_files_matrix_stats(project=project),
    ):
        agree(isinstance(found, list | dict), True)
    given = {"email" if tour.is_old else "annotator_email": ANA}
    agree(isinstance(api.get_annotator_status(project=project, **given), dict), True)
    agree(api.get_review_messages(project=project), [])


@step()
def export(tour: Tour) -> None:
    path = tour.scratch / "export.csv"
    tour.api.projects.download_annotations(project=tour.id(PICTURES), output_path=path, progress_bar=False)
    agree("benign" in path.read_text(), True)
    tour.api.projects.download_annotations(
        project=tour.id(PICTURES), output_path=path, annotators=[BO], annotations=["sharp"], progress_bar=False
    )
    agree(("sharp" in path.read_text(), "benign" in path.read_text()), (True, False))


@step(clients=(NEW,))
def in_a_worklist(tour: Tour) -> None:
    api, worklist, png = tour.api.annotationsets, tour.id("lesions"), tour.id("png")
    api.update_annotation_status(worklist, png, status="annotated")
    agree([row["status"] for row in api.get_annotation_statuses(worklist, resource=png)][-1], "annotated")
    for found in (
        api.get_annotations(worklist, png),
        api.get_segmentations(worklist, png),
        api.get_ai_segmentations(worklist, png),
        api.get_annotators_statistics(worklist),
        api.get_annotations_statistics(worklist),
    ):
        agree(isinstance(found, list), True)
    agree(isinstance(api.download_annotations(worklist), bytes), True)


@step(clients=(NEW,))
def masks_of_a_worklist(tour: Tour) -> None:
    api, worklist, png = tour.api.annotationsets, tour.id("lesions"), tour.id("png")
    payload = json.dumps([{"identifier": "lesion", "frame_index": 0, "width": 512, "height": 512}])
    with open(tour.file("chest_mask.png"), "rb") as image:
        api.upload_annotations(worklist, png, payload, [image])
    agree({row["identifier"] for row in api.get_segmentations(worklist, png)}, {"lesion"})
    for row in api.get_segmentations(worklist, png):
        tour.api.annotations.delete(row["id"])


@step(clients=(NEW,))
def review(tour: Tour) -> None:
    api, worklist, png = tour.api.annotationsets, tour.id("lesions"), tour.id("png")
    api.update_annotation_status(worklist, png, "revision_request", annotator_email=ANA, message="the left one, too")
    messages = tour.api.projects.get_review_messages(project=tour.id("Reading room"))
    agree(["the left one, too" in json.dumps(each) for each in messages], [True])


@step(clients=(OLD, NEW))
def models(tour: Tour) -> None:
    """A server without models says so, and the tour goes on."""
    try:
        agree(list(tour.api.projects.get_models(project=tour.id(PICTURES))), [])
    except Exception as error:  # noqa: BLE001 -- the clients differ in what they raise where there is no model server
        agree(type(error).__name__ in {"ItemNotFoundError", "ConnectError", "HTTPStatusError"}, True, repr(error))
