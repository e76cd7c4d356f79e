"""What a dataset was asked for, frozen: where its rows come from and how its items look."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, Literal

import numpy as np

from datamint_like._cache import CacheFolder
from datamint_like.annotations import MergeStrategy, check_strategy
from datamint_like.backends._urls import is_server
from datamint_like.config import load_settings
from datamint_like.entities import AnnotationWorklist, Project, Resource
from datamint_like.exceptions import DatamintDatasetException

Worklists = Sequence[AnnotationWorklist] | Literal["all"] | None


def flag(keyword: str, value: object) -> bool:
    """The value of an argument that is True or False; numpy's are taken too.

    Raises:
        DatamintDatasetException: It is something else: a text such as "no" would count as True.
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise DatamintDatasetException(f"{keyword} is True or False, not {value!r:.80}.")


def settle_flags(options: object, *keywords: str) -> None:
    """Check these fields of a frozen dataclass with `flag`, and keep them as Python's own."""
    for keyword in keywords:
        object.__setattr__(options, keyword, flag(keyword, getattr(options, keyword)))


@dataclass(frozen=True)
class Source:
    """Which rows: a project, a list of resource ids, or a lock file, of one store. Holds no key.

    Attributes:
        store_url: The store.
        cache: Where snapshots lie on this machine.
        project: Name, id or record; None where one of the next two is given.
        resource_ids: The resources, in order.
        lock: The lock file.
        auto_update: Ask the store for changes and missing files; otherwise open the newest snapshot.
        worklists: `"all"`, None (label space from the data), or worklist ids.
        strict_kind: Raise where resources of another kind would be left out.
        include_unannotated: Keep resources without a kept annotation.
    """

    store_url: str
    cache: CacheFolder
    project: str | Project | None
    resource_ids: tuple[str, ...] | None
    lock: Path | None
    auto_update: bool
    worklists: tuple[str, ...] | Literal["all"] | None
    strict_kind: bool
    include_unannotated: bool

    def __post_init__(self) -> None:
        settle_flags(self, "auto_update", "strict_kind", "include_unannotated")
        if not isinstance(self.project, (str, Project, NoneType)):
            raise DatamintDatasetException(f"project is a name, an id or a Project, not {self.project!r:.80}.")

    @property
    def may_ask(self) -> bool:
        """Whether the store may be asked: `DATAMINT_LIKE_OFFLINE` keeps to what is on this machine."""
        return not is_server(self.store_url) or not load_settings().offline

    @property
    def follows(self) -> bool:
        """Whether the store is asked what changed."""
        return self.auto_update and self.may_ask


_ITEM_FLAGS = (
    "return_metainfo",
    "return_segmentations",
    "return_as_semantic_segmentation",
    "return_objects",
    "return_boxes",
)


@dataclass(frozen=True)
class Output:
    """How an item looks; the names are those of the constructor's keywords."""

    return_metainfo: bool = True
    return_segmentations: bool = True
    return_as_semantic_segmentation: bool = False
    semantic_seg_merge_strategy: MergeStrategy | None = None
    image_labels_merge_strategy: MergeStrategy | None = None
    image_categories_merge_strategy: MergeStrategy | None = None
    return_objects: bool = True
    return_boxes: bool = False

    def __post_init__(self) -> None:
        settle_flags(self, *_ITEM_FLAGS)
        for keyword in (
            "semantic_seg_merge_strategy",
            "image_labels_merge_strategy",
            "image_categories_merge_strategy",
        ):
            value = getattr(self, keyword)
            if value is not None:
                check_strategy(keyword, value)
        if self.return_as_semantic_segmentation and not self.return_segmentations:
            raise DatamintDatasetException(
                "return_as_semantic_segmentation=True needs return_segmentations=True: there is nothing to convert."
            )
        if self.semantic_seg_merge_strategy is not None and not self.return_as_semantic_segmentation:
            raise DatamintDatasetException(
                "semantic_seg_merge_strategy merges semantic masks: pass return_as_semantic_segmentation=True as well."
            )


def resource_ids_of(resources: Sequence[Resource | str] | Resource | str) -> tuple[str, ...]:
    """The ids of resources given as records or ids; one of either is a list of one.

    Raises:
        DatamintDatasetException: One is neither, or one stands twice.
    """
    if isinstance(resources, (str, Resource)):
        resources = [resources]
    if not isinstance(resources, Iterable):
        raise DatamintDatasetException(f"resources= takes Resource objects or ids, not {resources!r:.80}.")
    ids = tuple(item.id if isinstance(item, Resource) else item for item in resources)
    for item in ids:
        if not isinstance(item, str):
            raise DatamintDatasetException(f"resources= takes Resource objects or ids, found {type(item).__name__}.")
    if len(set(ids)) < len(ids):
        twice = next(item for n, item in enumerate(ids) if item in ids[:n])
        raise DatamintDatasetException(f"resources= names {twice} twice; name each resource once.")
    return ids


def names_of(keyword: str, names: Sequence[str] | str | None) -> tuple[str, ...] | None:
    """Names as a tuple; a single string is one name, not its letters.

    Raises:
        DatamintDatasetException: It is no list of texts.
    """
    if names is None:
        return None
    found = (names,) if isinstance(names, str) else tuple(names) if isinstance(names, Iterable) else (names,)
    if not all(isinstance(name, str) for name in found):
        raise DatamintDatasetException(f"{keyword}= takes a list of names, not {names!r}.")
    return found


def folder_of(keyword: str, folder: object) -> Path:
    """The folder as an absolute path.

    Raises:
        DatamintDatasetException: It is no path.
    """
    with suppress(TypeError, RuntimeError):  # it is no path of text, or names the home of a user that there is not
        path = Path(folder).expanduser()  # type: ignore[arg-type]
        if str(folder).strip() and "\0" not in str(path):
            return path.absolute()
    raise DatamintDatasetException(f"{keyword} is the path of a folder, or None, not {folder!r:.80}.")


def key_of(api_key: object) -> str | None:
    """The key of a server, which no message shows.

    Raises:
        DatamintDatasetException: It is no text.
    """
    if api_key is None or isinstance(api_key, str):
        return api_key
    raise DatamintDatasetException(
        f"api_key is a text, or None for that of the settings, not a {type(api_key).__name__}."
    )


def dtype_name(dtype: object) -> object:
    """The name of a torch or numpy type; anything else as it is, for `ReadOptions` to judge."""
    if dtype is None or isinstance(dtype, str):
        return dtype
    if isinstance(dtype, (type, np.dtype)):
        return np.dtype(dtype).name
    return str(dtype).removeprefix("torch.")


def worklist_ids_of(worklists: Worklists) -> tuple[str, ...] | Literal["all"] | None:
    """The worklists by id; `"all"` and None as they are.

    Raises:
        DatamintDatasetException: It is other text, or a member is no worklist.
    """
    if worklists is None or worklists == "all":
        return "all" if worklists == "all" else None
    if isinstance(worklists, str) or not all(isinstance(item, (AnnotationWorklist, str)) for item in worklists):
        raise DatamintDatasetException(
            f"worklists is 'all', None, or a list of AnnotationWorklist objects or ids, not {worklists!r}."
        )
    return tuple(item.id if isinstance(item, AnnotationWorklist) else str(item) for item in worklists)


def check_origin(class_name: str, auto_update: object, **given: object) -> None:
    """Refuse several or none of `project`, `resources` and `lock`, and `auto_update=False` of resources.

    Raises:
        DatamintDatasetException: As it says.
    """
    named = [f"{name}=" for name, value in given.items() if value is not None]
    if len(named) != 1:
        raise DatamintDatasetException(
            f"{class_name} takes either project= or resources= or lock=, got {' and '.join(named) or 'none of them'}."
        )
    if given["resources"] is not None and not auto_update:
        raise DatamintDatasetException(
            "auto_update=False opens the newest snapshot of a project; a list of resources has none. Give project=."
        )


def lock_file(lock: object) -> Path:
    """The absolute path of a lock file that is there.

    Raises:
        DatamintDatasetException: It is no path, or of no file.
    """
    if not isinstance(lock, (str, os.PathLike)) or not os.fspath(lock):
        raise DatamintDatasetException(f"lock is the path of a lock file, not {lock!r:.80}.")
    path = Path(os.fsdecode(lock)).expanduser().absolute()
    if not path.is_file():
        raise DatamintDatasetException(
            f"There is no lock file {lock}. Write one: datamint-like lock PROJECT > project.lock"
        )
    return path


#: Beyond any count of slices, voxels of an extent, or patches that is meant.
_MOST = 2**31 - 1


def whole_number(keyword: str, value: Any, *, least: int) -> int:
    """`value` as an int.

    Raises:
        DatamintDatasetException: It is no whole number, below `least`, or has more than 31 bits.
    """
    whole = hasattr(value, "__index__") and not isinstance(value, (bool, np.bool_))
    if not whole or not least <= value.__index__() <= _MOST:
        raise DatamintDatasetException(f"{keyword} is a whole number from {least}, not {value!r:.80}.")
    return int(value.__index__())
