"""The published home of `Annotation`, which is an entity here."""

from datamint_like.entities import Annotation

__all__ = ["Annotation"]
