"""The weights that the gradients of the last steps come from."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tautune.trainables.delay.per_parameter import Groups, by_parameter, listed, parameters_of


class WeightHistory:
    """Copies of the weights x[t-τ] … x[t] of the parameters of delay τ ≥ 1; there are none of the others."""

    def __init__(self) -> None:
        self.time = -1
        self._copies: dict[Tensor, deque[Tensor]] = {}

    @torch.no_grad()
    def keep(self, groups: Groups, delays: Sequence[int], time: int) -> None:
        """Copies the weights before the update of step `time`; done twice, the second copy counts."""
        for group, delay in zip(groups, delays, strict=True):
            for parameter in group["params"] if delay else ():
                copies = self._copies.setdefault(parameter, deque())
                reused = None
                if copies and time == self.time:
                    reused = copies.pop()
                elif len(copies) > delay:
                    reused = copies.popleft()
                if reused is None:
                    reused = torch.empty_like(parameter, requires_grad=False)
                copies.append(reused.copy_(parameter))
        self.time = time

    def at(self, parameter: Tensor, time: int) -> Tensor | None:
        """Returns the parameter before the update of step `time`, or None where that is not known."""
        copies = self._copies.get(parameter, ())
        back = self.time - time
        return copies[-1 - back] if 0 <= back < len(copies) else None

    def state(self, groups: Groups) -> dict[str, Any]:
        """Returns the form in which a state dict holds the history."""
        count = max((len(copies) for copies in self._copies.values()), default=0)
        at_all = [{p: c[-back] for p, c in self._copies.items() if back <= len(c)} for back in range(count, 0, -1)]
        return {"time": self.time, "weights": [listed(at_one, groups) for at_one in at_all]}

    @classmethod
    def loaded(cls, state: dict[str, Any], groups: Groups) -> "WeightHistory":
        """Returns the history of a saved state. Raises ValueError if it does not fit the parameters."""
        history = cls()
        history.time = state["time"]
        at_all = [by_parameter(weights, groups, what="earlier weights") for weights in state["weights"]]
        for parameter in parameters_of(groups):
            copies = deque(weights[parameter] for weights in at_all if parameter in weights)
            if copies:
                history._copies[parameter] = copies
        return history
