"""A small U-Net in plain PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def _block(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3x3 convolutions that keep the size."""
    layers: list[nn.Module] = []
    for width in (inputs, outputs):
        layers += [nn.Conv2d(width, outputs, 3, padding=1), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers)


class SmallUNet(nn.Module):
    """A U-Net of three levels: (B, 1, H, W) -> logits (B, classes, H, W), for H and W divisible by 4.

    It has no normalisation layers: Hounsfield units are absolute, and normalising over an image would make the same
    tissue look different beside more or less air, which is what differs most between two patients.

    Example:
        >>> SmallUNet(classes=3)(torch.zeros(2, 1, 64, 64)).shape
        torch.Size([2, 3, 64, 64])
    """

    def __init__(self, classes: int, width: int = 12) -> None:
        super().__init__()
        self.down = nn.ModuleList([_block(1, width), _block(width, 2 * width)])
        self.bottom = _block(2 * width, 4 * width)
        self.up = nn.ModuleList([_block(6 * width, 2 * width), _block(3 * width, width)])
        self.pool = nn.MaxPool2d(2)
        self.grow = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of every class, background included."""
        skips = []
        for block in self.down:
            image = block(image)
            skips.append(image)
            image = self.pool(image)
        image = self.bottom(image)
        for block in self.up:
            image = block(torch.cat([self.grow(image), skips.pop()], dim=1))
        logits: Tensor = self.head(image)
        return logits
