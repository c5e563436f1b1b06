"""Pipelines that stash weights: forward and backward pass with the weights that each stage had when the batch came."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch.optim import Optimizer

from tautune.trainables.delay.closures import EvaluatedClosure, check_no_closure_needed
from tautune.trainables.delay.delayed import DelayedOptimizer
from tautune.trainables.delay.elsewhere import Elsewhere
from tautune.trainables.delay.lanes import check_names, name_of
from tautune.trainables.delay.per_parameter import parameters_of
from tautune.trainables.delay.weight_history import WeightHistory
from tautune.trainables.delay.wrapper import OptimizerWrapper
from tautune.trainables.theory.stability import check_delay


class WeightStashing(DelayedOptimizer):
    r"""An optimizer whose gradients come from weights of which each parameter group's are τ_j steps old.

        x_j[t+1] = x_j[t] - η ∇_j f(x_0[t-τ_0], x_1[t-τ_1], …)

    and the mini-batch is that of step t. It is what a pipeline with weight stashing computes: in PipeDream's 1F1B, τ_j
    is the number of later stages; PipeDream-2BW has τ_j = 1 everywhere. Before step τ_j, the first weights stand in
    for older ones. A `GradientQueue` with the same delays is another thing: there every gradient is computed at
    weights of one time, and each group's part of it is applied τ_j steps late.

        groups, delays = pipeline_delays(model, stages=4)
        optimizer = WeightStashing(torch.optim.SGD(groups, 0.1), delays)
        with optimizer.stashed():
            loss = loss_function(model(inputs), targets)
            loss.backward()
        optimizer.step()

    The forward and the backward pass belong into the block. Weights are written in place and come back bit for bit.
    A closure that is passed to `step()` is evaluated at the stashed weights, without a block.

    Memory: τ_j+1 copies of a group's weights, none where τ_j = 0.

    Source: Harlap et al., "PipeDream" (arXiv 1806.03377), weight stashing.

    Args:
        optimizer: any `torch.optim` optimizer that does not need to evaluate a closure.
        delay: τ ≥ 0 of all parameters, or τ_j of each parameter group, by the group's key `name`.

    Raises:
        ValueError: a delay is no integer ≥ 0, names a group that does not exist or is missing; or the optimizer is one
            with a delay already, or one that evaluates the loss inside its step.
    """

    def __init__(self, optimizer: Optimizer, delay: int | Mapping[str, int]) -> None:
        if not isinstance(optimizer, Optimizer) or isinstance(optimizer, OptimizerWrapper):
            raise ValueError(
                f"optimizer must be a torch.optim.Optimizer without a delay, not {type(optimizer).__name__}"
            )
        for one in delay.values() if isinstance(delay, Mapping) else (delay,):
            check_delay(one)
        if isinstance(delay, Mapping):
            check_names(optimizer.param_groups, delay)
        self.delay = dict(delay) if isinstance(delay, Mapping) else delay
        self.time = 0
        self._history = WeightHistory()
        self._elsewhere = Elsewhere("stashed")
        super().__init__(optimizer)
        if max(self.longest_delays) > 0:
            check_no_closure_needed(optimizer)

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("optimizer", "delay", "time", "_history", "_elsewhere")}

    def __repr__(self) -> str:
        return f"{type(self).__name__} (delay {self.delay}, of {self.optimizer!r})"

    @property
    def longest_delays(self) -> tuple[int, ...]:
        """Each parameter group's delay, in steps."""
        if isinstance(self.delay, int):
            return (self.delay,) * len(self.param_groups)
        groups = enumerate(self.param_groups)
        return tuple(self.delay[name_of(group, number, self.delay)] for number, group in groups)

    @property
    def shortest_delays(self) -> tuple[int, ...]:
        """Each parameter group's delay, in steps."""
        return self.longest_delays

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a parameter group to the wrapped optimizer. Raises ValueError if it needs a delay and has none."""
        if isinstance(self.delay, Mapping):
            name_of(param_group, len(self.param_groups), self.delay)
        super().add_param_group(param_group)

    def stashed(self) -> AbstractContextManager[None]:
        """Returns the block of code for which the parameters are the stashed ones."""
        return self._elsewhere.block(self._leave, self._come_back)

    def flush(self) -> None:
        """Does nothing: every gradient has been applied."""

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Makes an update of the present weights with the gradients in `.grad`."""
        self._elsewhere.check_outside()
        value = None
        if closure is not None:
            with torch.enable_grad(), self.stashed():
                value = closure()
        if self._history.time < self.time:
            self._keep()
        parameters = parameters_of(self.param_groups)
        evaluated = None if closure is None else lambda: EvaluatedClosure(value, parameters, self.optimizer)
        self._update(self.time, tuple(min(delay, self.time) for delay in self.longest_delays), evaluated)
        self.time += 1
        return value

    def _keep(self) -> None:
        self._history.keep(self.param_groups, self.longest_delays, self.time)

    def _leave(self) -> None:
        self._keep()
        for group, delay in zip(self.param_groups, self.longest_delays, strict=True):
            for parameter in group["params"] if delay else ():
                self._put(parameter, max(self.time - delay, 0))

    def _come_back(self) -> None:
        for group, delay in zip(self.param_groups, self.longest_delays, strict=True):
            for parameter in group["params"] if delay else ():
                self._put(parameter, self.time)

    def _put(self, parameter: torch.Tensor, time: int) -> None:
        """Gives a parameter its value of step `time`, or of the first step at which it was there."""
        value = self._history.at(parameter, time)
        while value is None:
            time += 1
            value = self._history.at(parameter, time)
        parameter.copy_(value)

    def _own_state(self) -> dict[str, Any]:
        return {
            "weight_stashing": {
                "delay": self.delay,
                "time": self.time,
                "history": self._history.state(self.param_groups),
            }
        }

    def _load(self, state: dict[str, Any]) -> None:
        own = state.get("weight_stashing") or {"delay": self.delay, "time": 0, "history": WeightHistory().state([])}
        if own["delay"] != self.delay:
            raise ValueError(f"delay must be the saved run's, {own['delay']}, not {self.delay}")
        history = WeightHistory.loaded(own["history"], self.param_groups)
        self.optimizer.load_state_dict({key: value for key, value in state.items() if key != "weight_stashing"})
        self.time, self._history = own["time"], history
