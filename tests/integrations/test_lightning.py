"""Lightning's own Trainer over our loaders: it trains, validates, and goes on in the middle of an epoch."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from datamint_like import VolumeDataset
from datamint_like.exceptions import DatamintDatasetException
from tests.dataset.conftest import Shelf

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lightning.pytorch as pl
    from lightning.pytorch.callbacks import ModelCheckpoint

    from datamint_like.integrations.lightning import DatamintDataModule

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice on workers and loggers


class Seen(pl.LightningModule):  # type: ignore[misc]
    """A linear model that notes which items its steps got."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(1, 1, 1)
        self.train_items: list[tuple[str, int]] = []
        self.val_batches = 0

    def training_step(self, batch: dict[str, Any], index: int) -> torch.Tensor:
        self.train_items += [(resource.id, resource.slice_index) for resource in batch["resource"]]
        return self.layer(batch["image"].float() / 1000).square().mean()

    def validation_step(self, batch: dict[str, Any], index: int) -> None:
        self.val_batches += 1

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1e-3)


def trainer(folder: Path, **options: Any) -> pl.Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    return pl.Trainer(default_root_dir=folder, **quiet, **{"enable_checkpointing": False, **options})


def slices(shelf: Shelf) -> Any:
    return VolumeDataset(resources=[shelf.philips, shelf.ge], server_url=shelf.url, irregular_spacing="keep").slice()


def test_a_trainer_fits_two_steps_and_validates(shelf: Shelf, tmp_path: Path) -> None:
    module = DatamintDataModule(slices(shelf), split={"train": 0.5, "val": 0.5}, seed=1, batch_size=4)
    model = Seen()
    fit = trainer(tmp_path, max_steps=2, limit_val_batches=1, num_sanity_val_steps=1)
    fit.fit(model, datamodule=module)
    assert fit.global_step == 2
    assert len(model.train_items) == 8
    assert model.val_batches > 0
    train, val = ({r.id for r in module.parts[name].resources} for name in ("train", "val"))
    assert not train & val


def test_a_checkpoint_goes_on_with_the_batches_that_were_left(shelf: Shelf, tmp_path: Path) -> None:
    def module() -> DatamintDataModule:
        return DatamintDataModule({"train": slices(shelf)}, seed=5, batch_size=8)

    whole = Seen()
    trainer(tmp_path, max_epochs=2).fit(whole, datamodule=module())
    first, second = Seen(), Seen()
    keep = ModelCheckpoint(tmp_path, "middle", every_n_train_steps=3)
    trainer(tmp_path, max_steps=3, enable_checkpointing=True, callbacks=[keep]).fit(first, datamodule=module())
    ahead = trainer(tmp_path, max_epochs=2)
    ahead.fit(second, datamodule=module(), ckpt_path=tmp_path / "middle.ckpt", weights_only=False)
    assert first.train_items + second.train_items == whole.train_items


def test_parts_that_are_given_are_used_and_others_have_no_loader(shelf: Shelf) -> None:
    parts = slices(shelf).split(train=0.5, val=0.5, seed=2)
    module = DatamintDataModule(parts, batch_size=2, num_workers=0, drop_last=True)
    assert len(module.train_dataloader()) == len(parts["train"]) // 2
    assert [b["resource"][0].slice_index for b in module.val_dataloader()][:3] == [0, 2, 4]  # in order
    again = pickle.loads(pickle.dumps(module))
    assert len(again.val_dataloader()) == len(module.val_dataloader())


def test_misuse_is_refused_with_the_way_out(shelf: Shelf) -> None:
    with pytest.raises(DatamintDatasetException, match="divided already"):
        DatamintDataModule({"train": slices(shelf)}, split={"train": 1.0})
    with pytest.raises(DatamintDatasetException, match="train, val, test, predict"):
        DatamintDataModule({"dev": slices(shelf)})
    for split in ("train", ["train", "val"], 0.8):
        with pytest.raises(DatamintDatasetException, match=r"split is ratios by stage, such as \{'train': 0\.8"):
            DatamintDataModule(slices(shelf), split=split)  # type: ignore[arg-type]
    with pytest.raises(DatamintDatasetException, match="dataset is a dataset, or its parts by stage, not 3"):
        DatamintDataModule(3, split={"train": 1.0})  # type: ignore[arg-type]
    with pytest.raises(DatamintDatasetException, match="these are parts already: give them as the dataset"):
        DatamintDataModule(slices(shelf), split=slices(shelf).split(train=0.5, val=0.5, seed=1))  # type: ignore[arg-type]
    with pytest.raises(DatamintDatasetException, match="part val is a dataset of this library"):
        DatamintDataModule({"train": slices(shelf), "val": [1, 2]})  # type: ignore[dict-item]
