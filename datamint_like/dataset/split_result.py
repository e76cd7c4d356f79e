"""The parts of a split, by name: saved to the project that they come from, and reported on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from datamint_like.backends import open_backend
from datamint_like.dataset.holdings import Holdings
from datamint_like.dataset.saved_splits import keep_saved
from datamint_like.dataset.split_report import SplitReport, report_of
from datamint_like.exceptions import DatamintDatasetException

D = TypeVar("D", bound=Holdings)


class SplitResult(dict[str, D]):
    """Name to dataset: a dict, which can also save itself to the project and report what its parts hold.

    Example:
        >>> parts = dataset.split(train=0.8, val=0.2, seed=42, by_patient=True)
        >>> instant = parts.save()
        >>> dataset.split(as_of_timestamp=instant)["val"].resources
        <1 item: [...]>
    """

    def __init__(self, parts: Mapping[str, D], whole: D) -> None:
        """Keep the parts, and what they are parts of."""
        super().__init__(parts)
        self._whole = whole

    def __reduce__(self) -> tuple[type[SplitResult[D]], tuple[dict[str, D], D]]:
        return type(self), (dict(self), self._whole)

    def save(self) -> str:
        """Write the parts to the project as its split assignments, all in one step.

        Resources of the split dataset that are in no part lose their assignment; those outside of it keep theirs.
        Slices save their volumes. The store is asked whatever `auto_update` says, unless `DATAMINT_LIKE_OFFLINE`
        forbids it. From then on `dataset.split()` gives parts of the same items, in the order of the dataset.

        Returns:
            The instant (ISO 8601) for `split(as_of_timestamp=...)`, which gives these parts whatever is assigned later.

        Raises:
            DatamintDatasetException: The dataset is of resources and not of a project, or a resource is in two parts.
            ItemNotFoundError, ValidationError: A resource was deleted, or left the project.

        Example:
            >>> instant = dataset.split(train=0.7, val=0.3, seed=42).save()
            >>> parts = dataset.split(as_of_timestamp=instant)  # these parts, whatever is assigned later
            >>> {name: len(part) for name, part in parts.items()}
            {'train': 2, 'val': 1}
        """
        prepared = self._whole._prepared
        project = prepared.snapshot.meta.project
        if project is None:
            raise DatamintDatasetException(
                "A split is saved to a project; this dataset is made of resources=. Make it with project= to save it."
            )
        ids = prepared.snapshot.column("id")
        names: dict[str, str | None] = {ids[row]: None for row in np.unique(self._whole._resource_rows())}
        for name, part in self.items():
            for row in np.unique(part._resource_rows()):
                other = names.get(ids[row])
                if other is not None:
                    raise DatamintDatasetException(
                        f"Resource {ids[row]} is in the parts {other!r} and {name!r}; a project assigns each resource "
                        "to one split. Take it out of one of them."
                    )
                names[ids[row]] = name
        source = self._whole._source
        backend = open_backend(source.store_url, api_key=self._whole._api_key)
        try:
            instant = backend.assign_splits(project.id, names)
            keep_saved(backend, project, prepared, source, instant)
        finally:
            backend.close()
        return instant

    def report(self) -> SplitReport:
        """What the parts hold, and what they share: sizes, patients, balance of labels, disjointness.

        Example:
            >>> print(dataset.split(train=0.7, val=0.3, seed=42).report())
                                        train       val
            items                           2         1
            resources                       2         1
            patients                        0         0
            without patient id              2         1
            category view = frontal  2 (100%)  1 (100%)
            image label chest        2 (100%)    0 (0%)
            image label leg            0 (0%)  1 (100%)
            segmentation lung        2 (100%)    0 (0%)
            no resource is in two parts
            no patient is in two parts (3 resources without a patient id are not judged)
        """
        return report_of(self, self._whole._prepared)
