"""What the repository ships: small, with its notices, and with pins for everything."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[2]
CONSTRAINTS = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
PINS = {
    canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)$", CONSTRAINTS, re.MULTILINE)
}


def test_shipped_images_stay_under_six_megabytes(demo_images: Path) -> None:
    assert sum(path.stat().st_size for path in demo_images.rglob("*") if path.is_file()) < 6_000_000


def test_every_shipped_image_is_in_the_notice(demo_images: Path) -> None:
    notice = (demo_images / "NOTICE.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w./*]+)`", notice)
    covered = {path for pattern in named for path in demo_images.glob(pattern if "." in pattern else f"{pattern}*")}
    missing = [
        path.name
        for path in demo_images.rglob("*")
        if path.is_file() and path.name != "NOTICE.md" and path not in covered
    ]
    assert missing == []


def test_the_notice_carries_each_licence(demo_images: Path) -> None:
    notice = (demo_images / "NOTICE.md").read_text(encoding="utf-8")
    for words in ("Copyright (c) 2018-2019, Chris Rorden", "NIH Clinical Center", "CVPR 2017", "pydicom contributors"):
        assert words in notice


def test_the_licence_is_the_whole_apache_licence() -> None:
    text = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


#: What torch's GPU builds bring along; torch pins these exactly by itself, and its CPU build has none of them.
GPU_PACKAGES = ("nvidia-", "cuda-", "triton")


def test_every_dependency_direct_and_transitive_is_pinned() -> None:
    seen: set[str] = set()
    queue = [("datamint-like", frozenset({"", "all", "dev", "notebooks"}))]
    while queue:
        name, extras = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            lines = requires(name) or []
        except PackageNotFoundError:
            continue
        for requirement in map(Requirement, lines):
            if name == "torch" and requirement.name.startswith(GPU_PACKAGES):
                continue
            wanted = requirement.marker is None or any(requirement.marker.evaluate({"extra": e}) for e in extras)
            if wanted:
                queue.append((canonicalize_name(requirement.name), frozenset({"", *requirement.extras})))
    assert seen - {"datamint-like"} - set(PINS) == set()


def test_torch_is_pinned_to_the_release_without_a_local_version() -> None:
    assert PINS["torch"] == "2.13.0"
