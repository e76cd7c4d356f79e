"""The promises of `Backend`, as tests. A subclass gives a fixture `backend` with an empty store."""

# ruff: noqa: D102 -- the names of tests are sentences

from __future__ import annotations

import pickle

import pytest

from datamint_like.backends.base import Backend
from datamint_like.testing._annotation_promises import AnnotationPromises
from datamint_like.testing._argument_promises import ArgumentPromises
from datamint_like.testing._bulk_promises import BulkPromises
from datamint_like.testing._change_promises import ChangePromises
from datamint_like.testing._once_promises import OncePromises
from datamint_like.testing._project_promises import ProjectPromises
from datamint_like.testing._resource_promises import ResourcePromises
from datamint_like.testing._revision_promises import RevisionPromises
from datamint_like.testing._split_promises import SplitPromises


class BackendKit(
    ProjectPromises,
    ResourcePromises,
    AnnotationPromises,
    OncePromises,
    BulkPromises,
    SplitPromises,
    RevisionPromises,
    ChangePromises,
    ArgumentPromises,
):
    """All the promises; inherit and give the fixture `backend`."""

    @pytest.fixture
    def backend(self) -> Backend:
        """An empty store."""
        raise NotImplementedError("A subclass of BackendKit gives a fixture named 'backend' with an empty store.")

    def test_a_pickled_backend_is_small_and_opens_the_same_store(self, backend: Backend) -> None:
        pickled = pickle.dumps(backend)
        other: Backend = pickle.loads(pickled)
        assert len(pickled) < 1000
        assert other.url == backend.url
        assert other.current_user() == backend.current_user()
        other.close()

    def test_a_closed_backend_opens_again_when_used(self, backend: Backend) -> None:
        backend.close()
        assert backend.list_projects() == []

    def test_the_current_user_is_one_of_the_users(self, backend: Backend) -> None:
        assert backend.current_user() in backend.list_users()
        assert backend.get_user(backend.current_user().email) == backend.current_user()
