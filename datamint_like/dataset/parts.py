"""Parts of a dataset: subsets, splits and filters, which share its snapshot, label space and caches."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Never, Self

import numpy as np
import numpy.typing as npt

from datamint_like._words import counted
from datamint_like.dataset import filters, splits
from datamint_like.dataset.holdings import Holdings
from datamint_like.dataset.marks import strata_of
from datamint_like.dataset.options import names_of
from datamint_like.dataset.reader import Reader
from datamint_like.dataset.rows import RowNumbers, as_array, as_row_numbers, take
from datamint_like.dataset.split_result import SplitResult
from datamint_like.entities import Annotation, Resource


class Parts(Holdings):
    """The half of a dataset that makes smaller ones of it; a part never grows back."""

    _reader: Reader | None

    def _with_rows(self, rows: RowNumbers, split: splits.SplitOrigin | None = None) -> Self:
        """The same dataset over other rows; snapshot, label space and memory cache are shared."""
        part = copy.copy(self)
        part.__dict__.pop("fingerprint", None)
        part._reader = self._read
        part._state = self._prepared, rows
        part._split = self._split if split is None else split
        return part

    def __copy__(self) -> Self:
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin

    def subset(self, indices: Sequence[int] | npt.NDArray[Any]) -> Self:
        """A dataset of some items, in the order given.

        Args:
            indices: Whole numbers (negative ones count from the end), or a mask of True and False as long as the
                dataset.

        Raises:
            IndexError: There is no such item, or a mask is not as long as the dataset.
            TypeError: An index is no whole number.

        Example:
            >>> dataset.subset([0, -1])
            ImageDataset(project='chest', 2 items)
            >>> dataset.subset([True, False, True]).resources[1].filename
            'cr_16bit.png'
        """
        chosen = np.asarray(indices)
        if chosen.dtype == bool:
            if chosen.shape != (len(self),):
                raise IndexError(
                    f"A mask of shape {chosen.shape} for a {type(self).__name__} with {counted(len(self), 'item')}."
                )
            return self._with_rows(take(self._rows, np.flatnonzero(chosen)))
        return self._with_rows(take(self._rows, [self._position(index) for index in indices]))

    def split(
        self,
        *,
        seed: int | None = None,
        use_server_splits: bool | None = None,
        use_project_splits: bool | None = None,
        as_of_timestamp: str | None = None,
        by_patient: bool = False,
        stratify: str | None = None,
        **ratios: float,
    ) -> SplitResult[Self]:
        """The dataset in named parts that share nothing.

        With ratios: items (volumes, for slices; patients, with `by_patient`) are shuffled by
        `random.Random(seed)` and cut into consecutive parts. Without: by the project's split assignments; of a
        dataset made of `resources=`, by their `split:<name>` tags. Assignments of a server are kept once they were
        read, or saved, so that without it the same instant, or the state of the same sync, is replayed.

        Args:
            seed: Equal seeds give equal parts; None differs from call to call.
            use_server_splits: True takes the `split:<name>` tags of the resources. Deprecated; a resource with two
                such tags is in both parts.
            use_project_splits: True asks for the project's assignments; False, without ratios, for the tags.
            as_of_timestamp: Resolve the assignments as they were at this ISO 8601 instant.
            by_patient: Never put two resources of one patient into different parts; a resource without a
                patient id counts as a patient of its own.
            stratify: Name of a category, image label, frame label, segmentation class or box (the first kind that has
                it): each part gets its share of the resources (or patients) with each value, rounded down or up.
            **ratios: Share of each part, as `train=0.8, val=0.2`; they sum to 1.

        Returns:
            Name to dataset, which also has `save()` and `report()`.

        Raises:
            DatamintDatasetException: Ratios that are no shares of 1, arguments that exclude each other, no
                assignments or tags, or nothing is called what `stratify` says.
            CacheError: The server may not be asked, and these assignments were not read on this machine.

        Warns:
            PatientLeakageWarning: A known patient is in two parts.
            DatamintWarning: Too few resources (or patients) for the ratios: a part is empty.
            DeprecationWarning: The parts come from tags.

        Example:
            >>> parts = dataset.split(train=0.5, val=0.5, seed=42, by_patient=True)
            >>> len(parts["train"]) + len(parts["val"]) == len(dataset)
            True
        """
        request = splits.SplitRequest(
            shuffle=splits.Shuffle(seed, by_patient, stratify),
            use_server_splits=use_server_splits,
            use_project_splits=use_project_splits,
            as_of_timestamp=as_of_timestamp,
            ratios=ratios,
        )
        strata = self._strata(stratify)
        parts = splits.split(request, self._groups(), self._prepared, self._source, strata, api_key=self._api_key)
        return SplitResult({name: self._with_rows(rows, origin) for name, (origin, rows) in parts.items()}, self)

    def kfold(
        self, n: int, *, seed: int | None = None, by_patient: bool = False, stratify: str | None = None
    ) -> list[SplitResult[Self]]:
        """`n` splits into `train` and `val` for cross-validation: every item is in exactly one `val`.

        Units (resources; patients, with `by_patient`) are shuffled by `random.Random(seed)` and cut into `n`
        consecutive folds of equal size, the first ones taking one more; each is `val` once, and `train` the others.

        Args:
            n: How many folds, from 2 to the number of units.
            seed: Equal seeds give equal folds; None differs from call to call.
            by_patient: As for `split`.
            stratify: As for `split`: each fold gets its share.

        Raises:
            DatamintDatasetException: `n` is too small or too large, or nothing is called what `stratify` says.

        Warns:
            PatientLeakageWarning: A known patient is in two folds.

        Example:
            >>> folds = dataset.kfold(3, seed=42, by_patient=True)
            >>> sum(len(fold["val"]) for fold in folds) == len(dataset)
            True
        """
        shuffle = splits.Shuffle(seed, by_patient, stratify)
        held = [as_array(rows) for rows in splits.folds(n, shuffle, self._groups(), self._strata(stratify))]
        results = []
        for number, val in enumerate(held):
            sides = {"train": np.concatenate(held[:number] + held[number + 1 :]), "val": val}
            parts = {
                name: self._with_rows(as_row_numbers(rows), splits.SplitOrigin(name, "local"))
                for name, rows in sides.items()
            }
            results.append(SplitResult(parts, self))
        return results

    def _groups(self) -> splits.Groups:
        patients = self._prepared.snapshot.column("patient")
        return splits.Groups(as_array(self._rows), self._resource_rows(), patients)

    def _strata(self, stratify: str | None) -> splits.Strata | None:
        return None if stratify is None else strata_of(stratify, self._prepared)

    def filter(
        self,
        *,
        tags: Sequence[str] | None = None,
        filename_pattern: str | None = None,
        has_annotations: bool | None = None,
        annotation_names: Sequence[str] | None = None,
        custom_fn: Callable[[Resource, Sequence[Annotation]], bool] | None = None,
        modality: str | Sequence[str] | None = None,
        patient: str | Sequence[str] | None = None,
        date: filters.Dates | None = None,
        size: filters.Sizes | None = None,
        **unknown: Never,
    ) -> Self:
        """A dataset of the items whose resource meets every criterion given.

        Args:
            tags: Any of these tags.
            filename_pattern: A glob pattern of the file name.
            has_annotations: Whether a kept annotation exists.
            annotation_names: A kept annotation with one of these names.
            custom_fn: Called with the resource and its kept annotations; True keeps it, False leaves it out.
            modality: One of these modalities, such as `"CT"`; upper and lower case are equal.
            patient: One of these patient ids.
            date: `(from, to)`: created between these, both included; ISO 8601 texts (UTC unless they say) or dates,
                None for an open end. A bare date as `to` includes its day.
            size: `(least, most)`, both included, None for an open end: lengths `(H, W)` or `(D, H, W)` that each
                axis of the whole item must reach or not exceed, or the number of its pixels (voxels). A pair of two
                small numbers, such as `(512, 512)`, is refused: it is read as numbers of pixels, and meant as lengths.
            **unknown: Nothing; a criterion that there is not is refused with those there are.

        Raises:
            DatamintDatasetException: No criterion was given, one is of another form or empty, its least is above its
                most, or `custom_fn` returned None or an array.
            TypeError: There is no such criterion.

        Example:
            >>> dataset.filter(modality=["CT", "MR"], size=((256, 256), None))
            ImageDataset(project='chest', 0 items)
            >>> dataset.filter(date=("2026-01-01", "2026-03-31"), patient="p-017")
            ImageDataset(project='chest', 0 items)
        """
        filters.refuse_unknown(unknown)
        criteria = filters.Criteria(
            tags=names_of("tags", tags),
            filename_pattern=filename_pattern,
            has_annotations=has_annotations,
            annotation_names=names_of("annotation_names", annotation_names),
            custom_fn=custom_fn,
            modality=names_of("modality", modality),
            patient=names_of("patient", patient),
            date=filters.stamps_of(date),
            size=filters.sizes_of(size),
        )
        kept = filters.matching_rows(criteria, self._read, np.unique(self._resource_rows()))
        return self._with_rows(take(self._rows, np.flatnonzero(np.isin(self._resource_rows(), kept))))
