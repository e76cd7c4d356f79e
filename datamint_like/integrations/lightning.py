"""Lightning: a dataset, or the parts of one, as a `DataModule` that goes on in the middle of an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import NoneType
from typing import TYPE_CHECKING, Any

from datamint_like._optional import need
from datamint_like.dataset.base import DatamintBaseDataset
from datamint_like.dataset.loader import loader_of
from datamint_like.exceptions import DatamintDatasetException

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

_STAGES = ("train", "val", "test", "predict")
_LightningDataModule: Any = need("lightning.pytorch", extra="lightning").LightningDataModule


class DatamintDataModule(_LightningDataModule):  # type: ignore[misc]  # Lightning is not there to type checkers
    """Loaders of the parts `train`, `val`, `test` and `predict`; a stage without a part has no loader.

    The loaders keep their place: a checkpoint written in the middle of an epoch goes on with the batches that were
    left. Over several devices each rank takes its share; give the `Trainer` `use_distributed_sampler=False`.

    Example:
        >>> module = DatamintDataModule(dataset, split={"train": 0.6, "val": 0.4}, batch_size=2, seed=42)
        >>> [len(batch["image"]) for batch in module.train_dataloader()]
        [2]

    Args:
        dataset: One dataset, or its parts by stage.
        split: Ratios by stage, as `{"train": 0.8, "val": 0.2}`, or None for the project's own split. Only with one
            dataset, which is then split by patient.
        seed: Seed of the split, and of the order of training batches where the dataset has no seed of its own.
        batch_size: Items in a batch.
        num_workers: Processes of each loader.
        **loader: Further arguments of every `DataLoader`, such as `pin_memory=True`.

    Raises:
        MissingExtraError: Lightning is not installed (extra `lightning`); on import of this module.
        DatamintDatasetException: Parts with other names, parts and `split=` together, a `split=` of another form, or
            batches without a size.
    """

    def __init__(
        self,
        dataset: DatamintBaseDataset | Mapping[str, DatamintBaseDataset],
        *,
        split: Mapping[str, float] | None = None,
        seed: int = 0,
        batch_size: int = 1,
        num_workers: int = 0,
        **loader: Any,
    ) -> None:
        super().__init__()
        if isinstance(dataset, Mapping):
            if split is not None:
                raise DatamintDatasetException("split= divides one dataset; these parts are divided already.")
            parts = dict(dataset)
        else:
            parts = _divided(dataset, split, seed)
        self.parts = _checked(parts)
        self._seed = seed
        self._options = {"batch_size": batch_size, "num_workers": num_workers, **loader}
        for stage in sorted(self.parts):  # Lightning asks whether a hook is there, so there are only those with a part
            setattr(self, f"{stage}_dataloader", partial(self._loader, stage))

    def _loader(self, stage: str) -> DataLoader[Any]:
        part = self.parts[stage]
        seed = self._seed if part._seed is None else part._seed
        return loader_of(part, seed, part.get_collate_fn(), shuffle=stage == "train", **self._options)


def _divided(dataset: DatamintBaseDataset, split: Mapping[str, float] | None, seed: int) -> dict[str, Any]:
    """The parts of one dataset by patient, at these ratios; without any by the project's own split."""
    if not isinstance(dataset, DatamintBaseDataset):
        raise DatamintDatasetException(f"dataset is a dataset, or its parts by stage, not {dataset!r:.80}.")
    if not isinstance(split, (Mapping, NoneType)):
        raise DatamintDatasetException(
            f"split is ratios by stage, such as {{'train': 0.8, 'val': 0.2}}, or None, not {split!r:.80}."
        )
    ratios: dict[str, Any] = dict(split or {})
    if any(isinstance(part, DatamintBaseDataset) for part in ratios.values()):
        raise DatamintDatasetException(
            "split= takes ratios by stage, and these are parts already: give them as the dataset, as "
            "DatamintDataModule(dataset.split(train=0.8, val=0.2))."
        )
    return dict(dataset.split(by_patient=bool(ratios), seed=seed if ratios else None, **ratios))


def _checked(parts: Mapping[str, Any]) -> dict[str, DatamintBaseDataset]:
    """The parts, where each is a dataset and there is a stage of its name."""
    unknown = [name for name in parts if name not in _STAGES]
    if unknown or not parts:
        raise DatamintDatasetException(f"Parts are named {', '.join(_STAGES)}; found {unknown or 'none'}.")
    for name, part in parts.items():
        if not isinstance(part, DatamintBaseDataset):
            raise DatamintDatasetException(f"The part {name} is a dataset of this library, not {part!r:.80}.")
    return dict(parts)
