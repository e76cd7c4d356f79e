"""Several worklists as one schema: differences that change no code are told, contradictions are refused together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from datamint_like._warn import warn_user
from datamint_like.entities import MAX_SEGMENTATION_CODE, AnnotationSpec, AnnotationWorklist, SegmentationClass
from datamint_like.exceptions import DatamintDatasetException, DatamintWarning

#: Types that state one value of the image or frame; one identifier can be only one of them beside a category.
_VALUE_TYPES = frozenset({"label", "category", "integer", "float", "text"})


@dataclass(frozen=True)
class MergedSchema:
    """What the worklists declare together, in first-seen order.

    Attributes:
        segmentation_codes: Class name to code (from 1).
        image_labels: Labels of the whole image.
        frame_labels: Labels of single frames.
        categories: Category identifier to its choices; none where no worklist lists any.
        boxes: Names of boxes (specs of type `square`), whatever their scope.
        is_empty: Whether the worklists hold no spec and no segmentation class at all.
    """

    segmentation_codes: Mapping[str, int]
    image_labels: tuple[str, ...]
    frame_labels: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    boxes: tuple[str, ...]
    is_empty: bool


@dataclass
class _Findings:
    """What was noticed while merging; dicts, so that each sentence is kept once and in order."""

    contradictions: dict[str, None] = field(default_factory=dict)
    differences: dict[str, None] = field(default_factory=dict)


def merge_schemas(worklists: Sequence[AnnotationWorklist]) -> MergedSchema:
    """The one schema that the worklists declare together.

    Warns:
        DatamintWarning: Worklists differ in colours, in `required` or in a category's values.

    Raises:
        DatamintDatasetException: Worklists contradict each other; the message lists every contradiction.
    """
    findings = _Findings()
    specs = list(_specs(worklists))
    group = _merged_group(worklists, findings)
    _compare_equal_specs(specs, findings)
    _check_categories(specs, findings)
    categories = _merged_categories(specs, findings)
    _report(findings)
    return MergedSchema(
        segmentation_codes=_with_ungrouped(group, specs),
        image_labels=_labels(specs, "image"),
        frame_labels=_labels(specs, "frame"),
        categories=categories,
        boxes=tuple(dict.fromkeys(spec.identifier for _, spec in specs if spec.type == "square")),
        is_empty=not specs and not group,
    )


def _specs(worklists: Sequence[AnnotationWorklist]) -> Iterator[tuple[str, AnnotationSpec]]:
    """Each spec with the name of its worklist."""
    for worklist in worklists:
        for spec in worklist.annotations:
            yield worklist.name, spec


def _scope(spec: AnnotationSpec) -> str:
    return "image" if spec.scope == "image" else "frame"


def _labels(specs: Sequence[tuple[str, AnnotationSpec]], scope: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(s.identifier for _, s in specs if s.type == "label" and _scope(s) == scope))


def _merged_group(worklists: Sequence[AnnotationWorklist], findings: _Findings) -> dict[str, int]:
    """Class name to index; two indices for a name or two names for an index are contradictions."""
    by_name: dict[str, tuple[SegmentationClass, str]] = {}
    by_index: dict[int, tuple[str, str]] = {}
    for worklist in worklists:
        for name, entry in worklist.segmentation_group.items():
            if not 1 <= entry.index <= MAX_SEGMENTATION_CODE:
                findings.contradictions[
                    f"segmentation class {name!r} has index {entry.index} in worklist {worklist.name!r}; "
                    f"an index is 1 to {MAX_SEGMENTATION_CODE} (0 is background)"
                ] = None
                continue
            first, where = by_name.setdefault(name, (entry, worklist.name))
            owner, owner_where = by_index.setdefault(entry.index, (name, worklist.name))
            if first.index != entry.index:
                findings.contradictions[
                    f"segmentation class {name!r} has index {first.index} in worklist {where!r} "
                    f"and {entry.index} in worklist {worklist.name!r}"
                ] = None
            elif first.color != entry.color:
                findings.differences[f"segmentation class {name!r} has different colours"] = None
            if owner != name:
                findings.contradictions[
                    f"segmentation index {entry.index} means {owner!r} in worklist {owner_where!r} "
                    f"and {name!r} in worklist {worklist.name!r}"
                ] = None
    return {name: entry.index for name, (entry, _) in by_name.items()}


def _with_ungrouped(group: Mapping[str, int], specs: Sequence[tuple[str, AnnotationSpec]]) -> dict[str, int]:
    """The group, then the classes that only a spec names, continuing after the highest index."""
    codes = dict(group)
    following = max(codes.values(), default=0) + 1
    for _, spec in specs:
        if spec.type == "segmentation" and spec.identifier not in codes:
            codes[spec.identifier] = following
            following += 1
    return codes


def _compare_equal_specs(specs: Sequence[tuple[str, AnnotationSpec]], findings: _Findings) -> None:
    """Notes specs of one type, scope and name that differ in how they look or whether they are required."""
    first_seen: dict[tuple[str, str, str], AnnotationSpec] = {}
    for _, spec in specs:
        first = first_seen.setdefault((spec.type, _scope(spec), spec.identifier), spec)
        what = f"{spec.type} {spec.identifier!r}"
        if first.color != spec.color:
            findings.differences[f"{what} has different colours"] = None
        if first.required != spec.required:
            findings.differences[f"{what} is required in one and optional in another"] = None


def _check_categories(specs: Sequence[tuple[str, AnnotationSpec]], findings: _Findings) -> None:
    """A category's identifier states one thing: not a label or number elsewhere, not another scope."""
    categories = {s.identifier: (where, s) for where, s in reversed(specs) if s.type == "category"}
    for where, spec in specs:
        if spec.type not in _VALUE_TYPES or spec.identifier not in categories:
            continue
        first_where, first = categories[spec.identifier]
        if (spec.type, _scope(spec)) != (first.type, _scope(first)):
            findings.contradictions[
                f"{spec.identifier!r} is a {first.type} of scope {_scope(first)} in worklist {first_where!r} "
                f"and a {spec.type} of scope {_scope(spec)} in worklist {where!r}"
            ] = None


def _merged_categories(specs: Sequence[tuple[str, AnnotationSpec]], findings: _Findings) -> dict[str, tuple[str, ...]]:
    """Identifier to choices: the union of what the worklists list, in first-seen order."""
    merged: dict[str, tuple[str, ...]] = {}
    for _, spec in specs:
        if spec.type != "category":
            continue
        known = merged.get(spec.identifier)
        values = tuple(dict.fromkeys(spec.values))
        if known is not None and known != values:
            values = tuple(dict.fromkeys(known + values))
            findings.differences[f"category {spec.identifier!r} has different values, joined as {list(values)}"] = None
        merged[spec.identifier] = values
    return merged


def _report(findings: _Findings) -> None:
    if findings.contradictions:
        raise DatamintDatasetException(
            "The worklists contradict each other, so their names have no one meaning: "
            + "; ".join(findings.contradictions)
            + ". Correct the worklists, or name those that agree with `worklists=`."
        )
    if findings.differences:
        warn_user(
            "The worklists differ where no code depends on it, and are merged: "
            + "; ".join(findings.differences)
            + ".",
            DatamintWarning,
        )
