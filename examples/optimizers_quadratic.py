"""A textbook's comparison of optimizers on f(x) = 0.1 x₁² + 2 x₂², and what late gradients make of it.

python examples/optimizers_quadratic.py [DELAY]
"""

import sys
from collections.abc import Callable

import torch
from torch.optim import SGD, Adagrad, Optimizer

from tautune import GradientQueue

METHODS: dict[str, Callable[[list[torch.Tensor]], Optimizer]] = {
    "GD η=0.4": lambda x: SGD(x, 0.4),
    "GD η=0.6": lambda x: SGD(x, 0.6),
    "momentum β=0.5 η=0.6": lambda x: SGD(x, 0.6, momentum=0.5),
    "momentum β=0.25 η=0.6": lambda x: SGD(x, 0.6, momentum=0.25),
    # torch adds ε outside the root; the textbook has it inside, where torch has the first accumulator
    "Adagrad η=0.4": lambda x: Adagrad(x, 0.4, initial_accumulator_value=1e-6, eps=0),
    "Adagrad η=2": lambda x: Adagrad(x, 2.0, initial_accumulator_value=1e-6, eps=0),
}


def descend(method: str, *, delay: int = 0, steps: int = 20) -> list[float]:
    """Returns where the method is after so many steps from (−5, −2), with gradients that arrive `delay` steps late."""
    x = torch.tensor([-5.0, -2.0], dtype=torch.float64, requires_grad=True)
    optimizer = GradientQueue(METHODS[method]([x]), delay)
    for _ in range(steps):
        optimizer.zero_grad()
        (0.1 * x[0] ** 2 + 2 * x[1] ** 2).backward()
        optimizer.step()
    return x.tolist()


if __name__ == "__main__":
    delay = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    print(f"{'method':24}{'x₁':>16}{'x₂':>16}")
    for method in METHODS:
        x1, x2 = descend(method, delay=delay)
        print(f"{method:24}{x1:16.6f}{x2:16.6f}")
