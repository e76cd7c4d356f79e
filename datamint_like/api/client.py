"""`Api`: one handle on one store, with the calls grouped by what they are about."""

from __future__ import annotations

import os
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from datamint_like.api.annotations import AnnotationsApi
from datamint_like.api.annotationsets import AnnotationSetsApi
from datamint_like.api.projects import ProjectsApi
from datamint_like.api.resources import ResourcesApi
from datamint_like.api.users import UsersApi
from datamint_like.backends._urls import is_server, store_url, without_user_info
from datamint_like.backends.base import Backend
from datamint_like.config import load_settings
from datamint_like.exceptions import ValidationError


class Api:
    """A handle on one store; with no arguments, on the embedded store of this machine.

    The store is `server_url`, else the environment, else the config file, else the embedded store in
    `DATAMINT_LIKE_HOME`. It is opened when it is first used. A pickled `Api` carries the URL and never the key:
    the process that loads it takes the key from its own settings.

    Args:
        server_url: `file:///folder` of an embedded store, or the address of a server (`https://lab.example`).
        api_key: Key for a server; None is that of the settings. An embedded store needs none.
        check_connection: Open the store at once, so that a wrong address fails here.

    Raises:
        ValidationError: `server_url` is no text, an empty one, or an address with a password in it.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder, Api(server_url=Path(folder).as_uri()) as api:
        ...     project = api.projects.create("liver-ct", "CT of the liver")
        ...     [found.name for found in api.projects.get_list()]
        ['liver-ct']
    """

    def __init__(
        self, server_url: str | None = None, api_key: str | None = None, *, check_connection: bool = False
    ) -> None:
        self.server_url = _named(load_settings().store_url if server_url is None else server_url)
        self._api_key = api_key or None  # that of the settings is read by whoever opens a connection
        if check_connection:
            self.check_connection()

    def __repr__(self) -> str:
        return f"Api({without_user_info(self.server_url)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Api, (self.server_url,)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @cached_property
    def backend(self) -> Backend:
        """The store itself, opened on first use.

        Example:
            >>> api.backend.current_user().email
            'root@localhost'
        """
        from datamint_like.backends import open_backend

        return open_backend(self.server_url, api_key=self._api_key)

    def check_connection(self) -> None:
        """Ask the store for its time, so that a wrong address or key is known now.

        Example:
            >>> api.check_connection()
        """
        self.backend.now()

    def close(self) -> None:
        """Release the store's files or connections; the next call opens it again.

        Example:
            >>> api = Api()
            >>> api.close()
            >>> api.projects.get_by_name("chest").name  # opens it again
            'chest'
        """
        backend = self.__dict__.pop("backend", None)
        if backend is not None:
            backend.close()

    @cached_property
    def projects(self) -> ProjectsApi:
        """Projects: create, find, fill, split.

        Example:
            >>> [project.name for project in api.projects.get_list()]
            ['demo', 'head-ct', 'chest', 'echo']
        """
        return ProjectsApi(self)

    @cached_property
    def resources(self) -> ResourcesApi:
        """Resources: upload, find, download, tag.

        Example:
            >>> [resource.filename for resource in api.resources.get_list(modality="US")]
            ['examples_ybr_color.dcm']
        """
        return ResourcesApi(self)

    @cached_property
    def annotations(self) -> AnnotationsApi:
        """Annotations: masks, labels, categories, numbers, text, geometry.

        Example:
            >>> [each.identifier for each in api.annotations.get_list(xray, "segmentation")]
            ['lung']
        """
        return AnnotationsApi(self)

    @cached_property
    def annotationsets(self) -> AnnotationSetsApi:
        """Worklists: which labels, categories and masks annotators may give.

        Example:
            >>> [worklist.name for worklist in api.annotationsets.get_by_project("chest")]
            ['Default']
        """
        return AnnotationSetsApi(self)

    @property
    def annotationworklists(self) -> AnnotationSetsApi:
        """The worklists, under their other name.

        Example:
            >>> api.annotationworklists is api.annotationsets
            True
        """
        return self.annotationsets

    @cached_property
    def users(self) -> UsersApi:
        """Users of the store.

        Example:
            >>> api.users.get_current().email
            'root@localhost'
        """
        return UsersApi(self)


def _named(server_url: Any) -> str:
    """The store that an argument names: a text, or a path; an empty one is a variable that was never set."""
    text = os.fspath(server_url) if isinstance(server_url, str | os.PathLike) else None
    if not isinstance(text, str) or not text.strip():
        raise ValidationError(
            f"{server_url!r:.80} names no store: give a folder, or a URL such as file:///data/store; "
            "None is the store of the settings."
        )
    return store_url(text) if is_server(text) else text
