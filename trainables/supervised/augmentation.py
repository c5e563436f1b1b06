"""Random changes of training images that keep their class, for a whole batch in a few tensor operations."""

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad


def flip(pixels: Tensor, generator: Generator) -> Tensor:
    """Mirrors each image [n, C, H, W] left to right with probability 1/2."""
    mirrored = torch.rand(len(pixels), generator=generator).to(pixels.device) < 0.5
    return torch.where(mirrored.view(-1, 1, 1, 1), pixels.flip(3), pixels)


def shift(pixels: Tensor, most: int, generator: Generator) -> Tensor:
    """Moves each image [n, C, H, W] by up to `most` pixels in both directions, and fills what comes in with 0."""
    n, channels, height, width = pixels.shape
    down, right = torch.randint(0, 2 * most + 1, (2, n, 1), generator=generator).to(pixels.device)
    rows = (down + torch.arange(height, device=pixels.device))[:, None, :, None]
    columns = (right + torch.arange(width, device=pixels.device))[:, None, None, :]
    image = torch.arange(n, device=pixels.device)[:, None, None, None]
    channel = torch.arange(channels, device=pixels.device)[None, :, None, None]
    return pad(pixels, (most,) * 4)[image, channel, rows, columns]
