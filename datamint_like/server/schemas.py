"""The parts of bodies in which Datamint's protocol writes a worklist's schema."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from datamint_like.entities import AnnotationSpec, SegmentationClass, WorklistAnnotator
from datamint_like.exceptions import ValidationError

_OPAQUE = 255


class ResourceIds(msgspec.Struct, frozen=True):
    """Some resources."""

    resource_ids: tuple[str, ...]


class SegmentationDefinition(msgspec.Struct, frozen=True):
    """One segmentation class; without an index it gets the next one."""

    identifier: str
    color: tuple[int, ...] = (255, 0, 0)
    index: int | None = None


class SegmentationData(msgspec.Struct, frozen=True, rename="camel"):
    """The classes of masks, and whether a voxel may have several."""

    segmentation_value_type: str = "single_label"
    definitions: tuple[SegmentationDefinition, ...] = ()

    def group(self) -> dict[str, SegmentationClass]:
        """The classes by name, each with a code from 1 and an RGBA colour.

        Example:
            >>> SegmentationData(definitions=(SegmentationDefinition("lesion", (0, 255, 0)),)).group()
            {'lesion': SegmentationClass(color=(0, 255, 0, 255), index=1)}

        Raises:
            ValidationError: Two have one name.
        """
        names = Counter(each.identifier for each in self.definitions)
        for name, times in names.items():
            if times > 1:
                raise ValidationError(f"{times} segmentation classes are named {name!r:.80}: give each its own name.")
        taken = {each.index for each in self.definitions}
        free = (code for code in range(1, len(taken) + len(self.definitions) + 1) if code not in taken)
        return {
            each.identifier: SegmentationClass(
                color=each.color if len(each.color) != 3 else (*each.color, _OPAQUE),
                index=next(free) if each.index is None else each.index,
            )
            for each in self.definitions
        }


def as_changes(data: SegmentationData) -> dict[str, Any]:
    """The fields of a worklist that hold these classes."""
    return {"segmentation_type": data.segmentation_value_type, "segmentation_group": data.group()}


def labels_of(frame_labels: tuple[str, ...], image_labels: tuple[str, ...]) -> tuple[AnnotationSpec, ...]:
    """Specs of labels that are given by name alone, those of the whole image first."""
    named = [("image", name) for name in image_labels] + [("frame", name) for name in frame_labels]
    return tuple(AnnotationSpec(type="label", identifier=name, scope=scope) for scope, name in named)


def annotators_of(given: tuple[Any, ...]) -> tuple[WorklistAnnotator, ...]:
    """Annotators given as e-mails or as objects."""
    return tuple(
        WorklistAnnotator(email=each) if isinstance(each, str) else WorklistAnnotator.from_dict(each) for each in given
    )


def specs_of(given: tuple[Any, ...]) -> tuple[AnnotationSpec, ...]:
    """Annotation specs; nulls, which clients send for what they leave open, are not there."""
    return tuple(AnnotationSpec.from_dict(each) for each in given)
