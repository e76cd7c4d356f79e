"""New resources and annotations: their files first, durably, then their rows, in one write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from datamint_like.backends.base import NewAnnotation, NewResource, NewVolumeMask
from datamint_like.backends.bulk_rows import Row, rows_of
from datamint_like.backends.local import (
    annotation_rows,
    annotation_uploads,
    bulk,
    known_parts,
    projects,
    resources,
    uploads,
    verify,
)
from datamint_like.backends.local.byte_store import ByteStore
from datamint_like.backends.local.changes import need_project
from datamint_like.backends.local.database import Database, Write
from datamint_like.backends.local.files import Intake
from datamint_like.entities import Annotation, Part, Resource
from datamint_like.exceptions import ValidationError
from datamint_like.imaging import required_facts


class Storing:
    """Stores what has files: each call all of it, or nothing."""

    def __init__(self, database: Database, files: ByteStore) -> None:
        self._database = database
        self._files = files

    def resource(self, new: NewResource, *, once: bool = False) -> tuple[Resource, bool]:
        """The resource, and whether it is new; with `once` one of the project with the same bytes takes its place.

        Raises:
            ValidationError: With `once`, `new` names no project.
        """
        if once and new.project_id is None:
            raise ValidationError(f"{new.filename!r} must name the project (project_id) in which it is to be once.")
        if new.project_id is not None:
            with self._database.read() as read:
                need_project(read, new.project_id)  # before a byte is copied
        upload = self._prepared(new)
        with Intake(self._files, upload.size) as intake:
            parts = uploads.take_in(upload, intake)
            said = annotation_uploads.take_in(upload.annotations, intake)
            send = not (once and self._files.sends_ahead and self._is_held(new, parts))
            with self._write(intake, send=send) as write:
                held = resources.of_bytes(write, new.project_id, parts) if once and new.project_id else None
                if held is not None:
                    verify.drop_unnamed(write, self._files, intake.published)
                    return write.made((held, False))
                known_parts.need_stored(new.parts, self._files, new.filename)
                row = uploads.row(write, upload, parts, write.store_id())
                resources.insert(write, [(row, new.tags, parts)])
                if new.project_id is not None:
                    projects.add_resources(write, new.project_id, [row["id"]])
                if said:
                    annotation_rows.create(write, {row["id"]: said})
                made = resources.get(write, row["id"])
                intake.publish()
                return write.made((made, True))

    def resources(self, project_id: str, new: Sequence[NewResource], numbers: Sequence[int] | None) -> list[str | None]:
        """The ids of many new resources of a project, in one write; None for each that the project holds already."""
        rows = rows_of(project_id, new, numbers)
        with self._database.read() as read:
            need_project(read, project_id)  # before a byte is copied
        prepared = []
        for row, each in zip(rows, new, strict=True):
            with row.named():
                prepared.append(self._prepared(replace(each, publish=True)))
        with Intake(self._files, sum(upload.size for upload in prepared)) as intake:
            taken = [_taken_in(row, upload, intake) for row, upload in zip(rows, prepared, strict=True)]
            with self._write(intake) as write:
                need_project(write, project_id)
                for row, each in zip(rows, new, strict=True):
                    with row.named():
                        known_parts.need_stored(each.parts, self._files, each.filename)
                made = bulk.insert(write, project_id, taken)
                intake.publish()
                if None in made:
                    verify.drop_unnamed(write, self._files, intake.published)
                return write.made(made)

    def annotations(
        self, resource_id: str, new: Sequence[NewAnnotation], masks: Sequence[NewVolumeMask] = (), *, once: bool = False
    ) -> list[Annotation]:
        """The annotations of a resource; with `once` without those whose origin it has already."""
        with self._database.read() as read:
            resource = resources.get(read, resource_id)
        checked = annotation_uploads.prepare(new, masks, required_facts(resource), resource.filename)
        with Intake(self._files, annotation_uploads.size_of(checked)) as intake:
            rows = annotation_uploads.take_in(checked, intake)
            with self._write(intake) as write:
                known = annotation_rows.origins(write, resource_id) if once else set()
                fresh = [row for row in rows if row["imported_from"] not in known]
                if rows and not fresh:
                    verify.drop_unnamed(write, self._files, intake.published)
                    return write.made([])
                made = annotation_rows.create(write, {resource_id: fresh})
                intake.publish()
                if len(fresh) < len(rows):
                    verify.drop_unnamed(write, self._files, intake.published)
                return write.made(made)

    def annotations_of(
        self, new: Mapping[str, Sequence[NewAnnotation]], *, files_come_later: bool = False
    ) -> list[Annotation]:
        """The annotations of several resources, by resource id.

        Args:
            new: For each resource what is said of it.
            files_come_later: Whether segmentations may come without their files, which `file` brings.
        """
        with self._database.read() as read:
            of = resources.get_many(read, list(new))
        checked = {
            each.id: annotation_uploads.prepare(
                new[each.id], (), required_facts(each), each.filename, files_come_later=files_come_later
            )
            for each in of
        }
        needed = sum(annotation_uploads.size_of(some) for some in checked.values())
        with Intake(self._files, needed) as intake:
            rows = {each: annotation_uploads.take_in(some, intake) for each, some in checked.items()}
            with self._write(intake) as write:
                made = annotation_rows.create(write, rows)
                intake.publish()
                return write.made(made)

    def rows_of(self, resource_id: str, new: Sequence[NewAnnotation]) -> list[dict[str, Any]]:
        """The checked rows of annotations without files of a resource, not stored yet."""
        with self._database.read() as read:
            resource = resources.get(read, resource_id)
        checked = annotation_uploads.prepare(new, (), required_facts(resource), resource.filename)
        return [annotation_rows.row_of(each.new, each.columns, None) for each in checked]

    def file(self, annotation_id: str, payload: bytes, filename: str | None) -> Annotation:
        """The segmentation, with the file that it waited for."""
        with self._database.read() as read:
            old = annotation_rows.get(read, annotation_id)
            resource = resources.get(read, old.resource_id)
        annotation_uploads.check_file(old, payload, required_facts(resource), resource.filename)
        with Intake(self._files, len(payload)) as intake:
            digest = intake.add([payload]).sha256
            with self._write(intake) as write:
                made = annotation_rows.attach(
                    write, annotation_id, annotation_uploads.name_of_file(old, payload, filename), digest
                )
                intake.publish()
                return made

    def _prepared(self, new: NewResource) -> uploads.Upload:
        """The resource, judged.

        Raises:
            ValidationError: Its files are to stay where they are, and bytes of this store lie elsewhere; else as
                `uploads.prepare`.
        """
        upload = uploads.prepare(new)
        links = new.link or any(part.linked_path for part in new.parts)
        if links and not self._files.can_link:
            raise ValidationError(
                f"{new.filename!r} cannot be linked: the bytes of this store lie in {self._files.place}, where files "
                "on this machine have no place. Copy it (link=False)."
            )
        return upload

    def _is_held(self, new: NewResource, parts: Sequence[Part]) -> bool:
        """Whether the project holds a resource with these bytes, asked before they travel."""
        with self._database.read() as read:
            return resources.of_bytes(read, str(new.project_id), parts) is not None

    @contextmanager
    def _write(self, intake: Intake, *, send: bool = True) -> Iterator[Write]:
        """A write whose rows name the files of `intake`, which it publishes: in place and durable before it commits."""
        try:
            if send:
                intake.send()
            with self._database.write(creates=True) as write:
                yield write
        except BaseException:  # also on KeyboardInterrupt: no file must stay that no row names
            with suppress(OSError), self._database.write() as write:  # what failed first says more; `sweep` helps
                verify.drop_unnamed(write, self._files, intake.published)
            raise


def _taken_in(row: Row, upload: uploads.Upload, intake: Intake) -> bulk.Taken:
    with row.named():
        return bulk.Taken(
            row, upload, uploads.take_in(upload, intake), annotation_uploads.take_in(upload.annotations, intake)
        )
