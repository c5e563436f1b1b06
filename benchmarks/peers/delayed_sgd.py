"""One training with delayed gradients in plain PyTorch: what both peers of the sweep benchmark call for each point.

Gradients wait by reference, the penalty's gradient is added by hand and one thread computes: each is the fastest way
that was found. A training whose loss is ten times its first one has diverged and ends, as tautune's does.
"""

from collections import deque

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

L2 = 1e-3
BATCH = 32


def load_data() -> tuple[Tensor, Tensor]:
    pixels, digits = load_digits(return_X_y=True)
    return torch.from_numpy(pixels).float() / 16, torch.from_numpy(digits)


def train_point(images: Tensor, labels: Tensor, *, delay: int, learning_rate: float, steps: int) -> dict[str, float]:
    """Final loss, accuracy, and whether training diverged."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    parameters = list(model.parameters())
    weights = [p for p in parameters if p.ndim > 1]
    optimizer = torch.optim.SGD(parameters, lr=learning_rate)
    generator = torch.Generator().manual_seed(0)
    waiting: deque[list[Tensor | None]] = deque()
    order: list[Tensor] = []
    limit = 0.0
    for step in range(steps):
        if not order:
            permutation = torch.randperm(len(images), generator=generator)
            order = list(permutation[: len(images) - len(images) % BATCH].split(BATCH))[::-1]
        batch = order.pop()
        optimizer.zero_grad()
        loss = cross_entropy(model(images[batch]), labels[batch])
        value = loss.item()
        limit = limit or 10 * max(1.0, value)
        if not value <= limit:
            return {"loss": limit, "accuracy": 0.0, "diverged": 1, "steps": step}
        loss.backward()
        for w in weights:
            assert w.grad is not None
            w.grad.add_(w.detach(), alpha=L2)
        waiting.append([p.grad for p in parameters])
        if len(waiting) > delay:
            for p, gradient in zip(parameters, waiting.popleft(), strict=True):
                p.grad = gradient
            optimizer.step()
    with torch.no_grad():
        outputs = model(images)
        final = cross_entropy(outputs, labels).item() + 0.5 * L2 * sum(w.square().sum().item() for w in weights)
        accuracy = (outputs.argmax(1) == labels).float().mean().item()
    return {"loss": final, "accuracy": accuracy, "diverged": 0, "steps": steps}
