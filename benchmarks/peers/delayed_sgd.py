"""One training with delayed gradients in plain PyTorch, which the peers of the sweep benchmark call for each point.

It follows PyTorch's documentation, but keeps the data in memory: a DataLoader would cost half as much again. `by_hand`
is the fastest way we found: it adds the penalty's gradient by hand, and gradients wait by reference. A training ends
when its loss is ten times its first one, as tautune's does.
"""

import functools
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

L2 = 1e-3
BATCH = 32


class Found(NamedTuple):
    loss: float
    accuracy: float
    diverged: int
    steps: int


@functools.cache
def load_data() -> tuple[Tensor, Tensor]:
    pixels, digits = load_digits(return_X_y=True)
    return torch.from_numpy(pixels).float() / 16, torch.from_numpy(digits)


def make_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))


def batches(examples: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(0)
    while True:
        permutation = torch.randperm(examples, generator=generator)
        yield from permutation[: examples - examples % BATCH].split(BATCH)


def train_point(
    images: Tensor, labels: Tensor, *, delay: int, learning_rate: float, steps: int, by_hand: bool = False
) -> Found:
    model = make_model()
    parameters = list(model.parameters())
    weights = [p for p in parameters if p.ndim > 1]
    gradients = gradients_by_hand if by_hand else gradients_as_documented
    optimizer = torch.optim.SGD(parameters, lr=learning_rate)
    order = batches(len(images))
    waiting: deque[list[Tensor | None]] = deque()
    limit = 0.0
    for step in range(steps):
        batch = next(order)
        optimizer.zero_grad()
        loss = cross_entropy(model(images[batch]), labels[batch])
        value = loss.item()
        limit = limit or 10 * max(1.0, value)
        if not value <= limit:
            return Found(limit, 0.0, 1, step)
        waiting.append(gradients(loss, parameters, weights))
        if len(waiting) > delay:
            for p, gradient in zip(parameters, waiting.popleft(), strict=True):
                p.grad = gradient
            optimizer.step()
    return evaluate(model, weights, images, labels, steps)


def gradients_as_documented(
    loss: Tensor, parameters: list[nn.Parameter], weights: list[nn.Parameter]
) -> list[Tensor | None]:
    (loss + 0.5 * L2 * sum(w.square().sum() for w in weights)).backward()
    return [p.grad.clone() for p in parameters if p.grad is not None]


def gradients_by_hand(loss: Tensor, parameters: list[nn.Parameter], weights: list[nn.Parameter]) -> list[Tensor | None]:
    loss.backward()
    for w in weights:
        assert w.grad is not None
        w.grad.add_(w.detach(), alpha=L2)
    return [p.grad for p in parameters]


@torch.no_grad()
def evaluate(model: nn.Module, weights: list[nn.Parameter], images: Tensor, labels: Tensor, steps: int) -> Found:
    outputs = model(images)
    loss = cross_entropy(outputs, labels).item() + 0.5 * L2 * sum(w.square().sum().item() for w in weights)
    return Found(loss, (outputs.argmax(1) == labels).float().mean().item(), 0, steps)
