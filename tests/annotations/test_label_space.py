"""Which name gets which code: from worklists, from names in use, and from both."""

from __future__ import annotations

import hashlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamint_like.annotations import (
    LabelSpace,
    NamesInUse,
    label_space_from_names,
    label_space_from_worklists,
    resolve_label_space,
)
from datamint_like.entities import AnnotationSpec, AnnotationWorklist, SegmentationClass
from datamint_like.exceptions import DatamintDatasetException, DatamintWarning

RED, BLUE = (255, 0, 0), (0, 0, 255)
NAMES = st.sampled_from(["liver", "tumour", "kidney", "benign", "motion", "Überlappung", "UNKNOWN", ""])
PAIRS = st.tuples(NAMES, NAMES)
NAMES_IN_USE = st.builds(
    NamesInUse,
    segmentations=st.lists(NAMES).map(tuple),
    image_labels=st.lists(NAMES).map(tuple),
    frame_labels=st.lists(NAMES).map(tuple),
    image_categories=st.lists(PAIRS).map(tuple),
)


def worklist(
    *specs: AnnotationSpec, name: str = "A", **classes: int | tuple[int, tuple[int, ...]]
) -> AnnotationWorklist:
    group = {}
    for label, value in classes.items():
        index, color = value if isinstance(value, tuple) else (value, RED)
        group[label] = SegmentationClass(color=color, index=index)
    return AnnotationWorklist(id=name, name=name, annotations=specs, segmentation_group=group)


def spec(kind: str, identifier: str, scope: str = "image", **more: object) -> AnnotationSpec:
    return AnnotationSpec(type=kind, identifier=identifier, scope=scope, **more)  # type: ignore[arg-type]


# --- from worklists


def test_the_schema_keeps_first_seen_order_and_separates_image_labels_from_frame_labels() -> None:
    space = label_space_from_worklists(
        [
            worklist(spec("label", "malignant"), spec("label", "motion", "frame"), spec("label", "benign")),
            worklist(spec("label", "aorta"), spec("label", "benign"), spec("label", "blur", "frame"), name="B"),
        ]
    )
    assert space.image_labels == ("malignant", "benign", "aorta")
    assert space.frame_labels == ("motion", "blur")


def test_a_category_spec_gives_one_code_for_each_of_its_values() -> None:
    schema = worklist(
        spec("category", "view", values=("pa", "lat")), spec("category", "side", values=("left", "right"))
    )
    space = label_space_from_worklists([schema])
    assert space.image_categories == (("view", "pa"), ("view", "lat"), ("side", "left"), ("side", "right"))


def test_a_gap_in_the_indices_is_a_class_named_unknown() -> None:
    space = label_space_from_worklists([worklist(y=3, x=1)])
    assert dict(space.segmentation_codes) == {"x": 1, "y": 3}
    assert list(space.segmentation_codes) == ["x", "y"]
    assert space.segmentation_labels == ["x", "UNKNOWN", "y"]
    assert space.num_segmentation_labels == 3


def test_a_class_that_only_a_spec_names_follows_the_highest_index() -> None:
    schema = worklist(
        spec("segmentation", "zebra", "frame"),
        spec("segmentation", "liver"),
        spec("segmentation", "apple"),
        spec("segmentation", "zebra"),
        liver=2,
    )
    other = worklist(name="B", spleen=4)
    codes = label_space_from_worklists([schema, other]).segmentation_codes
    assert dict(codes) == {"liver": 2, "spleen": 4, "zebra": 5, "apple": 6}


def test_a_mask_class_a_label_and_a_category_may_share_one_name() -> None:
    schema = worklist(
        spec("segmentation", "tumour"),
        spec("category", "tumour", values=("benign", "malignant")),
        spec("label", "nodule"),
        spec("label", "nodule", "frame"),
        spec("segmentation", "nodule", "frame"),
    )
    space = label_space_from_worklists([schema])
    assert list(space.segmentation_codes) == ["tumour", "nodule"]
    assert space.image_labels == space.frame_labels == ("nodule",)


def test_worklists_that_differ_in_colour_or_required_are_merged_with_a_warning() -> None:
    first = worklist(spec("label", "benign", required=True), spec("segmentation", "liver", color=RED), liver=(1, RED))
    second = worklist(spec("label", "benign"), spec("segmentation", "liver", color=BLUE), name="B", liver=(1, BLUE))
    with pytest.warns(DatamintWarning, match=r"'liver' has different colours.*'benign' is required"):
        space = label_space_from_worklists([first, second])
    assert space == LabelSpace({"liver": 1}, ("benign",), (), ())


def test_categories_with_different_values_are_joined_in_first_seen_order_with_a_warning() -> None:
    first = worklist(spec("category", "view", values=("pa", "lat")))
    second = worklist(spec("category", "view", values=("ap", "pa")), name="B")
    with pytest.warns(DatamintWarning, match=r"category 'view' has different values.*\['pa', 'lat', 'ap'\]"):
        space = label_space_from_worklists([first, second])
    assert space.image_categories == (("view", "pa"), ("view", "lat"), ("view", "ap"))


def test_equal_worklists_merge_without_a_word() -> None:
    schema = worklist(spec("category", "view", values=("pa",)), spec("label", "benign"), liver=1)
    assert label_space_from_worklists([schema, schema]) == label_space_from_worklists([schema])


def test_one_error_lists_every_contradiction() -> None:
    first = worklist(spec("category", "view", values=("pa",)), spec("category", "side", values=("l",)), x=1, y=2, z=0)
    second = worklist(spec("label", "view"), spec("category", "side", "frame", values=("l",)), name="B", x=3, w=2)
    with pytest.raises(DatamintDatasetException) as caught:
        label_space_from_worklists([first, second])
    for sentence in (
        "segmentation class 'x' has index 1 in worklist 'A' and 3 in worklist 'B'",
        "segmentation index 2 means 'y' in worklist 'A' and 'w' in worklist 'B'",
        "segmentation class 'z' has index 0 in worklist 'A'",
        "'view' is a category of scope image in worklist 'A' and a label of scope image in worklist 'B'",
        "'side' is a category of scope image in worklist 'A' and a category of scope frame in worklist 'B'",
    ):
        assert str(caught.value).count(sentence) == 1


def test_an_index_too_large_for_a_mask_is_refused_rather_than_allocated() -> None:
    with pytest.raises(DatamintDatasetException, match="1000000000"):
        label_space_from_worklists([worklist(x=1_000_000_000)])


# --- from names, and from both


def test_names_in_use_are_sorted_and_numbered_from_one() -> None:
    space = label_space_from_names(
        NamesInUse(("b", "a", "b"), ("y", "x"), ("q", "p"), (("view", "pa"), ("side", "l"), ("view", "lat")))
    )
    assert dict(space.segmentation_codes) == {"a": 1, "b": 2}
    assert space.image_labels == ("x", "y")
    assert space.frame_labels == ("p", "q")
    assert space.image_categories == (("side", "l"), ("view", "lat"), ("view", "pa"))


@pytest.mark.parametrize("worklists", [None, [], [worklist()], [worklist(), worklist(name="B")]])
@given(names=NAMES_IN_USE, allow_external=st.booleans())
def test_worklists_without_any_spec_leave_the_names_in_use(
    worklists: list[AnnotationWorklist] | None, names: NamesInUse, allow_external: bool
) -> None:
    space = resolve_label_space(worklists, names, allow_external=allow_external)
    assert space == label_space_from_names(names)


def test_one_spec_of_any_type_makes_the_schema_decide() -> None:
    names = NamesInUse(("liver",), ("benign",), ("motion",), (("view", "pa"),))
    space = resolve_label_space([worklist(spec("float", "age"))], names, allow_external=False)
    assert space == LabelSpace({}, (), (), ())


def test_external_names_follow_the_schema_and_codes_continue_after_the_highest() -> None:
    schema = worklist(spec("label", "m"), spec("category", "view", values=("pa",)), x=1, y=3)
    names = NamesInUse(("b", "x", "a"), ("z", "m", "a"), ("blur",), (("view", "ap"), ("side", "l"), ("view", "pa")))
    space = resolve_label_space([schema], names, allow_external=True)
    assert dict(space.segmentation_codes) == {"x": 1, "y": 3, "a": 4, "b": 5}
    assert space.image_labels == ("m", "a", "z")
    assert space.frame_labels == ("blur",)
    assert space.image_categories == (("view", "pa"), ("side", "l"), ("view", "ap"))


def test_a_category_declared_without_values_takes_the_values_in_use() -> None:
    names = NamesInUse(image_categories=(("view", "pa"), ("view", "lat"), ("side", "l")))
    space = resolve_label_space([worklist(spec("category", "view"))], names, allow_external=False)
    assert space.image_categories == (("view", "lat"), ("view", "pa"))


@given(
    names=NAMES_IN_USE,
    codes=st.dictionaries(NAMES, st.integers(1, 20)).filter(lambda d: len(set(d.values())) == len(d)),
    specs=st.lists(
        st.builds(spec, st.sampled_from(["label", "segmentation"]), NAMES, st.sampled_from(["image", "frame"]))
    ),
)
def test_allowing_external_names_only_ever_appends(
    names: NamesInUse, codes: dict[str, int], specs: list[AnnotationSpec]
) -> None:
    schema = worklist(*specs, spec("float", "age"), **codes)
    strict = resolve_label_space([schema], names, allow_external=False)
    wide = resolve_label_space([schema], names, allow_external=True)
    assert {name: wide.segmentation_codes[name] for name in strict.segmentation_codes} == dict(
        strict.segmentation_codes
    )
    assert wide.image_labels[: len(strict.image_labels)] == strict.image_labels
    assert wide.frame_labels[: len(strict.frame_labels)] == strict.frame_labels
    assert set(wide.segmentation_codes) == set(strict.segmentation_codes) | set(names.segmentations)
    assert set(wide.image_labels) == set(strict.image_labels) | set(names.image_labels)
    assert set(wide.image_categories) == set(names.image_categories)
    for name, code in wide.segmentation_codes.items():
        assert wide.segmentation_labels[code - 1] == name
    assert len(set(wide.segmentation_codes.values())) == len(wide.segmentation_codes)


# --- the record itself


@given(names=NAMES_IN_USE)
def test_a_label_space_pickles_hashes_and_keeps_its_fingerprint(names: NamesInUse) -> None:
    space = label_space_from_names(names)
    before = len(pickle.dumps(space))
    assert space.image_category_positions == {pair: i for i, pair in enumerate(space.image_categories)}
    copy = pickle.loads(pickle.dumps(space))
    assert copy == space
    assert hash(copy) == hash(space)
    assert copy.fingerprint() == space.fingerprint()
    assert len(pickle.dumps(space)) == before  # what is derived does not travel


def test_the_fingerprint_is_the_same_on_every_machine_and_tells_spaces_apart() -> None:
    space = LabelSpace({"tumour": 2, "liver": 1}, ("benign",), (), (("view", "pa"),))
    assert (
        space.fingerprint() == LabelSpace({"liver": 1, "tumour": 2}, ("benign",), (), (("view", "pa"),)).fingerprint()
    )
    content = b'[[["liver", 1], ["tumour", 2]], ["benign"], [], [["view", "pa"]]]'
    assert space.fingerprint() == hashlib.sha256(content).hexdigest()
    others = [
        LabelSpace({"tumour": 3, "liver": 1}, ("benign",), (), (("view", "pa"),)),
        LabelSpace({"tumour": 2, "liver": 1}, (), ("benign",), (("view", "pa"),)),
        LabelSpace({"tumour": 2, "liver": 1}, ("benign",), (), (("view", "lat"),)),
    ]
    assert len({space.fingerprint(), *(other.fingerprint() for other in others)}) == 4


def test_the_codes_cannot_be_changed_from_outside() -> None:
    given_codes = {"liver": 1}
    space = LabelSpace(given_codes, (), (), ())
    given_codes["tumour"] = 2
    assert dict(space.segmentation_codes) == {"liver": 1}
    with pytest.raises(TypeError):
        space.segmentation_codes["tumour"] = 2  # type: ignore[index]


@pytest.mark.parametrize("codes", [{"liver": 0}, {"liver": -1}, {"liver": 1, "tumour": 1}])
def test_codes_below_one_or_used_twice_are_refused(codes: dict[str, int]) -> None:
    with pytest.raises(DatamintDatasetException, match="distinct whole numbers from 1"):
        LabelSpace(codes, (), (), ())
