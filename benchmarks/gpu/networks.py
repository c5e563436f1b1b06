"""Times whole networks on a device: VGG-11 behind the queue, and a probe of a transformer."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, AdamW, Optimizer

import tautune
from benchmarks.gpu.clock import timed
from benchmarks.gpu.sections import Skipped
from benchmarks.language_model import LanguageModel, next_token, text
from tautune import GradientQueue
from tautune.trainables.curvature.lanczos import BASIS
from tautune.trainables.grid.memory import free_memory
from tautune.trainables.supervised.models import build

IMAGES, CLASSES, RATE, MOMENTUM = (3, 32, 32), 10, 1e-3, 0.9
COPIES = 2 * BASIS + 16
"""Copies of a network's parameters that its probe holds at most: Lanczos' basis and its products, AdamW's averages."""


def vgg11(device: torch.device, *, batch: int, steps: int, delays: tuple[int, ...]) -> dict[str, Any]:
    """Returns images per second of VGG-11's training on images of CIFAR's shape, bare and behind queues."""
    torch.manual_seed(0)
    images = torch.randn(batch, *IMAGES, device=device)
    labels = torch.randint(CLASSES, (batch,), device=device)
    speeds: dict[str, float] = {}
    for delay in (None, *delays):
        model = build("vgg11", IMAGES, CLASSES, {}).to(device)
        sgd = SGD(model.parameters(), RATE, momentum=MOMENTUM)
        optimizer: Optimizer = sgd if delay is None else GradientQueue(sgd, delay)
        run = partial(_train, model, optimizer, images, labels)
        run(3 + (delay or 0))  # the first steps choose their kernels, and update nothing before a gradient is due
        seconds, _ = timed(device, partial(run, steps))
        speeds["bare" if delay is None else f"delay {delay}"] = batch * steps / seconds
    return {"images_per_second": speeds, "ratios": {name: speeds["bare"] / speed for name, speed in speeds.items()}}


def _train(model: nn.Module, optimizer: Optimizer, images: Tensor, labels: Tensor, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        optimizer.step()


def transformer(device: torch.device, *, examples: int, **size: int) -> dict[str, Any]:
    """Returns the seconds and the memory of a probe of a causal transformer, after two steps of AdamW.

    Args:
        examples: in each of two batches.
        size: that of `LanguageModel`.

    Raises:
        Skipped: the device has too little memory.
    """
    torch.manual_seed(0)
    model = LanguageModel(**size)
    parameters = sum(p.numel() for p in model.parameters())
    needed, free = 4 * COPIES * parameters, free_memory(device)
    if free < needed:
        raise Skipped(f"{parameters:,} parameters take {needed / 1e9:.3g} GB, and {free / 1e9:.3g} GB are free")
    model.to(device)
    batches = text(2, examples, tokens=size["tokens"], window=size["window"])
    optimizer = AdamW(model.parameters(), 3e-4)
    for inputs, targets in batches:
        optimizer.zero_grad()
        next_token(model(inputs.to(device)), targets.to(device)).backward()
        optimizer.step()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    seconds, found = timed(
        device, lambda: tautune.probe(model, next_token, batches, optimizer=optimizer, tolerance=1e-2)
    )
    return {
        "parameters": parameters,
        "seconds": seconds,
        "products": found.products,
        "residual": found.residual,
        "preconditioned_sharpness": found.sharpness,
        "margin": found.margin,
        "peak_bytes": torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None,
    }
