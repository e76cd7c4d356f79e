"""Errors about a resource's files, told with the resource they belong to."""

from __future__ import annotations

from types import TracebackType

from datamint_like.entities import Resource
from datamint_like.exceptions import DecodeError, GeometryError


class about:  # noqa: N801 (read as a statement; no generator, since every item of a dataset enters one)
    """A block whose errors about files name the resource first.

    Raises:
        DecodeError, GeometryError: The block raised one.
    """

    __slots__ = ("_resource",)

    def __init__(self, resource: Resource) -> None:
        """Errors of the block are about this resource."""
        self._resource = resource

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, (DecodeError, GeometryError)):
            resource = self._resource
            raise type(error)(f"Resource {resource.id} ({resource.filename}): {error}") from error
