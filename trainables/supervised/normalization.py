"""Inputs brought to mean 0 and standard deviation 1, by the training images alone."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK = 512
"""Images summed at a time: a processor's cache holds so many."""


def are_tokens(inputs: Tensor) -> bool:
    """Returns whether inputs are integers that number something, and no amounts: any but the bytes of an image."""
    return not inputs.is_floating_point() and inputs.dtype not in (torch.uint8, torch.bool)


@dataclass(frozen=True)
class Normalization:
    """Maps x to (x - mean) / standard deviation, per channel, both of the training images alone.

    Tokens are left alone, and so is everything where no normalization is wanted.
    """

    mean: Tensor
    """float32 [C], of pixels as bytes; empty where inputs are left alone."""
    deviation: Tensor
    """float32 [C]; 1 where a channel is constant; empty as the mean is."""

    @classmethod
    def of(cls, pixels: Tensor, *, wanted: bool = True) -> "Normalization":
        """Returns the normalization of training pixels [N, C, …].

        Bytes are summed as integers, so that neither their number nor their order rounds anything.
        """
        if are_tokens(pixels) or not wanted:
            return cls(torch.empty(0), torch.empty(0))
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
        """Returns float32 [n, C, …] for pixels [n, C, …]; tokens as they are where they were so in training."""
        if not self.mean.numel():
            return pixels if are_tokens(pixels) else pixels.float()
        shape = (1, -1) + (1,) * (pixels.ndim - 2)
        return (pixels.float() - self.mean.view(shape)) / self.deviation.view(shape)

    def to(self, device: torch.device | str) -> "Normalization":
        """Returns the same normalization on another device."""
        return Normalization(self.mean.to(device), self.deviation.to(device))
