"""Whether what a cache holds is what it should be."""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from datamint_like._cache.entries import Entry, Kind, pointed_at
from datamint_like._cache.use import no_use
from datamint_like._files import sha256_of
from datamint_like.backends.remote.versions import is_digest
from datamint_like.catalog import Snapshot
from datamint_like.catalog.kept_splits import fault_of, is_kept_splits
from datamint_like.catalog.snapshot import FORMAT
from datamint_like.exceptions import CacheError
from datamint_like.slices.pack import SUFFIX, Pack
from datamint_like.slices.raw_pack import RawPack


@dataclass(frozen=True)
class Damage:
    """An entry of a cache that is not what it should be.

    Attributes:
        kind: Of the entry.
        name: Its path in the cache.
        reason: What is wrong with it.
        removed: Whether it was removed.
    """

    kind: Kind
    name: str
    reason: str
    removed: bool


@dataclass(frozen=True)
class Verified:
    """What a check of a cache found.

    Attributes:
        checked: Sound and damaged entries that were checked, by kind.
        unchecked: Files whose server names no digest, and snapshots of other versions.
        damaged: What is damaged.
    """

    checked: Mapping[Kind, int]
    unchecked: int
    damaged: tuple[Damage, ...]


def verify(cache: Path, among: Iterable[Entry], *, remove: bool) -> Verified:
    """What of some entries is damaged: files and splits by digests, slices of packs by CRCs, snapshots as databases.

    Args:
        cache: The cache folder.
        among: The entries to check.
        remove: Remove what is damaged; it is fetched or made again when it is needed.
    """
    checked, unchecked, damaged = Counter[Kind](), 0, []
    for entry in among:
        path = cache / entry.name
        try:
            with no_use():
                reason = _fault(entry, path)
        except FileNotFoundError:  # it went meanwhile
            continue
        except NotImplementedError:
            unchecked += 1
            continue
        if entry.kind in ("file", "pack", "snapshot") or _is_of_splits(entry):
            checked[entry.kind] += 1
        if reason is not None:
            damaged.append(Damage(entry.kind, entry.name, reason, remove and _removed(path)))
    return Verified(dict(checked), unchecked, tuple(damaged))


def _fault(entry: Entry, path: Path) -> str | None:
    """What is wrong with an entry.

    Raises:
        FileNotFoundError: It is gone.
        NotImplementedError: Nothing tells whether it is sound.
    """
    try:
        if entry.kind == "file":
            return _fault_of_file(path)
        if entry.kind == "pack":
            _read_pack(path)
        if entry.kind == "snapshot":
            return _fault_of_snapshot(path)
        if _is_of_splits(entry):
            return fault_of(path)
    except FileNotFoundError:
        raise
    except CacheError as error:
        path.stat()
        return str(error)
    except OSError as error:
        return f"It cannot be read ({error.strerror})."
    return None


def _is_of_splits(entry: Entry) -> bool:
    return entry.kind == "other" and entry.name.startswith("catalog/") and is_kept_splits(Path(entry.name))


def _fault_of_file(path: Path) -> str | None:
    if not stat.S_ISREG(path.lstat().st_mode):
        return "It is no plain file."
    if not is_digest(path.name):
        raise NotImplementedError
    found = sha256_of(path)
    return None if found == path.name else f"Its SHA-256 is {found}."


def _read_pack(path: Path) -> None:
    """Read all slices.

    Raises:
        CacheError: It is damaged.
    """
    if not path.name.endswith(SUFFIX):
        RawPack(path).read(0)
        return
    pack = Pack(path)
    for index in range(len(pack)):
        pack.read(index)


def _fault_of_snapshot(path: Path) -> str | None:
    if not path.name.endswith(f".{FORMAT}.sqlite"):
        raise NotImplementedError
    name, digest = pointed_at(path.parent)
    if name == path.name and digest and (found := sha256_of(path)) != digest:
        return f"Its SHA-256 is {found}, not that of when it was written."
    return Snapshot(path).fault()


def _removed(path: Path) -> bool:
    with suppress(OSError):
        path.unlink()
    return not path.exists()
