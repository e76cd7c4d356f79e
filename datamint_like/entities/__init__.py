"""Plain typed records of the wire: no I/O, no store behind them."""

from datamint_like.entities._record import Record
from datamint_like.entities.annotation import (
    ANNOTATION_TYPES,
    FILE_TYPES,
    NUMERIC_TYPES,
    Annotation,
    AnnotationTally,
    is_of_one_frame,
)
from datamint_like.entities.project import (
    WORK_STATUSES,
    Project,
    ProjectAnnotator,
    ProjectResourceSplit,
    ReviewMessage,
    WorkStatus,
)
from datamint_like.entities.resource import Part, Resource
from datamint_like.entities.user import ApiKey, Member, User
from datamint_like.entities.worklist import (
    MAX_SEGMENTATION_CODE,
    AnnotationSpec,
    AnnotationWorklist,
    SegmentationClass,
    WorklistAnnotator,
)

__all__ = [
    "ANNOTATION_TYPES",
    "FILE_TYPES",
    "MAX_SEGMENTATION_CODE",
    "NUMERIC_TYPES",
    "WORK_STATUSES",
    "Annotation",
    "AnnotationSpec",
    "AnnotationTally",
    "AnnotationWorklist",
    "ApiKey",
    "Member",
    "Part",
    "Project",
    "ProjectAnnotator",
    "ProjectResourceSplit",
    "Record",
    "Resource",
    "ReviewMessage",
    "SegmentationClass",
    "User",
    "WorkStatus",
    "WorklistAnnotator",
    "is_of_one_frame",
]
