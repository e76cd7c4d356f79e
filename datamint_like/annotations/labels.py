"""Labels and categories of one resource as tensors, by annotator or merged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

from datamint_like.annotations.labelspace import LabelSpace
from datamint_like.annotations.strategy import MergeStrategy, check_strategy, votes_needed
from datamint_like.entities import Annotation, is_of_one_frame
from datamint_like.exceptions import DatamintDatasetException, ValidationError


def image_label_vectors(annotations: Iterable[Annotation], space: LabelSpace) -> dict[str, torch.Tensor]:
    """Each author's labels of the whole image: int32 (num_labels,), 1 where given.

    Authors are sorted; one who gave no image label of the label space is absent.

    Example:
        >>> space = LabelSpace({}, ("chest", "leg"), (), ())
        >>> image_label_vectors(dataset.resource_annotations[0], space)
        {'annotator.a@demo.example': tensor([1, 0], dtype=torch.int32)}
    """
    vectors: dict[str, torch.Tensor] = {}
    for annotation in annotations:
        position = space.image_label_positions.get(annotation.identifier)
        if annotation.is_label() and not is_of_one_frame(annotation) and position is not None:
            if annotation.author not in vectors:
                vectors[annotation.author] = torch.zeros(len(space.image_labels), dtype=torch.int32)
            vectors[annotation.author][position] = 1
    return dict(sorted(vectors.items()))


def frame_label_matrix(
    annotations: Iterable[Annotation], space: LabelSpace, num_frames: int
) -> dict[str, torch.Tensor]:
    """Each author's labels of single frames: int32 (F, num_frame_labels), 1 where given, F stored frames.

    Authors are sorted; one who gave no frame label of the label space is absent.

    Raises:
        DatamintDatasetException: A label is on a frame that the resource lacks.

    Example:
        >>> ids = api.annotations.add_label_annotation(echo, "systole", frame_range=(1, 3))
        >>> space = LabelSpace({}, (), ("systole",), ())
        >>> frame_label_matrix(api.annotations.get_list(echo), space, num_frames=30)["root@localhost"][:4, 0]
        tensor([0, 1, 1, 0], dtype=torch.int32)
    """
    matrices: dict[str, torch.Tensor] = {}
    for annotation in annotations:
        column = space.frame_label_positions.get(annotation.identifier)
        frame = annotation.frame_index
        if not annotation.is_label() or not is_of_one_frame(annotation) or column is None or frame is None:
            continue
        if not 0 <= frame < num_frames:
            raise DatamintDatasetException(
                f"The label {annotation.identifier!r} (annotation {annotation.id}) of resource "
                f"{annotation.resource_id} is on frame {frame}; the resource has frames 0 to {num_frames - 1}. "
                "Delete or correct that annotation."
            )
        if annotation.author not in matrices:
            matrices[annotation.author] = torch.zeros((num_frames, len(space.frame_labels)), dtype=torch.int32)
        matrices[annotation.author][frame, column] = 1
    return dict(sorted(matrices.items()))


def image_category_codes(annotations: Iterable[Annotation], space: LabelSpace) -> dict[str, torch.Tensor]:
    """Each author's category of the whole image: a 0-d int64 code; the first one given wins.

    Authors are sorted; one who gave no category of the label space is absent.

    Example:
        >>> space = LabelSpace({}, (), (), (("view", "lateral"), ("view", "frontal")))
        >>> image_category_codes(dataset.resource_annotations[0], space)
        {'annotator.a@demo.example': tensor(1)}
    """
    codes: dict[str, int] = {}
    for annotation in annotations:
        if annotation.is_category() and not is_of_one_frame(annotation) and annotation.value is not None:
            code = space.image_category_positions.get((annotation.identifier, annotation.value))
            if code is not None:
                codes.setdefault(annotation.author, code)
    return {author: torch.tensor(code, dtype=torch.int64) for author, code in sorted(codes.items())}


def merge_labels(by_author: Mapping[str, torch.Tensor], strategy: MergeStrategy, num_labels: int) -> torch.Tensor:
    """The authors' label vectors as one: int32 (num_labels,); zeros if nobody gave any.

    Voters are the authors given; `mode` needs at least half of them, so a tie counts as present.

    Raises:
        ValidationError: The strategy is unknown, or a vector has not one value for each label.

    Example:
        >>> merge_labels({"ana": torch.tensor([1, 0]), "ben": torch.tensor([1, 1])}, "union", num_labels=2)
        tensor([1, 1], dtype=torch.int32)
    """
    strategy = check_strategy("strategy", strategy)
    votes = torch.zeros(num_labels, dtype=torch.int32)
    for author, vector in by_author.items():
        if vector.shape != votes.shape:
            raise ValidationError(
                f"The label vector of {author!r} has the shape {tuple(vector.shape)}, expected ({num_labels},): one "
                "value for each label of the label space."
            )
        votes += (vector > 0).to(torch.int32)
    if not by_author:
        return votes
    return (votes >= votes_needed(strategy, len(by_author))).to(torch.int32)


def merge_categories(
    by_author: Mapping[str, torch.Tensor], strategy: MergeStrategy, num_categories: int
) -> torch.Tensor:
    """The authors' category codes as one answer.

    `mode` gives the most frequent code as a 0-d int64 (the lowest of equals, -1 if nobody gave any); `union` and
    `intersection` give int32 (num_categories,), 1 for the codes that anyone, or everyone, gave.

    Raises:
        ValidationError: The strategy is unknown, or a code is not below `num_categories`.

    Example:
        >>> merge_categories({"ana": torch.tensor(0), "ben": torch.tensor(2)}, "union", num_categories=3)
        tensor([1, 0, 1], dtype=torch.int32)
    """
    strategy = check_strategy("strategy", strategy)
    votes = [0] * num_categories
    for author, code in by_author.items():
        if not 0 <= int(code) < num_categories:
            raise ValidationError(f"Category codes are 0 to {num_categories - 1}; {author!r} has {int(code)}.")
        votes[int(code)] += 1
    if strategy == "mode":
        winner = votes.index(max(votes)) if by_author else -1
        return torch.tensor(winner, dtype=torch.int64)
    needed = votes_needed(strategy, len(by_author)) if by_author else 1
    return torch.tensor([int(count >= needed) for count in votes], dtype=torch.int32)
