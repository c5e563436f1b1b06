"""Inputs brought to mean 0 and standard deviation 1, by the training images alone."""

import math
from dataclasses import dataclass, replace

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
    last: bool = False
    """Whether the channels are the last dimension, as in a series [n, steps, C]."""

    @classmethod
    def none(cls) -> "Normalization":
        """Returns the one that leaves everything alone, but makes amounts float32."""
        return cls(torch.empty(0), torch.empty(0))

    @classmethod
    def of(cls, pixels: Tensor, *, wanted: bool = True) -> "Normalization":
        """Returns the normalization of training pixels [N, C, …].

        Bytes are summed as integers, so that neither their number nor their order rounds anything.
        """
        if are_tokens(pixels) or not wanted:
            return cls.none()
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
        shape = self._shape(pixels)
        return (pixels.float() - self.mean.view(shape)) / self.deviation.view(shape)

    def undone(self, values: Tensor) -> Tensor:
        """Returns x for (x - mean) / standard deviation."""
        if not self.mean.numel():
            return values
        shape = self._shape(values)
        return values * self.deviation.view(shape) + self.mean.view(shape)

    def _shape(self, values: Tensor) -> tuple[int, ...]:
        """Returns the shape in which the channels' numbers meet the values; those of one dimension have one channel."""
        channels = values.ndim - 1 if self.last else min(1, values.ndim - 1)
        return tuple(-1 if dimension == channels else 1 for dimension in range(values.ndim))

    def to(self, device: torch.device | str) -> "Normalization":
        """Returns the same normalization on another device."""
        return replace(self, mean=self.mean.to(device), deviation=self.deviation.to(device))
