"""The classes behind `to_torchio`, which need TorchIO to be defined and a module to be pickled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torchio

from datamint_like.dataset.holdings import Holdings
from datamint_like.integrations.labels import columns_of, item_name, label_channels
from datamint_like.integrations.torchio import world_affine, xyz


@dataclass(frozen=True)
class ItemSubjects:
    """The items of a dataset as subjects, each made when asked for."""

    dataset: Holdings

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Any:
        item, metainfo = self.dataset[index], self.dataset.get_metainfo(index)
        affine = world_affine(metainfo["affine"])
        given: dict[str, Any] = {
            key: value
            for key, value in item.items()
            if isinstance(value, torch.Tensor) and key not in ("image", "segmentations")
        }
        given["image"] = torchio.ScalarImage(tensor=xyz(item["image"]), affine=affine)
        label = label_channels(item)
        if label is not None:
            given["label"] = torchio.LabelMap(tensor=xyz(label.masks), affine=affine)
            given["label_codes"] = columns_of(label.codes)
            given["label_authors"] = list(label.authors)
        return torchio.Subject(name=item_name(self.dataset, index), **given)


class ItemSubjectsDataset(torchio.SubjectsDataset):  # type: ignore[misc]  # TorchIO is not there to type checkers
    """A `SubjectsDataset` that does not make every subject to look at its class."""

    @staticmethod
    def _parse_subjects_list(subjects_list: Iterable[Any]) -> None:
        """The subjects are ours: nothing to check."""
