"""Inputs brought to mean 0 and standard deviation 1, by the training images alone."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Normalization:
    """x ↦ (x - mean) / standard deviation, per channel, both of the training images alone."""

    mean: Tensor
    """float32 [C], of pixels as bytes."""
    deviation: Tensor
    """float32 [C]; 1 where a channel is constant."""

    @classmethod
    def of(cls, pixels: Tensor) -> "Normalization":
        """Of training pixels [N, C, …]. Bytes are counted, so that neither their number nor their order rounds it."""
        if pixels.dtype == torch.uint8:
            values = torch.arange(256, dtype=torch.float64)
            counts = torch.stack([torch.bincount(c.flatten(), minlength=256) for c in pixels.unbind(1)]).double().cpu()
            shares = counts / counts.sum(dim=1, keepdim=True)
            mean = shares @ values
            deviation = (shares * (values - mean[:, None]).square()).sum(dim=1).sqrt()
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
