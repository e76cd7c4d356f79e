"""What every backend promises of split assignments and their history."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from datamint_like.backends.base import Backend
from datamint_like.exceptions import ValidationError
from datamint_like.testing.samples import project_of, upload


def held(backend: Backend, project_id: str, as_of: str | None = None) -> dict[str, str]:
    """Resource id -> split name, now or at an instant."""
    rows = backend.list_splits(project_id, as_of=as_of)
    assert len({row.resource_id for row in rows}) == len(rows)
    return {row.resource_id: row.split_name for row in rows}


class SplitPromises:
    """One live assignment a resource, and a history that replays to the microsecond."""

    def test_assigning_again_closes_the_old_row_and_history_replays(self, backend: Backend) -> None:
        first, second = upload(backend), upload(backend)
        project = project_of(backend, first, second)
        instants = [backend.now()]
        for ids, split in (([first.id, second.id], "train"), ([second.id], "val"), ([first.id], "val")):
            backend.assign_split(project.id, ids, split)
            instants.append(backend.now())
        assert [held(backend, project.id, instant) for instant in instants] == [
            {},
            {first.id: "train", second.id: "train"},
            {first.id: "train", second.id: "val"},
            {first.id: "val", second.id: "val"},
        ]
        assert held(backend, project.id) == held(backend, project.id, instants[-1])
        assert [row.resource_id for row in backend.list_splits(project.id, split_name="train")] == []

    def test_replay_is_exact_at_the_microsecond_of_a_change(self, backend: Backend) -> None:
        resource = upload(backend)
        project = project_of(backend, resource)
        backend.assign_split(project.id, [resource.id], "train")
        backend.assign_split(project.id, [resource.id], "val")
        (row,) = backend.list_splits(project.id)
        moment = datetime.fromisoformat(row.created_at)
        before = (moment - timedelta(microseconds=1)).isoformat()
        assert held(backend, project.id, before) == {resource.id: "train"}
        assert held(backend, project.id, row.created_at) == {resource.id: "val"}

    def test_several_splits_are_assigned_at_one_instant_that_is_told(self, backend: Backend) -> None:
        first, second, third = upload(backend), upload(backend), upload(backend)
        project = project_of(backend, first, second, third)
        backend.assign_split(project.id, [first.id, second.id], "train")
        before = backend.now()
        instant = backend.assign_splits(project.id, {first.id: "val", second.id: None, third.id: "train"})
        after = {first.id: "val", third.id: "train"}
        assert held(backend, project.id) == held(backend, project.id, instant) == after
        assert held(backend, project.id, before) == {first.id: "train", second.id: "train"}
        assert len({row.created_at for row in backend.list_splits(project.id)}) == 1
        again = backend.assign_splits(project.id, {first.id: "val", second.id: None})
        assert held(backend, project.id, again) == after
        assert {row.created_at for row in backend.list_splits(project.id)} == {instant}

    def test_of_several_splits_all_or_none_are_assigned(self, backend: Backend) -> None:
        inside, outside = upload(backend), upload(backend)
        project = project_of(backend, inside)
        for names in ({inside.id: "train", outside.id: "val"}, {inside.id: " "}):
            with pytest.raises(ValidationError):
                backend.assign_splits(project.id, names)
        assert backend.list_splits(project.id) == []

    def test_instants_may_be_written_with_z_offset_or_neither(self, backend: Backend) -> None:
        resource = upload(backend)
        project = project_of(backend, resource)
        backend.assign_split(project.id, [resource.id], "train")
        (row,) = backend.list_splits(project.id)
        there = datetime.fromisoformat(row.created_at).astimezone(timezone(timedelta(hours=-5, minutes=-30)))
        for text in (row.created_at, row.created_at.removesuffix("Z"), there.isoformat()):
            assert held(backend, project.id, text) == {resource.id: "train"}

    @pytest.mark.parametrize("stamp", ["", "yesterday", "2026-13-01", "12"])
    def test_a_stamp_that_is_none_is_refused(self, backend: Backend, stamp: str) -> None:
        with pytest.raises(ValidationError, match="time stamp"):
            backend.list_splits(project_of(backend).id, as_of=stamp)

    def test_a_resource_outside_the_project_is_refused_and_nothing_assigned(self, backend: Backend) -> None:
        inside, outside = upload(backend), upload(backend)
        project = project_of(backend, inside)
        with pytest.raises(ValidationError, match=outside.id):
            backend.assign_split(project.id, [inside.id, outside.id], "train")
        assert backend.list_splits(project.id) == []

    def test_a_split_needs_a_name(self, backend: Backend) -> None:
        resource = upload(backend)
        with pytest.raises(ValidationError):
            backend.assign_split(project_of(backend, resource).id, [resource.id], " ")

    def test_splits_of_two_projects_do_not_meet(self, backend: Backend) -> None:
        resource = upload(backend)
        one, two = project_of(backend, resource, name="1"), project_of(backend, resource, name="2")
        backend.assign_split(one.id, [resource.id], "train")
        backend.assign_split(two.id, [resource.id], "val")
        assert held(backend, one.id) == {resource.id: "train"}
        assert held(backend, two.id) == {resource.id: "val"}
