"""MLflow: what a dataset is, for `mlflow.log_input`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import torch

from datamint_like._optional import need
from datamint_like.dataset.holdings import Holdings
from datamint_like.dataset.summary import counts_of, label_space_in_words

#: Digits of the fingerprint that are the digest; MLflow refuses more than 36.
DIGEST_LENGTH = 32


def build_mlflow_dataset(dataset: Holdings) -> Any:
    """The `mlflow.data.dataset.Dataset` of a dataset; see `DatamintBaseDataset.build_mlflow_dataset`.

    Reads one item, for the types of its keys.
    """
    need("mlflow.data", extra="mlflow")
    from datamint_like.integrations._mlflow_dataset import DatamintMlflowDataset, DatamintSource

    dataset.prepare()
    return DatamintMlflowDataset(
        source=DatamintSource(**source_of(dataset)),
        name=name_of(dataset),
        digest=dataset.fingerprint[:DIGEST_LENGTH],
        fields=fields_of(dataset),
        profile=profile_of(dataset),
    )


def name_of(dataset: Holdings) -> str:
    """Project and part, as `"liver-ct/train"`; MLflow refuses more than 500 characters."""
    project = dataset.project
    parts = [project.name if project else type(dataset).__name__, *([dataset.split_name] if dataset.split_name else [])]
    return "/".join(parts)[:500]


def source_of(dataset: Holdings) -> dict[str, Any]:
    """Where the data comes from: store, project, revision, and the split that it is a part of."""
    meta, project = dataset._prepared.snapshot.meta, dataset.project
    return {
        "store_url": without_secrets(meta.store_url),
        "project": project.name if project else None,
        "project_id": project.id if project else None,
        "revision": str(meta.revision),
        "dataset_class": type(dataset).__name__,
        "split_name": dataset.split_name,
        "split_source": dataset.split_source,
        "split_as_of_timestamp": dataset.split_as_of_timestamp,
    }


def without_secrets(url: str) -> str:
    """A store's URL without user, password, query and fragment, where keys may stand.

    Example:
        >>> without_secrets("https://me:secret@data.example:8080/store?key=1")
        'https://data.example:8080/store'
    """
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def profile_of(dataset: Holdings) -> dict[str, Any]:
    """Counts, label space, the whole fingerprint, and the split; annotators are counted, not named."""
    counts = asdict(counts_of(dataset._prepared, dataset._resource_rows()))
    counts["annotations"] = {f"{kind} {name}": count for (kind, name), count in counts["annotations"].items()}
    counts["annotators"] = len(counts["annotators"])
    return {
        **counts,
        "label_space": label_space_in_words(dataset._prepared.space),
        "fingerprint": dataset.fingerprint,
        "split_name": dataset.split_name,
        "split_source": dataset.split_source,
        "split_as_of_timestamp": dataset.split_as_of_timestamp,
    }


def fields_of(dataset: Holdings) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Each key of an item that holds tensors: its type, and its shape with -1 where items may differ.

    Types and the number of axes are those of the first item; the sizes of `image` are kept where all resources agree
    by their headers. A key with one tensor an author is one field.
    """
    if not len(dataset):
        return {}
    found: dict[str, tuple[str, tuple[int, ...]]] = {}
    for key, value in dataset[0].items():
        tensor = next(iter(value.values()), None) if isinstance(value, Mapping) else value
        if isinstance(tensor, torch.Tensor):
            dtype = str(tensor.dtype).removeprefix("torch.")
            fixed = tuple(tensor.shape) if _is_fixed(key, tensor, value) else (-1,) * tensor.ndim
            found[key] = dtype, fixed
    found["image"] = found["image"][0], _image_shape(dataset, found["image"][1])
    return found


def _is_fixed(key: str, tensor: torch.Tensor, value: Any) -> bool:
    """Whether every item's tensor under this key has this shape: vectors over the label space."""
    return key == "image" or (key in ("image_labels", "image_categories") and tensor.ndim <= 1 and value is not None)


def _image_shape(dataset: Holdings, first: tuple[int, ...]) -> tuple[int, ...]:
    """The first item's shape where all resources are stored alike and nothing changes sizes, else -1 throughout."""
    if dataset._transforms:
        return (-1,) * len(first)
    one_each = np.unique(dataset._resource_rows(), return_index=True)[1].tolist()
    stored = {(tuple(m["stored_shape"]), m["frame_axis"]) for m in map(dataset.get_metainfo, one_each)}
    return first if len(stored) == 1 else (first[0], *(-1,) * (len(first) - 1))
