"""Plain typed records of the wire: no I/O, no store behind them."""

from datamint_like.entities.annotation import ANNOTATION_TYPES, FILE_TYPES, NUMERIC_TYPES, Annotation
from datamint_like.entities.project import Project, ProjectAnnotator, ProjectResourceSplit, WorkStatus
from datamint_like.entities.resource import Part, Resource
from datamint_like.entities.user import User
from datamint_like.entities.worklist import AnnotationSpec, AnnotationWorklist, SegmentationClass, WorklistAnnotator

__all__ = [
    "ANNOTATION_TYPES",
    "FILE_TYPES",
    "NUMERIC_TYPES",
    "Annotation",
    "AnnotationSpec",
    "AnnotationWorklist",
    "Part",
    "Project",
    "ProjectAnnotator",
    "ProjectResourceSplit",
    "Resource",
    "SegmentationClass",
    "User",
    "WorkStatus",
    "WorklistAnnotator",
]
