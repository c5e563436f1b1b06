"""Data that do not fit in memory, batch by batch from a DataLoader: `tautune tune examples/streaming.py`.

A pendulum's angle is estimated from a noisy picture of 32 × 32 pixels, which is drawn when it is needed.
"""

from typing import Any

import torch
from ray import tune
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from tautune import Data, TuningStudy

GRID = torch.linspace(-1, 1, 32)


class Pendulums(Dataset[Any]):
    """Stands for files on a disk: example i is always the same one, and takes no memory until it is read."""

    def __init__(self, first: int, number: int) -> None:
        self.first, self.number = first, number

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        draw = torch.Generator().manual_seed(self.first + index)
        angle = 2 * torch.rand((), generator=draw) - 1
        bob = torch.exp(-20 * ((GRID - angle.sin()) ** 2 + (GRID[:, None] - angle.cos()) ** 2))
        return bob[None] + 0.3 * torch.randn(1, 32, 32, generator=draw), angle


def data() -> Data:
    """Is called again in every process that trains: a loader there opens its files itself."""
    return Data(
        training=DataLoader(Pendulums(0, 2000), batch_size=50, shuffle=True),
        validation=DataLoader(Pendulums(10_000, 400), batch_size=200),
        test=DataLoader(Pendulums(20_000, 400), batch_size=200),
        target_names=("angle",),
    )


def model(shape: tuple[int, ...], outputs: int, *, channels: int) -> nn.Module:
    convolution = nn.Sequential(nn.Conv2d(shape[0], channels, 5, stride=4), nn.ReLU(), nn.Flatten())
    return nn.Sequential(convolution, nn.Linear(channels * 7 * 7, outputs))


STUDY = TuningStudy(
    name="streaming",
    description="a CNN that reads a pendulum's angle from pictures out of a DataLoader, two steps late",
    data=data,
    model=model,
    task="regression",
    space={"delay": 2, "learning_rate": tune.loguniform(1e-4, 3e-2), "channels": tune.choice([4, 8])},
    trials=6,
    max_epochs=6,
)
