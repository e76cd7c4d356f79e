"""Labels and categories as tensors, by annotator and merged."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datamint_like.annotations import (
    MERGE_STRATEGIES,
    LabelSpace,
    MergeStrategy,
    check_strategy,
    frame_label_matrix,
    image_category_codes,
    image_label_vectors,
    merge_categories,
    merge_labels,
)
from datamint_like.entities import Annotation
from datamint_like.exceptions import DatamintDatasetException, ValidationError

SPACE = LabelSpace(
    {}, ("benign", "malignant", "artefact"), ("motion", "blur"), (("view", "pa"), ("view", "lat"), ("side", "l"))
)
NUM_FRAMES = 4
STRATEGIES = st.sampled_from(MERGE_STRATEGIES)


def label(
    identifier: str, author: str | None = "ana", frame: int | None = None, model: str | None = None
) -> Annotation:
    return Annotation(
        id=f"{identifier}-{frame}",
        identifier=identifier,
        scope="image" if frame is None else "frame",
        annotation_type="label",
        resource_id="r7",
        created_by=author,
        created_by_model=model,
        frame_index=frame,
    )


def category(identifier: str, value: str | None, author: str = "ana", frame: int | None = None) -> Annotation:
    return Annotation(
        id="1",
        identifier=identifier,
        scope="image" if frame is None else "frame",
        annotation_type="category",
        resource_id="r7",
        created_by=author,
        text_value=value,
        frame_index=frame,
    )


def test_image_labels_are_int32_vectors_of_sorted_authors() -> None:
    given_labels = [label("artefact", "zoe"), label("benign", "ana"), label("malignant", "ana"), label("benign", "ana")]
    vectors = image_label_vectors(given_labels, SPACE)
    assert list(vectors) == ["ana", "zoe"]
    assert all(vector.dtype == torch.int32 for vector in vectors.values())
    assert [vector.tolist() for vector in vectors.values()] == [[1, 1, 0], [0, 0, 1]]


def test_who_gave_no_image_label_of_the_label_space_is_absent() -> None:
    others = [label("elsewhere", "ana"), label("benign", "ben", frame=1), category("view", "pa", "eve")]
    assert image_label_vectors(others, SPACE) == {}


def test_labels_without_a_creator_go_under_the_model_or_unknown() -> None:
    vectors = image_label_vectors([label("benign", None), label("benign", None, model="net-2")], SPACE)
    assert list(vectors) == ["net-2", "unknown"]


def test_frame_labels_are_a_matrix_over_the_stored_frames() -> None:
    matrices = frame_label_matrix(
        [label("blur", "zoe", 3), label("motion", "ana", 1), label("motion", "ana", 2), label("benign", "ana")],
        SPACE,
        NUM_FRAMES,
    )
    assert list(matrices) == ["ana", "zoe"]
    assert all(matrix.dtype == torch.int32 for matrix in matrices.values())
    assert matrices["ana"].tolist() == [[0, 0], [1, 0], [1, 0], [0, 0]]
    assert matrices["zoe"].tolist() == [[0, 0], [0, 0], [0, 0], [0, 1]]


@pytest.mark.parametrize("frame", [-1, NUM_FRAMES])
def test_a_label_on_a_frame_that_the_resource_lacks_is_an_error_that_names_all(frame: int) -> None:
    with pytest.raises(DatamintDatasetException, match=rf"annotation motion-{frame}.*r7.*frame {frame};.*0 to 3"):
        frame_label_matrix([label("motion", frame=frame)], SPACE, NUM_FRAMES)


def test_the_first_category_of_an_author_wins() -> None:
    codes = image_category_codes(
        [category("view", "lat", "zoe"), category("side", "l", "ana"), category("view", "pa", "ana")], SPACE
    )
    assert list(codes) == ["ana", "zoe"]
    assert [int(code) for code in codes.values()] == [2, 1]
    assert all(code.dtype == torch.int64 and code.ndim == 0 for code in codes.values())


def test_categories_outside_the_label_space_or_of_one_frame_give_no_code() -> None:
    assert (
        image_category_codes(
            [category("view", "oblique"), category("view", None), category("view", "pa", frame=2)], SPACE
        )
        == {}
    )


# --- merging

VECTORS = st.lists(st.integers(0, 1), min_size=3, max_size=3).map(lambda bits: torch.tensor(bits, dtype=torch.int32))
CODES = st.integers(0, 2).map(lambda code: torch.tensor(code, dtype=torch.int64))
AUTHORS = st.sampled_from("abcdef")


@given(by_author=st.dictionaries(AUTHORS, VECTORS), strategy=STRATEGIES)
def test_labels_merge_by_the_votes_of_those_who_gave_any(
    by_author: dict[str, torch.Tensor], strategy: MergeStrategy
) -> None:
    merged = merge_labels(by_author, strategy, 3)
    assert merged.dtype == torch.int32
    for position in range(3):
        votes = [bool(vector[position]) for vector in by_author.values()]
        present = {
            "union": any(votes),
            "intersection": all(votes),
            "mode": sum(votes) * 2 >= len(votes),
        }[strategy]
        assert int(merged[position]) == int(bool(votes) and present)


@given(by_author=st.dictionaries(AUTHORS, CODES), strategy=st.sampled_from(["union", "intersection"]))
def test_categories_merge_to_those_anyone_or_everyone_gave(
    by_author: dict[str, torch.Tensor], strategy: MergeStrategy
) -> None:
    merged = merge_categories(by_author, strategy, 3)
    given_codes = {int(code) for code in by_author.values()}
    expected = given_codes if strategy == "union" or len(given_codes) == 1 else set()
    assert merged.dtype == torch.int32
    assert {code for code in range(3) if merged[code]} == expected


@given(by_author=st.dictionaries(AUTHORS, CODES))
def test_the_mode_of_categories_is_the_lowest_of_the_most_frequent(by_author: dict[str, torch.Tensor]) -> None:
    merged = merge_categories(by_author, "mode", 3)
    counts = Counter(int(code) for code in by_author.values())
    expected = min(counts, key=lambda code: (-counts[code], code), default=-1)
    assert merged.dtype == torch.int64
    assert merged.ndim == 0
    assert int(merged) == expected


def test_an_empty_label_space_gives_empty_vectors() -> None:
    assert merge_labels({}, "mode", 0).shape == (0,)
    assert merge_categories({}, "union", 0).shape == (0,)
    assert int(merge_categories({}, "mode", 0)) == -1


@pytest.mark.parametrize("code", [-1, 3])
def test_a_category_code_outside_the_label_space_is_refused(code: int) -> None:
    with pytest.raises(ValidationError, match=f"'ana' has {code}"):
        merge_categories({"ana": torch.tensor(code)}, "mode", 3)


# --- the strategies


@pytest.mark.parametrize("value", MERGE_STRATEGIES)
def test_each_strategy_is_accepted_as_it_is(value: str) -> None:
    assert check_strategy("image_labels_merge_strategy", value) == value


@pytest.mark.parametrize("value", ["majority", "Union", "", None, 1, ["union"]])
def test_another_strategy_is_a_value_error_that_names_the_keyword_and_the_choices(value: object) -> None:
    with pytest.raises(
        ValidationError, match="`image_labels_merge_strategy` is one of 'union', 'intersection', 'mode'"
    ) as error:
        check_strategy("image_labels_merge_strategy", value)
    assert isinstance(error.value, ValueError)
    for merge in (merge_labels, merge_categories):
        with pytest.raises(ValidationError):
            merge({}, value, 3)  # type: ignore[arg-type]
