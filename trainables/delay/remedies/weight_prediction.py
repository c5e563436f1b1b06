"""Gradients at the weights that are predicted for the time when they arrive."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from numbers import Real
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from tautune.trainables.delay.delayed import DelayedOptimizer
from tautune.trainables.delay.elsewhere import Elsewhere
from tautune.trainables.delay.lanes import check_names, name_of
from tautune.trainables.delay.per_parameter import by_parameter, listed, parameters_of
from tautune.trainables.delay.remedies.remedy import Remedy


class WeightPrediction(Remedy):
    r"""Computes gradients where the weights will be in T steps, if they go on as in the last one.

        g[t] = ∇f(x[t] + T (x[t] - x[t-1]))

        optimizer = WeightPrediction(GradientQueue(torch.optim.SGD(model.parameters(), 0.1, momentum=0.9), delay=8))
        with optimizer.predicted():
            loss = loss_function(model(inputs), targets)
            loss.backward()
        optimizer.step()

    The forward and the backward pass belong into the block. Weights are written in place and come back bit for bit;
    buffers, such as batch normalization's running statistics, are those of the predicted weights. A closure that is
    passed to `step()` is evaluated at the predicted weights, without a block.

    Around a minimum, the delay's transfer function z^(-τ) becomes z^(-τ) (1 + T (1 - z^(-1))). For SGD with momentum at
    a constant learning rate the prediction is SpecTrain's x - η T v; for Adam it is XPipe's with the update just made.

    Memory: the model twice.

    Sources: Chen, Yang, Cheng, "SpecTrain" (arXiv 1809.02839); Guan et al., "XPipe" (arXiv 1911.04610); the form with
    differences of weights: Kosson et al., MLSys 2021 (arXiv 2003.11666), linear weight prediction.

    Args:
        optimizer: a `GradientQueue`, another remedy around one, or any optimizer whose gradients are late by itself.
        horizon: T ≥ 0 in steps, or one for each parameter group, by its key `name`. None is the queue's delay.

    Raises:
        ValueError: a horizon is negative or infinite, names a group that does not exist or is missing; None where
            delays vary or there is no queue; or the weights are stashed ones.
    """

    KEY = "weight_prediction"
    ATTRIBUTES = ("_horizon", "_previous", "_present", "_elsewhere", "_held")

    def __init__(self, optimizer: Optimizer, horizon: float | Mapping[str, float] | None = None) -> None:
        for one in horizon.values() if isinstance(horizon, Mapping) else () if horizon is None else (horizon,):
            if not isinstance(one, Real) or not 0 <= one < float("inf"):
                raise ValueError(f"horizon must be a finite number of steps ≥ 0, not {one!r}")
        if isinstance(horizon, Mapping):
            check_names(optimizer.param_groups, horizon)
        if hasattr(optimizer, "stashed"):
            raise ValueError("weights cannot be predicted where they are stashed: use a GradientQueue")
        self._horizon = horizon
        self._previous: dict[Tensor, Tensor] = {}  # x[t-1]
        self._present: dict[Tensor, Tensor] = {}  # x[t], while it is held
        self._held = False
        self._elsewhere = Elsewhere("predicted")
        super().__init__(optimizer)
        if horizon is None:
            self._check_delays(self._delayed)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a parameter group to the wrapped optimizer. Raises ValueError if it needs a horizon and has none."""
        if isinstance(self._horizon, Mapping):
            name_of(param_group, len(self.param_groups), self._horizon)
        super().add_param_group(param_group)

    def predicted(self) -> AbstractContextManager[None]:
        """Returns the block of code for which the parameters are the predicted ones."""
        return self._elsewhere.block(self._leave, self._come_back)

    def flush(self) -> None:
        """Applies the gradients that are still to come. The next prediction is where the weights are then."""
        super().flush()
        self._previous.clear()

    @property
    def horizons(self) -> list[float]:
        """Each parameter group's T, in steps."""
        if isinstance(self._horizon, Mapping):
            return [self._horizon[group["name"]] for group in self.param_groups]
        if self._horizon is not None:
            return [self._horizon] * len(self.param_groups)
        assert self._delayed is not None
        return list(self._delayed.longest_delays)

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        self._elsewhere.check_outside()
        if closure is None:
            if not self._held:
                self._hold()
            value = self.optimizer.step()
        else:
            value = self.optimizer.step(lambda: self._evaluated(closure))
        self._previous, self._present, self._held = self._present, self._previous, False
        return value

    def _evaluated(self, closure: Callable[[], Any]) -> Any:
        with self.predicted():
            return closure()

    @torch.no_grad()
    def _hold(self) -> None:
        """Copies the present weights."""
        for parameter in parameters_of(self.param_groups):
            if parameter in self._present:
                self._present[parameter].copy_(parameter)
            else:
                self._present[parameter] = parameter.detach().clone()
        self._held = True

    def _leave(self) -> None:
        self._hold()
        for group, T in zip(self.param_groups, self.horizons, strict=True):
            for x in group["params"]:
                if T and x in self._previous:
                    x.lerp_(self._previous[x], -T)  # x + T (x - x[t-1])

    def _come_back(self) -> None:
        for parameter in parameters_of(self.param_groups):
            parameter.copy_(self._present[parameter])

    @staticmethod
    def _check_delays(delayed: DelayedOptimizer | None) -> None:
        """Raises ValueError unless there is one delay, that never varies, for each parameter group."""
        if delayed is None:
            raise ValueError("horizon must be given where no GradientQueue says how late gradients are")
        if delayed.longest_delays != delayed.shortest_delays:
            raise ValueError("horizon must be given where delays vary")

    def _memory(self) -> dict[str, Any]:
        return {"previous": listed(self._previous, self.param_groups)}

    def _remembered(self, memory: dict[str, Any] | None) -> Callable[[], None]:
        weights = [] if memory is None else memory["previous"]
        previous = by_parameter(weights, self.param_groups, what="previous weights") if weights else {}

        def remember() -> None:
            self._previous, self._present, self._held = previous, {}, False

        return remember
