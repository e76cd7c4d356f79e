"""One digest that says which data a dataset holds and how its items are made."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from datamint_like.dataset.prepared import Prepared


def fingerprint(
    prepared: Prepared,
    resource_rows: npt.NDArray[np.int64],
    planes: npt.NDArray[np.int64],
    options: tuple[object, ...],
) -> str:
    """SHA-256 over ids, versions and annotations of the rows in order, the label space and the options.

    Args:
        prepared: What the dataset shares with its root.
        resource_rows: The snapshot's row of each item.
        planes: Which slice of it each item is; 0 for whole items.
        options: Frozen options, by their stable `repr`.
    """
    digest = hashlib.sha256(repr((prepared.space.fingerprint(), options)).encode())
    digests = prepared.snapshot.column("digest")
    starts = np.flatnonzero(np.diff(resource_rows, prepend=-1))
    stops = np.append(starts[1:], len(planes))[: len(starts)]  # none of an empty dataset
    for start, stop in zip(starts, stops, strict=True):
        resource = int(resource_rows[start])
        digest.update(f"{digests[resource]}:{stop - start}:".encode())
        digest.update(np.ascontiguousarray(planes[start:stop]).tobytes())
    return digest.hexdigest()
