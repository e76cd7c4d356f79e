"""Errors about a resource's files, told with the resource they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from datamint_like.entities import Resource
from datamint_like.exceptions import DecodeError, GeometryError


@contextmanager
def about(resource: Resource) -> Iterator[None]:
    """A block whose errors about files name the resource first.

    Raises:
        DecodeError, GeometryError: The block raised one.
    """
    try:
        yield
    except (DecodeError, GeometryError) as error:
        raise type(error)(f"Resource {resource.id} ({resource.filename}): {error}") from error
