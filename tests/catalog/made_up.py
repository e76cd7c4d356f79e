"""Contents of projects, made up, with every form of text, number and geometry that records may hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from datamint_like.backends.base import ContentRow, ProjectContent
from datamint_like.entities import Annotation, AnnotationSpec, AnnotationWorklist, Part, Project, Resource

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
MAYBE = st.none() | TEXTS
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
STAMPS = st.datetimes().map(lambda moment: moment.isoformat(timespec="microseconds") + "Z")


def annotations(resource_id: str) -> st.SearchStrategy[Annotation]:
    return st.builds(
        Annotation,
        id=TEXTS,
        identifier=TEXTS,
        scope=st.sampled_from(["image", "frame"]),
        annotation_type=st.sampled_from(["label", "category", "segmentation", "square", "of a later version"]),
        resource_id=st.just(resource_id),
        created_by=MAYBE,
        frame_index=st.none() | st.integers(0, 2**31),
        text_value=MAYBE,
        numeric_value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        geometry=VALUES,
        created_at=st.none() | STAMPS,
        user_info=st.none() | st.dictionaries(TEXTS, TEXTS, max_size=2),
        sha256=st.none() | DIGESTS,
    )


def parts() -> st.SearchStrategy[list[Part]]:
    places = st.none() | TEXTS.map(lambda text: f"/nowhere/{text}")
    return st.lists(
        st.builds(
            Part,
            index=st.integers(0, 99),
            filename=TEXTS,
            size=st.integers(0, 2**40),
            sha256=DIGESTS,
            linked_path=places,
        ),
        max_size=3,
    )


def resources(number: int) -> st.SearchStrategy[Resource]:
    return st.builds(
        Resource,
        id=st.just(f"r{number}"),
        resource_uri=TEXTS,
        storage=TEXTS,
        location=TEXTS,
        filename=TEXTS,
        mimetype=TEXTS,
        status=TEXTS,
        created_at=STAMPS,
        created_by=TEXTS,
        tags=st.lists(TEXTS, max_size=3).map(tuple),
        patient_id=MAYBE,
        modality=MAYBE,
        size=st.integers(0, 2**40),
        metadata=st.dictionaries(TEXTS, VALUES, max_size=3),
    )


WORKLISTS = st.builds(
    AnnotationWorklist,
    id=TEXTS,
    name=TEXTS,
    description=MAYBE,
    annotations=st.lists(
        st.builds(AnnotationSpec, type=TEXTS, identifier=TEXTS, values=st.lists(TEXTS, max_size=2).map(tuple)),
        max_size=2,
    ).map(tuple),
)
PROJECTS = st.builds(
    Project, id=TEXTS, name=TEXTS, created_at=STAMPS, created_by=TEXTS, dataset_id=TEXTS, description=MAYBE
)


@dataclass(frozen=True)
class Made:
    """What a store might say of a project, or of a list of resources."""

    revision: str
    project: Project | None
    worklists: tuple[AnnotationWorklist, ...]
    rows: list[ContentRow]

    def content(self) -> ProjectContent:
        """As a snapshot is written of it."""
        return ProjectContent(self.revision, self.project, self.worklists, len(self.rows), iter(self.rows))


@st.composite
def contents(draw: st.DrawFn) -> Made:
    """A content with few rows."""
    project = draw(st.none() | PROJECTS)
    held = [draw(resources(number)) for number in range(draw(st.integers(0, 4)))]
    worklists = () if project is None else tuple(draw(st.lists(WORKLISTS, max_size=2)))
    rows = [ContentRow(each, draw(parts()), draw(st.lists(annotations(each.id), max_size=3))) for each in held]
    return Made(draw(TEXTS), project, worklists, rows)


def small(count: int = 2) -> Made:
    """A project of pictures with a label each."""
    project = Project(id="p", name="chest", created_at="", created_by="", dataset_id="d")
    rows = []
    for n in range(count):
        own = f"r{n}"
        resource = Resource(
            id=own,
            resource_uri="",
            storage="",
            location="",
            filename=f"{n}.png",
            mimetype="image/png",
            status="published",
            created_at="2026-02-01T09:00:00.000000Z",
            created_by="ana@lab.example",
        )
        said = Annotation(id=f"a{n}", identifier="nodule", scope="image", annotation_type="label", resource_id=own)
        rows.append(ContentRow(resource, [Part(index=0, filename=f"{n}.png", size=3, sha256=f"{n:064x}")], [said]))
    return Made("revision 7", project, (), rows)
