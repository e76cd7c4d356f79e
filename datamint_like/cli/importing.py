"""`datamint-like import`: files, folders and patterns become resources of a project."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import Any

from datamint_like._words import counted
from datamint_like.api.importing import ImportOptions, ImportReport, import_files
from datamint_like.cli._options import add_store_options, command, open_api
from datamint_like.cli._output import print_json, say, shape_text, shown, table
from datamint_like.imaging.types import Skipped

_EXAMPLE = """  datamint-like import scans/ --project liver-ct
  datamint-like import 'study/*.nii.gz' extra.png --project liver-ct --tag batch-1 --link"""
SOME_SKIPPED = 3
_REASONS = 10  # told in words; --json tells all


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser = command(commands, "import", "bring images into a project, which is made when it is missing", _EXAMPLE)
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a file, a folder (with its folders) or a pattern")
    parser.add_argument("--project", required=True, metavar="NAME", help="the project that the images join")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--copy", action="store_true", help="copy the files into the store (default)")
    how.add_argument("--link", action="store_true", help="leave the files where they are and register them")
    parser.add_argument(
        "--tag", action="append", default=[], metavar="T", help="a tag for every image; may be repeated"
    )
    parser.add_argument(
        "--on-error",
        choices=("skip", "raise"),
        default="skip",
        help="what a file that is no image does: it is left out (default), or nothing is imported",
    )
    parser.add_argument(
        "--anonymize",
        action="store_true",
        help="store the files without identity (DICOM PS3.15 basic profile; metadata of other formats dropped)",
    )
    parser.add_argument(
        "--allow-burned-in",
        action="store_true",
        help="with --anonymize: also images whose pixels may show who the patient is",
    )
    add_store_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Import and report; the exit code says whether files were left out."""
    options = ImportOptions(
        tags=tuple(args.tag),
        link=args.link,
        on_error=args.on_error,
        progress_bar=sys.stderr.isatty(),
        anonymize=args.anonymize,
        allow_burned_in=args.allow_burned_in,
    )
    with open_api(args) as api:
        report = import_files(api, args.paths, args.project, options)
        if args.json:
            print_json(_as_json(report, api.server_url))
        else:
            say("\n".join(_as_text(report, api.server_url)))
    return SOME_SKIPPED if report.skipped else 0


def _as_json(report: ImportReport, store: str) -> dict[str, Any]:
    return {
        "store": store,
        "project": {"id": report.project.id, "name": report.project.name, "created": report.project_created},
        "imported": [
            {
                "id": resource.id,
                "filename": resource.filename,
                "kind": resource.metadata.get("kind"),
                "shape": resource.metadata.get("shape"),
                "files": files,
            }
            for resource, files in report.imported
        ],
        "already_there": [{"filename": group.filename, "files": len(group.paths)} for group in report.already_there],
        "annotated": [
            {"file": each.path.name, "resource": each.resource_id, "annotations": each.count, "notes": list(each.notes)}
            for each in report.annotated
        ],
        "tagged": [{"id": each.id, "filename": each.filename} for each in report.tagged],
        "superseded": [
            {
                "id": each.held.id,
                "filename": each.held.filename,
                "files": each.files,
                "by": {"id": each.resource.id, "filename": each.resource.filename},
            }
            for each in report.superseded
        ],
        **_warnings_as_json(report),
        "anonymized": report.anonymized and {"files": report.anonymized.files, "rules": report.anonymized.rules},
        "annotations_already_there": [path.name for path in report.annotations_there],
        "skipped": [{"file": item.path.name, "reason": _reason(item)} for item in report.skipped],
    }


def _warnings_as_json(report: ImportReport) -> dict[str, Any]:
    """What should be looked at, by kind, and the same as sentences."""
    return {
        "overlapping": [
            {
                "id": each.resource.id,
                "filename": each.resource.filename,
                "files": each.files,
                "shared": each.shared,
                "held_by": {"id": each.held.id, "filename": each.held.filename},
                "kept_for": each.kept_for or None,
            }
            for each in report.overlapping
        ],
        "incomplete": [
            {
                "id": each.resource.id,
                "filename": each.resource.filename,
                "left_out": [item.path.name for item in each.left_out],
            }
            for each in report.incomplete
        ],
        "warnings": list(report.warnings),
    }


def _as_text(report: ImportReport, store: str) -> list[str]:
    name = report.project.name
    lines = [f"Project {name!r} was created in {store}."] if report.project_created else []
    files = sum(count for _, count in report.imported)
    lines.append(f"Imported {counted(len(report.imported), 'resource')} ({counted(files, 'file')}) into {name!r}.")
    if report.imported:
        rows = [
            (each.filename, each.metadata.get("kind", ""), shape_text(each.metadata.get("shape")), count, each.id)
            for each, count in report.imported
        ]
        lines.append(table(("NAME", "KIND", "SHAPE", "FILES", "ID"), rows))
    if report.already_there:
        lines.append(f"Already there, not added again: {counted(len(report.already_there), 'resource')}.")
    if report.tagged:
        lines.append(f"Tagged {counted(len(report.tagged), 'resource')} of those.")
    lines += _annotations_as_text(report)
    if report.skipped:
        lines.append(f"Left out: {counted(len(report.skipped), 'file')}.")
        reasons = Counter(_reason(item) for item in report.skipped)
        first = {_reason(item): item.path.name for item in reversed(report.skipped)}
        told = reasons.most_common(_REASONS)
        lines += [f"  {count:>5}  {shown(reason)} (such as {shown(first[reason])})" for reason, count in told]
        others = sum(reasons.values()) - sum(count for _, count in told)
        if others:
            lines.append(f"  {others:>5}  for other reasons, which --json lists")
    if report.anonymized is not None:
        lines += str(report.anonymized).splitlines()
    lines += [f"Replaced: {shown(str(each))}" for each in report.superseded]
    lines += [f"Warning: {shown(each)}" for each in report.warnings]
    lines.append(f"{name!r} now holds {counted(report.project.resource_count, 'resource')}.")
    return lines


def _annotations_as_text(report: ImportReport) -> list[str]:
    """What the segmentations and structure sets gave."""
    lines = []
    if report.annotated:
        files, made = len({each.path for each in report.annotated}), sum(each.count for each in report.annotated)
        lines.append(
            f"Attached {counted(made, 'annotation')} from {counted(files, 'annotation file')} (SEG, RTSTRUCT) to "
            f"{counted(len({each.resource_id for each in report.annotated}), 'resource')}."
        )
        lines += [f"  {each.path.name}: {note}" for each in report.annotated for note in each.notes]
    if report.annotations_there:
        lines.append(f"Already attached, not added again: {counted(len(report.annotations_there), 'annotation file')}.")
    return lines


def _reason(item: Skipped) -> str:
    """The reason without the file's name, so that equal reasons count together."""
    return item.reason.removeprefix(f"{item.path.name}: ").rstrip(".")
