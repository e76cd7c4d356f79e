"""The user's handle on a store: `Api().projects`, `.resources`, `.annotations`, `.annotationsets`, `.users`."""

from datamint_like.api.client import Api

__all__ = ["Api"]
