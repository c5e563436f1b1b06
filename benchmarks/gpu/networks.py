"""Times whole networks on a device: VGG-11 behind the queue, and a probe of a transformer."""

import time
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Optimizer

from tautune import GradientQueue
from tautune.trainables.supervised.models import build

IMAGES, CLASSES, RATE, MOMENTUM = (3, 32, 32), 10, 1e-3, 0.9


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
        for step in range(3 + steps):
            if step == 3:  # the first steps choose their kernels
                _wait(device)
                begun = time.perf_counter()
            optimizer.zero_grad()
            cross_entropy(model(images), labels).backward()
            optimizer.step()
        _wait(device)
        speeds["bare" if delay is None else f"delay {delay}"] = batch * steps / (time.perf_counter() - begun)
    return {"images_per_second": speeds, "ratios": {name: speeds["bare"] / speed for name, speed in speeds.items()}}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
