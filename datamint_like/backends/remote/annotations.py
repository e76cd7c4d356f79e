"""Annotations of a server, and masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datamint_like.backends.base import AnnotationQuery, NewAnnotation, NewVolumeMask
from datamint_like.backends.remote import given
from datamint_like.backends.remote.answers import path
from datamint_like.backends.remote.base import STORING_S, Subject
from datamint_like.backends.values import id_list, page
from datamint_like.entities import Annotation


class Annotations(Subject):
    """The calls about annotations."""

    def create_annotations(self, resource_id: str, new: Sequence[NewAnnotation]) -> list[Annotation]:
        """Store annotations of one resource: all of them, or none."""
        return self._annotated(resource_id, new, once=False)

    def create_annotations_once(self, resource_id: str, new: Sequence[NewAnnotation]) -> list[Annotation]:
        """Store those annotations whose origin (`imported_from`) the resource lacks: all of them, or none."""
        return self._annotated(resource_id, new, once=True)

    def _annotated(self, resource_id: str, new: Sequence[NewAnnotation], *, once: bool) -> list[Annotation]:
        body = {"annotations": given.annotation_list(new), "once": once}
        place = path("resources", resource_id, "annotations")
        return self._calls.records(Annotation, self._created(place, body, packed=True, read_s=STORING_S))

    def upload_volume_mask(
        self, resource_id: str, payload: bytes, names: Mapping[int, str], template: NewAnnotation
    ) -> list[Annotation]:
        """Store one binary image-scope segmentation for each label that a NIfTI label map holds."""
        mask = given.plain(NewVolumeMask(payload, names, template))
        body = {
            "payload": mask["payload"],
            "names": {str(label): name for label, name in mask["names"].items()},
            "template": given.annotation(template),
        }
        place = path("resources", resource_id, "volume-mask")
        return self._calls.records(Annotation, self._created(place, body, packed=True, read_s=STORING_S))

    def list_annotations(self, query: AnnotationQuery) -> list[Annotation]:
        """The annotations that `query` asks for, by (created_at, id)."""
        whole = page(query.offset, query.limit)
        given.plain(query)
        if query.resource_ids is not None and not query.resource_ids:
            return []
        body = search_body(query)

        def ask(start: int, rows: int) -> Any:
            return self._read_by_post("/annotations/search", {**body, "offset": str(start), "limit": str(rows)})

        found = self._calls.pages("annotations", ask, self._page_size, offset=whole.start, limit=query.limit)
        return self._calls.records(Annotation, found)

    def get_annotation(self, annotation_id: str) -> Annotation:
        """The annotation with this id, deleted or not."""
        return self._calls.record(Annotation, self._calls.get(path("annotations", annotation_id)))

    def update_annotation(self, annotation_id: str, changes: Mapping[str, Any]) -> Annotation:
        """Change what an annotation says."""
        place = path("annotations", annotation_id)
        changed = self._calls.send("PATCH", place, given.changes(changes, "an annotation"), repeat=True)
        return self._calls.record(Annotation, changed)

    def approve_annotation(self, annotation_id: str) -> None:
        """Publish an annotation."""
        self._calls.send("PATCH", path("annotations", annotation_id, "approve"))

    def delete_annotations(self, annotation_ids: Sequence[str]) -> None:
        """Mark annotations as deleted."""
        wanted = id_list(annotation_ids, "annotation_ids")
        if wanted:
            self._calls.send("POST", "/annotations/delete-batch", {"ids": wanted}, repeat=True)


def search_body(query: AnnotationQuery) -> dict[str, Any]:
    """A query in the words of the protocol; the page is not among them."""
    wanted = {
        "resource_ids": None if query.resource_ids is None else list(query.resource_ids),
        "annotation_type": query.annotation_type,
        "annotatorEmail": query.author,
        "from": query.from_date,
        "to": query.to_date,
        "annotation_worklist_id": query.worklist_id,
        "status": query.status,
        "source": query.source,
        "deleted": query.deleted,
    }
    return {key: value for key, value in wanted.items() if value is not None}
