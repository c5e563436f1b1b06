"""Inputs brought to mean 0 and standard deviation 1, by the training images alone."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK = 512
"""Images, which a processor's cache holds."""


@dataclass(frozen=True)
class Normalization:
    """x ↦ (x - mean) / standard deviation, per channel, both of the training images alone."""

    mean: Tensor
    """float32 [C], of pixels as bytes."""
    deviation: Tensor
    """float32 [C]; 1 where a channel is constant."""

    @classmethod
    def of(cls, pixels: Tensor) -> "Normalization":
        """Of training pixels [N, C, …]. Bytes are summed as integers, which neither number nor order rounds."""
        if pixels.dtype == torch.uint8:
            sums = torch.zeros(2, pixels.shape[1], dtype=torch.int64, device=pixels.device)
            for some in pixels.split(CHUNK):
                values = some.transpose(0, 1).flatten(1).int()
                sums += torch.stack([values.sum(dim=1), values.square().sum(dim=1)])
            n = pixels[:, 0].numel()
            first, second = sums.tolist()
            mean = torch.tensor([s / n for s in first])
            deviation = torch.tensor([math.sqrt(n * q - s * s) / n for s, q in zip(first, second, strict=True)])
        else:
            channels = pixels.double().transpose(0, 1).flatten(1).cpu()
            mean, deviation = channels.mean(dim=1), channels.std(dim=1, correction=0)
        return cls(mean.float(), torch.where(deviation > 0, deviation, 1.0).float())

    def __call__(self, pixels: Tensor) -> Tensor:
        """[n, C, …] ↦ float32 [n, C, …]"""
        shape = (1, -1) + (1,) * (pixels.ndim - 2)
        return (pixels.float() - self.mean.view(shape)) / self.deviation.view(shape)

    def to(self, device: torch.device | str) -> "Normalization":
        return Normalization(self.mean.to(device), self.deviation.to(device))
