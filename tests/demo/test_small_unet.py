"""The demo's network, its loss and its scores."""

from __future__ import annotations

import pytest
import torch

from datamint_like.demo.training import network_input, predict, score, segmentation_loss, train
from datamint_like.demo.unet import SmallUNet

CLASSES = ["soft_tissue", "bone"]


def batch_of(codes: torch.Tensor, hu: tuple[int, ...] = (-1000, 40, 900)) -> dict[str, torch.Tensor]:
    """Images whose value tells the class of each pixel, with the masks that say it."""
    target = torch.nn.functional.one_hot(codes, len(hu)).movedim(-1, 1).float()
    return {"image": torch.tensor(hu, dtype=torch.int16)[codes][:, None], "segmentations": target}


@pytest.fixture
def batches() -> list[dict[str, torch.Tensor]]:
    codes = torch.zeros(2, 32, 32, dtype=torch.int64)
    codes[:, 4:28, 4:28] = 1
    codes[:, 10:20, 10:20] = 2
    return [batch_of(codes)]


def test_logits_have_the_size_of_the_image_and_a_channel_a_class() -> None:
    assert SmallUNet(classes=3)(torch.zeros(2, 1, 64, 32)).shape == (2, 3, 64, 32)


def test_every_weight_learns(batches: list[dict[str, torch.Tensor]]) -> None:
    model = SmallUNet(classes=3)
    segmentation_loss(model(network_input(batches[0]["image"])), batches[0]["segmentations"]).backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []


def test_training_lowers_the_loss_and_raises_dice(batches: list[dict[str, torch.Tensor]]) -> None:
    torch.manual_seed(0)
    model = SmallUNet(classes=3)
    before = score(model, batches, CLASSES)
    heard: list[float] = []
    history = train(model, batches, epochs=40, learning_rate=1e-2, step=heard.append)
    after = score(model, batches, CLASSES)
    assert len(history) == len(heard) == 40
    assert history[-1] < history[0]
    assert after.loss < before.loss
    assert min(value or 0 for value in after.dice.values()) > 0.9


def test_the_same_seed_trains_the_same_network(batches: list[dict[str, torch.Tensor]]) -> None:
    histories = []
    for _ in range(2):
        torch.manual_seed(3)
        histories.append(train(SmallUNet(classes=3), batches, epochs=2, learning_rate=1e-3, step=lambda _: None))
    assert histories[0] == histories[1]


class Oracle(torch.nn.Module):
    """A network that answers from the value of the pixel alone."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        levels = torch.tensor([-1.0, 0.04, 0.9]).view(1, 3, 1, 1)
        return 20 - 400 * (image - levels).abs()


def test_a_perfect_prediction_has_dice_one(batches: list[dict[str, torch.Tensor]]) -> None:
    assert score(Oracle(), batches, CLASSES).dice == {"soft_tissue": 1.0, "bone": 1.0}


def test_dice_is_over_all_voxels_of_all_batches() -> None:
    right = batch_of(torch.ones(1, 4, 4, dtype=torch.int64))
    wrong = batch_of(torch.ones(1, 4, 4, dtype=torch.int64))
    wrong["image"][:] = -1000
    dice = score(Oracle(), [right, wrong], CLASSES).dice["soft_tissue"]
    assert dice == pytest.approx(2 * 16 / (16 + 32))


def test_a_class_that_nobody_has_gets_no_dice() -> None:
    empty = batch_of(torch.zeros(1, 4, 4, dtype=torch.int64))
    assert score(Oracle(), [empty], CLASSES).dice == {"soft_tissue": None, "bone": None}


def test_a_prediction_is_a_code_a_pixel(batches: list[dict[str, torch.Tensor]]) -> None:
    codes = predict(Oracle(), batches[0]["image"])
    assert torch.equal(codes, batches[0]["segmentations"].argmax(dim=1))
