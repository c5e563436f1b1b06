"""The optimizers of a training by name, behind their delay and with their remedy."""

from collections.abc import Callable, Iterable
from typing import Any

import pytorch_optimizer
import torch
from torch import nn
from torch.optim import Optimizer

from tautune.trainables.delay import GradientQueue, ShiftedMomentumSGD
from tautune.trainables.delay.schedules import RandomDelay
from tautune.trainables.supervised.hyperparameters import TrainingConfig
from tautune.trainables.supervised.with_remedy import with_remedy
from tautune.trainables.theory.delays import as_delays

Parameters = Iterable[Any]
# fused means one kernel for the whole step, where torch has one; with Adam and a small CNN it saves a sixth of the time
OPTIMIZERS: dict[str, Callable[[Parameters, TrainingConfig], Optimizer]] = {
    "sgd": lambda p, c: torch.optim.SGD(p, c.learning_rate, fused=True),
    "momentum": lambda p, c: torch.optim.SGD(p, c.learning_rate, fused=True, momentum=c.momentum),
    "nesterov": lambda p, c: torch.optim.SGD(
        p, c.learning_rate, fused=True, momentum=c.momentum, nesterov=c.momentum > 0
    ),
    "shifted-momentum": lambda p, c: ShiftedMomentumSGD(p, c.learning_rate, momentum=c.momentum, shift=int(c.delay)),
    "adagrad": lambda p, c: torch.optim.Adagrad(p, c.learning_rate),
    "rmsprop": lambda p, c: torch.optim.RMSprop(p, c.learning_rate, alpha=c.rho),
    "adadelta": lambda p, c: torch.optim.Adadelta(p, c.learning_rate, rho=c.rho),
    "adam": lambda p, c: torch.optim.Adam(p, c.learning_rate, fused=True, betas=(c.momentum, c.beta2)),
    "adamw": lambda p, c: torch.optim.AdamW(p, c.learning_rate, fused=True, betas=(c.momentum, c.beta2)),
    "nadam": lambda p, c: torch.optim.NAdam(p, c.learning_rate, betas=(c.momentum, c.beta2)),
    "lion": lambda p, c: pytorch_optimizer.Lion(p, c.learning_rate, betas=(c.momentum, 0.99)),
    "muon": lambda p, c: _muon(list(p), c),
    "soap": lambda p, c: pytorch_optimizer.SOAP(p, c.learning_rate, betas=(c.momentum, c.beta2), weight_decay=0.0),
}


def _muon(parameters: list[nn.Parameter], config: TrainingConfig) -> Optimizer:
    """Returns Muon for the hidden weights, and AdamW for the first and the last layer's and all biases and scales.

    Where there are only two layers, the first is a hidden one: else Muon would have none.
    Its steps are scaled to the size of AdamW's (Liu et al., arXiv 2502.16982), so that both have one learning rate.
    """
    weights = [p for p in parameters if p.ndim > 1]
    hidden = {id(weight) for weight in weights[1:-1] or weights[:-1]}
    groups = [
        {
            "params": [p for p in parameters if (id(p) in hidden) is by_muon],
            "use_muon": by_muon,
            "lr": config.learning_rate,
        }
        for by_muon in (True, False)
    ]
    return pytorch_optimizer.Muon(
        [group for group in groups if group["params"]], momentum=config.momentum, use_adjusted_lr=True
    )


def make_optimizer(parameters: Parameters, config: TrainingConfig) -> Optimizer:
    """Returns the optimizer of that name behind a gradient queue of `config.delay` steps, and its remedy around it."""
    delays = as_delays(config.delay)
    chances = dict(zip(delays.steps, delays.shares, strict=True))
    drawn = RandomDelay(probabilities=tuple(chances.get(d, 0.0) for d in range(delays.maximum + 1)))
    queue = GradientQueue(
        OPTIMIZERS[config.optimizer](parameters, config), delays.maximum if delays.is_fixed else drawn
    )
    return with_remedy(queue, config.remedy) if delays.maximum else queue
