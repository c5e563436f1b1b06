"""Learning rates that depend on how late a gradient is."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from torch.optim import Optimizer

from tautune.trainables.delay.remedies.remedy import UpdateRemedy


class LearningRateRule(UpdateRemedy):
    """A remedy that multiplies each parameter group's learning rate, for one update, by a factor of its own.

    Between updates the group's `lr` is the one that the user, or a learning-rate scheduler, has set.
    """

    ATTRIBUTES: ClassVar[tuple[str, ...]] = ("updates",)
    updates: int
    """Updates made so far."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.updates = 0
        super().__init__(optimizer)

    @abstractmethod
    def factor(self, age: int) -> float:
        """Returns what the learning rate is multiplied by where gradients are `age` steps late."""

    @contextmanager
    def _around_update(self) -> Iterator[None]:
        rates = [group["lr"] for group in self.param_groups]
        for group, age in zip(self.param_groups, self.delayed.ages, strict=True):
            if age is not None:
                group["lr"] = group["lr"] * self.factor(age)
        try:
            yield
        finally:
            for group, rate in zip(self.param_groups, rates, strict=True):
                group["lr"] = rate
        self.updates += 1

    def _memory(self) -> dict[str, Any]:
        return {"updates": self.updates}

    def _remembered(self, memory: dict[str, Any] | None) -> Callable[[], None]:
        updates = 0 if memory is None else int(memory["updates"])
        return lambda: setattr(self, "updates", updates)
