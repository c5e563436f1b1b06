"""Gradients that are too old are not applied."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch.optim import Optimizer

from tautune.trainables.delay.remedies.remedy import UpdateRemedy


class DiscardStale(UpdateRemedy):
    r"""Makes no update with gradients that are R steps late or later.

        x[t+1] = x[t] - η g[t-τ]  if τ < R,    x[t+1] = x[t]  otherwise

    With a delay for each parameter group, groups are judged one by one. It costs no memory.

    Source: Maranjyan, Tyurin, Richtárik, "Ringmaster ASGD" (arXiv 2501.16168), without the part that stops workers
    early, and the authors' code.

    Args:
        optimizer: a `GradientQueue` whose delay varies, or another remedy around one.
        limit: R ≥ 1, in steps.

    Raises:
        ValueError: R is no integer of at least 1, a parameter group would have none of its gradients applied, or
            `optimizer` has no delay.
    """

    KEY = "discard_stale"
    ATTRIBUTES = ("limit",)

    def __init__(self, optimizer: Optimizer, limit: int) -> None:
        if not isinstance(limit, int) or limit < 1:
            raise ValueError(f"limit must be an integer of at least 1, not {limit!r}")
        self.limit = limit
        super().__init__(optimizer)
        if max(self.delayed.shortest_delays) >= limit:
            raise ValueError(
                f"limit must be above {max(self.delayed.shortest_delays)}, the shortest delay of a parameter group: "
                f"none of its gradients would be applied under {limit}"
            )

    @contextmanager
    def _around_update(self) -> Iterator[None]:
        for group, age in zip(self.param_groups, self.delayed.ages, strict=True):
            if age is not None and age >= self.limit:
                for parameter in group["params"]:
                    parameter.grad = None
        yield

    def _memory(self) -> dict[str, Any]:
        return {}

    def _remembered(self, memory: dict[str, Any] | None) -> Callable[[], None]:
        return lambda: None
