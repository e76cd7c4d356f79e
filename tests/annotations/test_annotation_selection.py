"""Which annotations a dataset keeps, in Python and in SQL."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Iterable
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamint_like.annotations import LabelSpace, Selection, is_of_one_frame, keeps, sql_condition
from datamint_like.entities import ANNOTATION_TYPES, Annotation
from datamint_like.exceptions import DatamintDatasetException

KINDS = ("annotators", "segmentation_names", "image_label_names", "frame_label_names")
SPACE = LabelSpace({"liver": 1}, ("benign",), ("motion",), (("view", "pa"),))


def annotation(
    kind: str = "segmentation",
    identifier: str = "liver",
    scope: str = "image",
    frame: int | None = None,
    author: str | None = "ana",
    value: str | None = None,
    status: str | None = None,
) -> Annotation:
    return Annotation(
        id="1",
        identifier=identifier,
        scope=scope,
        annotation_type=kind,
        resource_id="r",
        created_by=author,
        frame_index=frame,
        text_value=value,
        status=status,
    )


# Names that quoting, collation or JSON could get wrong, beside plain ones. A NUL is in no name: JSON ends there.
NAMES = st.one_of(
    st.sampled_from(["ana", "Ana", "liver", "benign", "motion", "view", "o'brien", 'a"b', "", "%", "é", "\U0001f600"]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=3),
)
ANNOTATIONS = st.builds(
    annotation,
    kind=st.one_of(st.sampled_from(["segmentation", "label", "category"]), st.sampled_from(sorted(ANNOTATION_TYPES))),
    identifier=NAMES,
    scope=st.sampled_from(["image", "frame"]),
    frame=st.none() | st.integers(0, 3),
    author=st.none() | NAMES,
    value=st.none() | NAMES,
    status=st.sampled_from([None, "new", "published", "Published"]),
)
SPACES = st.builds(
    LabelSpace,
    segmentation_codes=st.lists(NAMES, unique=True, max_size=4).map(
        lambda names: {n: i + 1 for i, n in enumerate(names)}
    ),
    image_labels=st.lists(NAMES, unique=True, max_size=4).map(tuple),
    frame_labels=st.lists(NAMES, unique=True, max_size=4).map(tuple),
    image_categories=st.lists(st.tuples(NAMES, NAMES), unique=True, max_size=4).map(tuple),
)


@st.composite
def selections(draw: st.DrawFn) -> Selection:
    lists: dict[str, tuple[str, ...]] = {}
    for kind in KINDS:
        side = draw(st.sampled_from(["", "include_", "exclude_"]))
        if side:
            lists[side + kind] = tuple(draw(st.lists(NAMES, max_size=4)))
    return Selection(**lists, allow_external_annotations=draw(st.booleans()), published_only=draw(st.booleans()))


def plain_rule(s: Selection, space: LabelSpace, a: Annotation) -> bool:
    """The rule as a person would write it down."""

    def listed(name: str, include: tuple[str, ...] | None, exclude: tuple[str, ...] | None) -> bool:
        if include is not None:
            return name in list(include)
        return exclude is None or name not in list(exclude)

    external = s.allow_external_annotations
    if s.published_only and a.status != "published":
        return False
    if a.created_by is not None and not listed(a.created_by, s.include_annotators, s.exclude_annotators):
        return False
    if a.annotation_type == "segmentation":
        in_space = a.identifier in space.segmentation_labels and a.identifier in space.segmentation_codes
        lists = (s.include_segmentation_names, s.exclude_segmentation_names)
    elif a.annotation_type == "label" and (a.scope == "image" or a.frame_index is None):
        in_space, lists = a.identifier in space.image_labels, (s.include_image_label_names, s.exclude_image_label_names)
    elif a.annotation_type == "label":
        in_space, lists = a.identifier in space.frame_labels, (s.include_frame_label_names, s.exclude_frame_label_names)
    elif a.annotation_type == "category":
        in_space, lists = a.identifier in [name for name, _ in space.image_categories], (None, None)
    else:
        return True
    return (external or in_space) and listed(a.identifier, *lists)


def kept_by_sql(annotations: Iterable[Annotation], selection: Selection, space: LabelSpace) -> list[int]:
    condition, parameters = sql_condition(selection, space)
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(
            "CREATE TABLE annotation (n INTEGER PRIMARY KEY, author TEXT, type TEXT NOT NULL, identifier TEXT NOT NULL,"
            " value TEXT, of_one_frame INTEGER NOT NULL, status TEXT)"
        )
        database.executemany(
            "INSERT INTO annotation VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (n, a.created_by, a.annotation_type, a.identifier, a.text_value, is_of_one_frame(a), a.status)
                for n, a in enumerate(annotations)
            ],
        )
        found = database.execute(f"SELECT n FROM annotation WHERE n >= 0 AND {condition} ORDER BY n", parameters)
        return [n for (n,) in found]


@given(annotations=st.lists(ANNOTATIONS, max_size=12), selection=selections(), space=SPACES)
def test_python_and_sql_keep_the_same_annotations(
    annotations: list[Annotation], selection: Selection, space: LabelSpace
) -> None:
    expected = [n for n, a in enumerate(annotations) if plain_rule(selection, space, a)]
    assert [n for n, a in enumerate(annotations) if keeps(selection, space, a)] == expected
    assert kept_by_sql(annotations, selection, space) == expected


def test_lists_reach_sql_as_one_parameter_each_however_long() -> None:
    many = tuple(f"reader{n}@lab.example" for n in range(40_000))  # beyond SQLite's limit of single parameters
    selection = Selection(include_annotators=many)
    assert kept_by_sql([annotation(author=many[-1]), annotation(author="eve")], selection, SPACE) == [0]
    assert all(isinstance(value, str) for value in sql_condition(selection, SPACE)[1].values())


def test_without_rules_everything_in_the_label_space_is_kept() -> None:
    assert keeps(Selection(), SPACE, annotation())
    assert keeps(Selection(), SPACE, annotation("label", "benign"))
    assert keeps(Selection(), SPACE, annotation("label", "motion", "frame", 2))
    assert not keeps(Selection(), SPACE, annotation("segmentation", "spleen"))
    assert not keeps(Selection(), SPACE, annotation("label", "motion"))
    assert not keeps(Selection(), SPACE, annotation("label", "benign", "frame", 0))


def test_a_category_of_the_schema_is_kept_without_a_switch() -> None:
    assert keeps(Selection(), SPACE, annotation("category", "view", value="pa"))
    assert not keeps(Selection(), SPACE, annotation("category", "side", value="left"))
    assert keeps(Selection(allow_external_annotations=True), SPACE, annotation("category", "side", value="left"))


def test_external_annotations_still_obey_the_lists() -> None:
    selection = Selection(exclude_segmentation_names=("spleen",), allow_external_annotations=True)
    assert keeps(selection, SPACE, annotation("segmentation", "kidney"))
    assert not keeps(selection, SPACE, annotation("segmentation", "spleen"))


def test_an_annotation_without_a_creator_passes_the_annotator_lists() -> None:
    assert keeps(Selection(include_annotators=("ana",)), SPACE, annotation(author=None))
    assert not keeps(Selection(include_annotators=("ana",)), SPACE, annotation(author="ben"))
    assert not keeps(Selection(exclude_annotators=("ana",)), SPACE, annotation("line", author="ana"))


def test_types_that_are_no_target_and_types_yet_unknown_are_kept() -> None:
    nothing = Selection(include_segmentation_names=(), include_image_label_names=(), include_frame_label_names=())
    for kind in (ANNOTATION_TYPES | {"hologram"}) - {"segmentation", "label", "category"}:
        assert keeps(nothing, SPACE, annotation(kind, "anything"))


@pytest.mark.parametrize("kind", KINDS)
def test_include_and_exclude_of_one_kind_is_an_error_that_names_both(kind: str) -> None:
    with pytest.raises(DatamintDatasetException, match=f"`include_{kind}` or `exclude_{kind}`"):
        Selection(**{f"include_{kind}": ("a",), f"exclude_{kind}": ()})


def test_a_single_string_is_not_taken_for_a_list_of_letters() -> None:
    with pytest.raises(DatamintDatasetException, match=r"`include_annotators` is a list"):
        Selection(include_annotators="ana")  # type: ignore[arg-type]


def test_a_list_becomes_a_tuple_so_that_a_selection_hashes_and_pickles() -> None:
    selection = Selection(exclude_segmentation_names=["liver"])  # type: ignore[arg-type]
    assert selection.exclude_segmentation_names == ("liver",)
    assert pickle.loads(pickle.dumps(selection)) == selection
    assert hash(selection) == hash(Selection(exclude_segmentation_names=("liver",)))
