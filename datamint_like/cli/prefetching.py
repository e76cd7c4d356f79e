"""`datamint-like prefetch`: all that a project's datasets need comes to this machine, before a training starts."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from datamint_like._words import counted
from datamint_like.cli._options import add_store_options, command, need_store, open_api
from datamint_like.cli._output import print_json, say, shown
from datamint_like.exceptions import DatamintWarning, ItemNotFoundError, ValidationError

if TYPE_CHECKING:
    from datamint_like.dataset.base import DatamintBaseDataset
    from datamint_like.dataset.prefetch import PrefetchReport

_EXAMPLE = """  datamint-like prefetch liver-ct --annotations
  datamint-like prefetch liver-ct --split train --slices axial --annotations --cache-dir /scratch/cache
  datamint-like prefetch --lock liver-ct.lock"""
INCOMPLETE = 3
_FRAMES, _AXES = "frames", ("axial", "coronal", "sagittal", "0", "1", "2")
_KINDS = ("image", "volume", "video")
_SUMS = ("resources", "files", "size", "packs_made", "packs_there")
_NAMED = 20  # failures told in words; --json tells all


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser = command(commands, "prefetch", "bring all that training needs of a project to this machine", _EXAMPLE)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("project", metavar="PROJECT", nargs="?", help="name or id of a project")
    what.add_argument("--lock", metavar="FILE", help="the state of a lock file instead, files checked by its digests")
    parser.add_argument(
        "--kind", action="append", choices=_KINDS, help="only resources of this kind; may be repeated (default: all)"
    )
    parser.add_argument("--split", metavar="PART", help="only this part of the project's split, such as train")
    parser.add_argument(
        "--slices",
        metavar="AXIS",
        help="also decode and pack the slices of volumes (axial, coronal, sagittal, 0, 1 or 2) or the frames of videos "
        "(frames), as datasets with default options read them",
    )
    parser.add_argument("--annotations", action="store_true", help="the files of segmentations, too")
    parser.add_argument("--cache-dir", metavar="DIR", help="where files are kept (default: DATAMINT_LIKE_CACHE)")
    parser.add_argument("--workers", type=int, default=16, metavar="N", help="files that come at once (default: 16)")
    add_store_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prefetch and report; the exit code is 0 only where everything is here."""
    with open_api(args) as api:
        need_store(api.server_url)
        store = api.server_url
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DatamintWarning)  # of labels and splits, which a training will tell
        reports = {
            kind: dataset.prefetch(
                args.annotations,
                slices=_slices_of(kind, args.slices),
                workers=args.workers,
                on_error="report",
                progress=sys.stderr.isatty(),
            )
            for kind, dataset in _wanted(args, store)
        }
    if args.json:
        print_json(_as_json(reports, args, store))
    else:
        say("\n".join(_as_text(reports, args)))
    return INCOMPLETE if _failures(reports) else 0


def _wanted(args: argparse.Namespace, store: str) -> Iterator[tuple[str, DatamintBaseDataset]]:
    """The datasets by kind, of one snapshot; those without a resource are left out.

    Raises:
        ItemNotFoundError: The project's split has no such part.
        ValidationError: Slices were asked for along no axis or of kinds that have none, or a path is empty.
    """
    from datamint_like import ImageDataset, VideoDataset, VolumeDataset

    classes: dict[str, type[DatamintBaseDataset]] = {
        "image": ImageDataset,
        "volume": VolumeDataset,
        "video": VideoDataset,
    }
    kinds = [kind for kind in _KINDS if not args.kind or kind in args.kind]
    if args.cache_dir is not None and not args.cache_dir.strip():
        raise ValidationError("--cache-dir is empty: name a folder, or leave it out.")
    if args.slices not in (None, _FRAMES, *_AXES):
        raise ValidationError(
            f"--slices {args.slices} is no axis: volumes have {', '.join(_AXES[:-1])} and {_AXES[-1]}, videos have "
            f"{_FRAMES}."
        )
    if args.slices is not None and all(_slices_of(kind, args.slices) is None for kind in kinds):
        raise ValidationError(
            f"--slices {args.slices} is not of {' and '.join(kinds)} resources: leave it or --kind out."
        )
    parts: set[str] = set()
    for number, kind in enumerate(kinds):
        options: dict[str, Any] = {"server_url": store, "cache_dir": args.cache_dir, "irregular_spacing": "keep"}
        whole = classes[kind](args.project, lock=args.lock, auto_update=not number or args.split is not None, **options)
        if not len(whole):
            continue
        if args.split is None:
            yield kind, whole
            continue
        split = whole.split()
        parts |= set(split)
        if args.split in split:
            yield kind, split[args.split]
    if args.split is not None and args.split not in parts:
        raise ItemNotFoundError(f"The split of {_named(args)!r} has no part {args.split!r}; it has {sorted(parts)}.")


def _named(args: argparse.Namespace) -> str:
    """The project or lock file, as it was called."""
    return str(args.project if args.lock is None else args.lock)


def _slices_of(kind: str, slices: str | None) -> str | int | None:
    """What `prefetch(slices=)` of a kind gets."""
    if slices is None or kind != ("video" if slices == _FRAMES else "volume"):
        return None
    return int(slices) if slices.isdecimal() else slices


def _failures(reports: Mapping[str, PrefetchReport]) -> list[str]:
    return [failure for report in reports.values() for failure in report.failures]


def _as_json(reports: Mapping[str, PrefetchReport], args: argparse.Namespace, store: str) -> dict[str, Any]:
    failures = _failures(reports)
    masks = [report.masks for report in reports.values() if report.masks is not None]
    return {
        "store": store,
        "project": args.project,
        "lock": args.lock,
        "complete": not failures,
        **{name: sum(getattr(report, name) for report in reports.values()) for name in _SUMS},
        "masks": sum(masks) if masks else None,
        "splits": sorted({name for report in reports.values() for name in report.splits}),
        "failures": failures,
        "kinds": {kind: asdict(report) for kind, report in reports.items()},
    }


def _as_text(reports: Mapping[str, PrefetchReport], args: argparse.Namespace) -> list[str]:
    failures = _failures(reports)
    lines = [f"{kind}: {replace(report, failures=())}" for kind, report in reports.items()]
    of_slices = "video" if args.slices == _FRAMES else "volume"
    where = ("The project" if args.lock is None else "The lock file") if args.split is None else f"Part {args.split!r}"
    if not reports:
        lines.append(f"There is nothing to bring: {where[0].lower()}{where[1:]} has no such resources.")
    elif args.slices is not None and of_slices not in reports:
        lines.append(f"{where} has no {of_slices}s: no slices ({args.slices}) were packed.")
    if failures:
        lines.append(f"Incomplete: {counted(len(failures), 'failure')}. Run the command again to go on.")
        lines += [f"  {shown(failure)}" for failure in failures[:_NAMED]]
    if len(failures) > _NAMED:
        lines.append(f"  and {len(failures) - _NAMED} more, which --json lists")
    return lines
