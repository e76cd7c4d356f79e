"""Every kind of write that a project's content may follow from, at random."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from datamint_like.backends.base import AnnotationQuery, Backend, NewAnnotation, NewProject, NewWorklist, ResourceQuery
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.backends.local.frame_tracks import Track
from datamint_like.testing.samples import XRAY_MASK, label, upload, xray_mask

SQUARE = NewAnnotation("square", "box", geometry={"points": [[0, 0, 0], [3, 4, 0]]})
CATEGORY = NewAnnotation("category", "side", value="left")


@dataclass
class RandomWrites:
    """Writes to two projects that share resources; equal seeds write alike.

    Attributes:
        store: What is written to.
        random: What chooses.
        made: How often each kind of write was made, by name.
    """

    store: Backend
    random: random.Random
    made: Counter[str] = field(default_factory=Counter)
    _names: int = 0
    _deck: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        resources = [upload(self.store).id for _ in range(4)]
        for name, some in (("P", resources), ("Q", resources[1:])):
            self.store.create_project(NewProject(name, resource_ids=tuple(some)))
        upload(self.store)

    @property
    def project_ids(self) -> list[str]:
        """Both projects, archived or not."""
        return [each.id for each in self.store.list_projects(include_archived=True)]

    def step(self) -> str:
        """Make one write, unless what was drawn cannot be done now; its name."""
        if not self._deck:
            self._deck = self.random.sample(list(WRITES), len(WRITES))
        name = self._deck.pop()
        if WRITES[name](self):
            self.made[name] += 1
        return name

    def name(self) -> str:
        """A name that nothing has yet."""
        self._names += 1
        return f"name {self._names}"

    def project(self) -> str:
        """Any project."""
        return self.random.choice(self.project_ids)

    def some(self, ids: list[str]) -> list[str]:
        """Some of these, in any order."""
        return self.random.sample(ids, min(len(ids), self.random.choice((1, 1, 2, 3))))

    def live(self) -> list[str]:
        """All resources that are not deleted."""
        return [each.id for each in self.store.list_resources(ResourceQuery())]

    def members(self, project_id: str) -> list[str]:
        """A project's resources."""
        return [each.id for each in self.store.list_project_resources(project_id)]

    def said(self) -> list[str]:
        """All annotations that are not deleted."""
        return [each.id for each in self.store.list_annotations(AnnotationQuery())]

    def worklist(self) -> str:
        """Any worklist of a project."""
        return self.random.choice([each.id for p in self.project_ids for each in self.store.list_worklists(p)])


def _on(ids: Callable[[RandomWrites], list[str]], act: Callable[[RandomWrites, str], Any]) -> Callable[..., bool]:
    """A write to one of what `ids` gives."""

    def write(writes: RandomWrites) -> bool:
        found = ids(writes)
        if found:
            act(writes, writes.random.choice(found))
        return bool(found)

    return write


def _many(ids: Callable[[RandomWrites], list[str]], act: Callable[[RandomWrites, list[str]], Any]) -> Any:
    """A write to some of what `ids` gives."""

    def write(writes: RandomWrites) -> bool:
        found = writes.some(ids(writes))
        if found:
            act(writes, found)
        return bool(found)

    return write


def _membership(w: RandomWrites) -> bool:
    project_id = w.project()
    members = w.some(w.members(project_id))
    if members:
        w.store.remove_project_resources(project_id, members)
    return bool(members)


def _split(w: RandomWrites) -> bool:
    project_id = w.project()
    members = w.some(w.members(project_id))
    if members:
        w.store.assign_splits(project_id, {each: w.random.choice(("train", "val", None)) for each in members})
    return bool(members)


def _work(w: RandomWrites) -> bool:
    project_id = w.project()
    members = w.members(project_id)
    if members:
        w.store.set_work_status(project_id, w.random.choice(members), w.random.choice(("annotated", "closed")))
    return bool(members)


def _deleted(w: RandomWrites) -> list[str]:
    return [each.id for each in w.store.list_resources(ResourceQuery(deleted="only"))]


def _annotation_of(w: RandomWrites, change: dict[str, Any], kind: str = "label") -> bool:
    found = [each.id for each in w.store.list_annotations(AnnotationQuery(annotation_type=kind))]
    if found:
        w.store.update_annotation(w.random.choice(found), change)
    return bool(found)


def _create(w: RandomWrites, resource_id: str) -> None:
    new = w.random.choice((label(), label("malignant", "ana@lab.example"), SQUARE, CATEGORY, xray_mask()))
    worklist_id = w.random.choice((None, w.worklist()))
    w.store.create_annotations(resource_id, [replace(new, worklist_id=worklist_id)])


WRITES: dict[str, Callable[[RandomWrites], bool]] = {
    "a new resource": lambda w: bool(upload(w.store)),
    "coming": _many(RandomWrites.live, lambda w, ids: w.store.add_project_resources(w.project(), ids)),
    "leaving": _membership,
    "deleting": _on(RandomWrites.live, lambda w, one: w.store.delete_resources([one])),
    "restoring": _many(_deleted, lambda w, ids: w.store.restore_resources(ids)),
    "publishing": _many(RandomWrites.live, lambda w, ids: w.store.publish_resources(ids)),
    "tags": _many(RandomWrites.live, lambda w, ids: w.store.set_tags(ids, [w.name()])),
    "more tags": _many(RandomWrites.live, lambda w, ids: w.store.add_tags(ids, ["a", w.name()])),
    "annotating": _on(RandomWrites.live, _create),
    "annotating once": _on(
        RandomWrites.live, lambda w, one: w.store.create_annotations_once(one, [replace(label(), imported_from="f")])
    ),
    "correcting": lambda w: _annotation_of(w, {"identifier": w.name()}),
    "another worklist": lambda w: _annotation_of(w, {"annotation_worklist_id": w.worklist()}),
    "a geometry": lambda w: _annotation_of(w, {"geometry": {"points": [[1, 1, 0], [w._names, 4, 0]]}}, "square"),
    "a value": lambda w: _annotation_of(w, {"value": w.name()}, "category"),
    "approving": _on(RandomWrites.said, lambda w, one: w.store.approve_annotation(one)),
    "no longer saying": _many(RandomWrites.said, lambda w, ids: w.store.delete_annotations(ids)),
    "a split": _split,
    "work": _work,
    "a worklist's name": lambda w: bool(w.store.update_worklist(w.worklist(), {"name": w.name()})),
    "a worklist's schema": lambda w: bool(w.store.update_worklist(w.worklist(), {"description": w.name()})),
    "a new worklist": lambda w: bool(w.store.create_worklist(NewWorklist(w.name(), project_id=w.project()))),
    "a project's name": lambda w: bool(w.store.update_project(w.project(), {"name": w.name()})),
    "archiving": lambda w: w.store.archive_project(w.project()) is None,
    "unarchiving": lambda w: bool(w.store.restore_project(w.project())),
}


def _track(w: RandomWrites, resource_id: str) -> None:
    new = [NewAnnotation("category", "phase", scope="frame", frame_index=0, value=w.name())]
    _local(w).administration.replace_track(Track(resource_id, "category", "phase"), new)


def _late_file(w: RandomWrites, resource_id: str) -> None:
    administration = _local(w).administration
    waiting = {resource_id: [replace(xray_mask(), payload=None)]}
    (made,) = administration.annotate(waiting, files_come_later=True)
    if w.random.random() < 0.7:
        administration.attach_file(made.id, XRAY_MASK.read_bytes(), "mask.png")


def _reset(w: RandomWrites) -> bool:
    project_id, store = w.project(), _local(w)
    members, worklists = w.members(project_id), store.list_worklists(project_id)
    user, one = store.current_user().email, w.random.choice(members) if members else ""
    if members:
        store.administration.reset_work_status(project_id, one, user, worklist_id=w.random.choice(worklists).id)
    return bool(members)


def _local(w: RandomWrites) -> LocalBackend:
    assert isinstance(w.store, LocalBackend)
    return w.store


#: Those that only the embedded store makes itself, and a server for its clients.
SERVER_WRITES: dict[str, Callable[[RandomWrites], bool]] = {
    "a track": _on(RandomWrites.live, _track),
    "a file that comes later": _on(RandomWrites.live, _late_file),
    "a reset": _reset,
}
