"""An optimizer whose gradients come from workers, each with an age that is known when it arrives."""

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer

from tautune.trainables.delay.closures import check_no_closure_needed
from tautune.trainables.delay.delayed import DelayedOptimizer
from tautune.trainables.delay.shifted_momentum import ShiftedMomentumSGD
from tautune.trainables.delay.wrapper import OptimizerWrapper


class ArrivingGradients(DelayedOptimizer):
    """An optimizer to whose `step()` somebody else brings the gradients, and says how old each is.

        optimizer = StalenessAware(ArrivingGradients(torch.optim.SGD(model.parameters(), 0.1)))

    It is what a parameter server steps with, and what the remedies go around there, as they go around a
    `GradientQueue`. Nothing is stored: a gradient that is in `.grad` is applied.

    The age of a gradient is the number of updates between the weights that it was computed at and those that it is
    applied to. The first gradients of N workers are thus 0, 1, … N-1 updates old, where a queue counts the steps in
    which it makes no update yet.

    Raises:
        ValueError: the optimizer has a delay already, or evaluates the loss inside its step.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer) or isinstance(optimizer, OptimizerWrapper):
            kind = type(optimizer).__name__
            raise ValueError(f"optimizer must be a torch.optim.Optimizer without a delay, not {kind}")
        check_no_closure_needed(optimizer)
        self.time = 0
        self.age = 0
        """Updates that the gradients in `.grad` are late."""
        self.worker = 0
        """Number of the worker that computed them: with shifted momentum, each has a velocity of its own."""
        self.oldest = 0
        """Updates that had been made when the oldest weights were read that a gradient may still come from."""
        super().__init__(optimizer)

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("optimizer", "time", "age", "worker", "oldest")}

    def __repr__(self) -> str:
        return f"{type(self).__name__} (of {self.optimizer!r})"

    @property
    def longest_delays(self) -> tuple[int, ...]:
        """How far back the weights must be remembered, in updates, for each parameter group."""
        return (max(1, self.time - self.oldest),) * len(self.param_groups)

    @property
    def shortest_delays(self) -> tuple[int, ...]:
        """0 for each parameter group: any age may come."""
        return (0,) * len(self.param_groups)

    def flush(self) -> None:
        """Does nothing: every gradient has been applied."""

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        value = None
        if closure is not None:
            with torch.enable_grad():
                value = closure()
        if isinstance(self.optimizer, ShiftedMomentumSGD):
            self.optimizer.slot = self.worker
        self._update(self.time, (self.age,) * len(self.param_groups))
        self.time += 1
        return value

    def _own_state(self) -> dict[str, Any]:
        return {"arriving": {"time": self.time, "oldest": self.oldest}}

    def _load(self, state: dict[str, Any]) -> None:
        own = state.get("arriving") or {"time": 0, "oldest": 0}
        self.optimizer.load_state_dict({key: value for key, value in state.items() if key != "arriving"})
        self.time, self.oldest = own["time"], own["oldest"]
