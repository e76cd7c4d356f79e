"""Which .hdr and .img files belong together: the two parts of one NIfTI resource."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from datamint_like.imaging.sniff import describe, is_analyze, is_nifti, is_nifti_pair, read_head

_NAME = re.compile(r"(?P<stem>.+)\.(?P<kind>hdr|img)(?P<gzip>\.gz)?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Pairs:
    """What pairing by name found.

    Attributes:
        images: The image of each header.
        alone: Why an `.img` file has no header, should it be no image by itself.
    """

    images: dict[Path, Path] = field(default_factory=dict)
    alone: dict[Path, str] = field(default_factory=dict)

    def parts(self, path: Path) -> tuple[Path, ...]:
        """The files of the resource that starts with this one."""
        return (path, self.images[path]) if path in self.images else (path,)


def pair_up(paths: Iterable[Path]) -> Pairs:
    """The pairs among these files: equal names in one folder but for `.hdr` and `.img`, in any case, maybe with `.gz`.

    What a header is decides its content, so a file of another format that is called `.img` stays what it is, unless
    a NIfTI header claims it.
    """
    found: dict[tuple[str, str], dict[str, list[Path]]] = {}
    for path in sorted(paths):
        if match := _NAME.fullmatch(path.name):
            folder = os.path.realpath(path.parent)  # however it was spelled
            kinds = found.setdefault((folder, match["stem"]), {"hdr": [], "img": []})
            kinds[match["kind"].lower()].append(path)
    pairs = Pairs()
    for (_, stem), kinds in found.items():
        _pair(stem, kinds["hdr"], kinds["img"], pairs)
    return pairs


def name_of_pair(header: Path) -> str:
    """The name of the resource: that of the one file that a download gives."""
    match = _NAME.fullmatch(header.name)
    return f"{match['stem'] if match else header.name}.nii"


def _pair(stem: str, headers: list[Path], images: list[Path], pairs: Pairs) -> None:
    """Add the pairs of files of one name; an image of the same compression goes before another."""
    reason = f"it is no image by itself, and its header {stem}.hdr is missing. Give both files of the pair."
    for header in headers:
        head = _head(header)
        if not (is_nifti(head) and is_nifti_pair(head)):
            what = describe(head) if is_analyze(head) or not head else "no header of a NIfTI pair"
            reason = f"its header {header.name} is {what}."
        elif images:
            image = next((path for path in images if _is_gz(path) == _is_gz(header)), images[0])
            images.remove(image)
            pairs.images[header] = image
            reason = f"its header {header.name} belongs to {image.name}."
    pairs.alone.update(dict.fromkeys(images, reason))


def _head(path: Path) -> bytes:
    """The first bytes of a file; none where it cannot be read, which whoever looks at it next will say."""
    try:
        return read_head(path)
    except OSError:
        return b""


def _is_gz(path: Path) -> bool:
    return path.name.lower().endswith(".gz")
