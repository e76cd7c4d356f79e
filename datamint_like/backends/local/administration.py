"""What only a server needs of a store: keys, members, what a user may do, and calls of Datamint's protocol alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from datamint_like.backends.base import AnnotationQuery, NewAnnotation
from datamint_like.backends.local import (
    annotation_rows,
    frame_tracks,
    keys,
    members,
    projects,
    reviews,
    tallies,
    users,
    worklists,
)
from datamint_like.backends.local.database import Database
from datamint_like.backends.local.frame_tracks import Track
from datamint_like.backends.local.members import Level
from datamint_like.backends.local.storing import Storing
from datamint_like.entities import (
    Annotation,
    AnnotationTally,
    AnnotationWorklist,
    ApiKey,
    Member,
    ReviewMessage,
    User,
)


class Administration:
    """Keys, members and more of a store: one call, one transaction."""

    def __init__(self, database: Database, storing: Storing) -> None:
        self._database = database
        self._storing = storing

    # keys

    def create_key(self, email: str, label: str = "") -> tuple[ApiKey, str]:
        """A new key of a user, and its text, which is known now and never again."""
        with self._database.write() as write:
            return keys.create(write, email, label)

    def adopt_key(self, key: str, email: str, label: str) -> ApiKey:
        """Make a text that the operator chose a key of a user."""
        with self._database.write() as write:
            return keys.adopt(write, key, email, label)

    def holder_of(self, key: str) -> tuple[User, str] | None:
        """The user whose key this is, and the key's public prefix; None for any other text."""
        with self._database.read() as read:
            return keys.holder(read, key)

    def list_keys(self) -> list[ApiKey]:
        """All keys, revoked ones too."""
        with self._database.read() as read:
            return keys.listing(read)

    def revoke_key(self, prefix: str) -> ApiKey:
        """End a key, now."""
        with self._database.write() as write:
            return keys.revoke(write, prefix)

    # members

    def list_members(self, project_id: str) -> list[Member]:
        """The members of a project, by time of joining."""
        with self._database.read() as read:
            return members.listing(read, project_id)

    def put_member(
        self, project_id: str, user_id: str, roles: Sequence[str], expertise_level: str | None = None
    ) -> None:
        """Make a user a member with these roles, or give a member these instead."""
        with self._database.write() as write:
            members.put(write, project_id, user_id, roles, expertise_level)

    def remove_member(self, project_id: str, user_id: str) -> None:
        """Take a user out of a project."""
        with self._database.write() as write:
            members.remove(write, project_id, user_id)

    # what a user may do

    def level_in_project(self, email: str, project_id: str) -> Level:
        """What a user may do in a project."""
        with self._database.read() as read:
            return members.level_in_project(read, email, project_id)

    def levels_of_resources(self, email: str, resource_ids: Sequence[str]) -> dict[str, Level]:
        """What a user may do with each of these resources; unknown ids are left out."""
        with self._database.read() as read:
            return members.levels_of_resources(read, email, resource_ids)

    def resources_of_annotations(self, annotation_ids: Sequence[str]) -> dict[str, tuple[str, str | None]]:
        """For each of these annotations its resource and its author; unknown ids are left out."""
        with self._database.read() as read:
            return annotation_rows.owners(read, annotation_ids)

    def project_of_worklist(self, worklist_id: str) -> str | None:
        """The project that a worklist belongs to, if any."""
        with self._database.read() as read:
            return worklists.get(read, worklist_id).project_id

    # annotations

    def annotate(
        self, new: Mapping[str, Sequence[NewAnnotation]], *, files_come_later: bool = False
    ) -> list[Annotation]:
        """Store annotations of several resources, by resource id: all of them, or none.

        Args:
            new: For each resource what is said of it.
            files_come_later: Whether segmentations may come without their files. They wait for `attach_file`, and are
                in no listing and no dataset until then; after a day `sweep` removes them.
        """
        return self._storing.annotations_of(new, files_come_later=files_come_later)

    def attach_file(self, annotation_id: str, payload: bytes, filename: str | None = None) -> Annotation:
        """Give a segmentation the file that it waits for."""
        return self._storing.file(annotation_id, payload, filename)

    def count_annotations(self, query: AnnotationQuery) -> int:
        """How many annotations `query` asks for, on all its pages."""
        with self._database.read() as read:
            return annotation_rows.count(read, query)

    def replace_track(self, track: Track, new: Sequence[NewAnnotation]) -> tuple[list[Annotation], list[Annotation]]:
        """Make a track of frames hold what `new` says and nothing else; what was added, and what was deleted."""
        rows = self._storing.rows_of(track.resource_id, new)
        with self._database.write() as write:
            return frame_tracks.replace(write, track, rows)

    def tallies_of_project(self, project_id: str) -> list[AnnotationTally]:
        """How much was said of the resources of a project, by author, type and identifier."""
        with self._database.read() as read:
            return tallies.of_project(read, project_id)

    def tallies_of_worklist(self, worklist_id: str) -> list[AnnotationTally]:
        """How much was said in a worklist, by author, type and identifier."""
        with self._database.read() as read:
            return tallies.of_worklist(read, worklist_id)

    # work and its review

    def set_work_status(
        self, project_id: str, resource_id: str, annotator: str, status: str, message: str | None = None
    ) -> None:
        """Say how far an annotator's work on a resource is, or give the verdict of a review."""
        with self._database.write() as write:
            users.get(write, annotator)
            reviews.set_status(write, project_id, resource_id, annotator, status, message)

    def reset_work_status(
        self, project_id: str, resource_id: str, annotator: str, *, worklist_id: str | None = None
    ) -> None:
        """Forget how far an annotator's work on a resource is, and delete what they said of it in a worklist."""
        with self._database.write() as write:
            projects.reset_work_status(write, project_id, resource_id, annotator)
            if worklist_id is not None:
                annotation_rows.delete(write, annotation_rows.said_in(write, worklist_id, resource_id, annotator))

    def list_review_messages(
        self,
        project_id: str,
        annotator: str | None = None,
        resource_id: str | None = None,
        statuses: Sequence[str] = (),
    ) -> list[ReviewMessage]:
        """Reviews of the work in a project, oldest first."""
        with self._database.read() as read:
            return reviews.listing(read, project_id, annotator, resource_id, statuses)

    # worklists and users

    def change_worklist(
        self, worklist_id: str, change: Callable[[AnnotationWorklist], Mapping[str, Any]]
    ) -> AnnotationWorklist:
        """The worklist after `change` said, from what it is, which fields to replace; nothing comes in between."""
        with self._database.write() as write:
            return worklists.update(write, worklist_id, change(worklists.get(write, worklist_id)))

    def invite(self, user: User, project_id: str | None, roles: Sequence[str]) -> User:
        """Add a user, unless there is one of this e-mail, and make them a member of a project where one is named."""
        with self._database.write() as write:
            found = users.find(write, user.email) or users.create(write, user)
            if project_id is not None:
                members.put(write, project_id, found.email, roles)
            return found
