"""Errors: the client raises what it should."""

from __future__ import annotations

import os
import uuid
from typing import Any

from tests.interop.tour.guide import ANA, KEY_OF_ANA, NEW, PICTURES, Tour, agree, raises, step

_NOBODY = str(uuid.UUID(int=7))


def _status(error: Any) -> int | None:
    """The HTTP status behind an error, wherever the client keeps it."""
    seen: BaseException | None = error
    while seen is not None:
        response = getattr(seen, "response", None)
        status = getattr(seen, "status", None) or getattr(seen, "status_code", None)
        if response is not None or isinstance(status, int):
            return response.status_code if response is not None else status
        seen = seen.__cause__ or seen.__context__
    return None


@step("after")
def wrong_key(tour: Tour) -> None:
    import datamint
    from datamint.exceptions import DatamintException

    error = raises(DatamintException, lambda: datamint.Api(api_key="not-a-key"))
    agree(_status(error), 401)


@step("after")
def wrong_key_of_an_upload(tour: Tour) -> None:
    import datamint

    stranger = datamint.Api(api_key="not-a-key", check_connection=False)
    error = raises(Exception, lambda: stranger.resources.upload_resource(tour.file("chest.jpg")))
    agree(_status(error), 401)


@step("after")
def unknown_ids(tour: Tour) -> None:
    from datamint.exceptions import ItemNotFoundError

    api = tour.api
    for call in (
        lambda: api.projects.get_by_id(_NOBODY),
        lambda: api.projects.get_project_resources(_NOBODY),
        lambda: api.projects.delete(_NOBODY),
        lambda: api.projects.get_splits(project=_NOBODY),
        lambda: api.resources.get_by_id(_NOBODY),
        lambda: api.resources.download_resource_file(_NOBODY),
        lambda: api.resources.delete(_NOBODY),
        lambda: api.resources.publish_resources(_NOBODY),
        lambda: api.resources.set_tags([_NOBODY], ["x"]),
        lambda: api.annotations.get_by_id(_NOBODY),
        lambda: api.annotations.delete(_NOBODY),
        lambda: api.annotationsets.get_by_id(_NOBODY),
        lambda: api.annotationsets.get_segmentation_group(_NOBODY),
        lambda: api.users.get_by_email("nobody@lab.example"),
    ):
        raises(ItemNotFoundError, call)


@step("after")
def unknown_resource_of_a_mask(tour: Tour) -> None:
    from datamint.exceptions import ItemNotFoundError

    path = tour.file("chest_mask.png")
    raises(ItemNotFoundError, lambda: tour.api.annotations.upload_segmentations(_NOBODY, path, {"default": "lung"}))


@step("after")
def taken(tour: Tour) -> None:
    agree(_status(raises(Exception, lambda: tour.api.users.create(ANA))), 409)


@step("after")
def invalid(tour: Tour) -> None:
    wrong = {"type": "no such type", "identifier": "x", "scope": "image"}
    agree(_status(raises(Exception, lambda: tour.api.annotations.create(tour.id("png"), wrong))), 422)
    outside = tour.ids("spare")
    assign = lambda: tour.api.projects.assign_splits(  # noqa: E731
        project=tour.id(PICTURES), resources=outside, split_name="train"
    )
    agree(_status(raises(Exception, assign)), 422)


@step("after", clients=(NEW,))
def kinds_of_the_newer_client(tour: Tour) -> None:
    import datamint
    from datamint.exceptions import AuthenticationError, ValidationError

    stranger = datamint.Api(api_key="not-a-key", check_connection=False)
    raises(AuthenticationError, stranger.projects.get_list)
    wrong = {"type": "no such type", "identifier": "x", "scope": "image"}
    raises(ValidationError, lambda: tour.api.annotations.create(tour.id("png"), wrong))


@step("after", clients=(NEW,))
def not_allowed(tour: Tour) -> None:
    import datamint
    from datamint.exceptions import PermissionDeniedError

    ana = datamint.Api(api_key=os.environ[KEY_OF_ANA])
    agree({each.name for each in ana.projects.get_list()}, {PICTURES, "Reading room"})
    raises(PermissionDeniedError, lambda: ana.projects.delete(tour.id(PICTURES)))
    raises(PermissionDeniedError, lambda: ana.users.create("eve@lab.example"))
