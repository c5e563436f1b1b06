"""f = 0.1 x₁² + 2 x₂², twenty steps of six methods: the textbook comparison, to be had to six figures."""

import torch
from torch import Tensor

from tautune.search_spaces.path_study import PathStudy


def function(x: Tensor) -> Tensor:
    return 0.1 * x[0] ** 2 + 2 * x[1] ** 2


STUDY = PathStudy(
    name="optimizers_quadratic",
    description="six methods, twenty steps on f = 0.1 x₁² + 2 x₂²",
    function=function,
    start=(-5.0, -2.0),
    steps=20,
    methods={
        "GD η=0.4": lambda p: torch.optim.SGD(p, 0.4),
        "GD η=0.6": lambda p: torch.optim.SGD(p, 0.6),
        "momentum β=0.5 η=0.6": lambda p: torch.optim.SGD(p, 0.6, momentum=0.5),
        "momentum β=0.25 η=0.6": lambda p: torch.optim.SGD(p, 0.6, momentum=0.25),
        # torch adds ε outside the root; the source has it inside, where the first accumulator is
        "Adagrad η=0.4": lambda p: torch.optim.Adagrad(p, 0.4, initial_accumulator_value=1e-6, eps=0),
        "Adagrad η=2": lambda p: torch.optim.Adagrad(p, 2.0, initial_accumulator_value=1e-6, eps=0),
    },
)
