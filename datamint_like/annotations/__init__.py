"""What annotations mean to a dataset: label space, selection, masks, labels and their merging.

Arrays and records in, arrays out; nothing here reads a file or asks a store.
"""

from datamint_like.annotations.boxes import BOX_TYPE, StoredBox, is_box, stored_box
from datamint_like.annotations.instances import MaskPiece, instance_groups, stack_instances
from datamint_like.annotations.labels import (
    frame_label_matrix,
    image_category_codes,
    image_label_vectors,
    merge_categories,
    merge_labels,
)
from datamint_like.annotations.labelspace import (
    LabelSpace,
    NamesInUse,
    label_space_from_names,
    label_space_from_worklists,
    resolve_label_space,
)
from datamint_like.annotations.selection import (
    OF_ONE_FRAME_SQL,
    Selection,
    keeper,
    keeps,
    sql_condition,
)
from datamint_like.annotations.semantic import instances_to_semantic, merge_semantic
from datamint_like.annotations.strategy import MERGE_STRATEGIES, MergeStrategy, check_strategy
from datamint_like.entities import is_of_one_frame

__all__ = [
    "BOX_TYPE",
    "MERGE_STRATEGIES",
    "OF_ONE_FRAME_SQL",
    "LabelSpace",
    "MaskPiece",
    "MergeStrategy",
    "NamesInUse",
    "Selection",
    "StoredBox",
    "check_strategy",
    "frame_label_matrix",
    "image_category_codes",
    "image_label_vectors",
    "instance_groups",
    "instances_to_semantic",
    "is_box",
    "is_of_one_frame",
    "keeper",
    "keeps",
    "label_space_from_names",
    "label_space_from_worklists",
    "merge_categories",
    "merge_labels",
    "merge_semantic",
    "resolve_label_space",
    "sql_condition",
    "stack_instances",
    "stored_box",
]
