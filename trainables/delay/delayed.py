"""Optimizers whose gradients are late, and which say how late: what the remedies build on."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from tautune.trainables.delay.wrapper import OptimizerWrapper


class DelayedOptimizer(OptimizerWrapper):
    """An optimizer around another one, whose gradients come from weights of some steps ago."""

    time: int
    """Steps made so far."""
    now: int = 0
    """The step whose update is being made."""
    ages: tuple[int | None, ...] = ()
    """How many steps late each parameter group's gradients are in that update; None where none has come yet."""
    remedies: tuple[Callable[[], AbstractContextManager[None]], ...] = ()
    """What surrounds each update while the remedies around this optimizer make a step, the outermost first."""

    @property
    def longest_delays(self) -> tuple[int, ...]:
        """Each parameter group's longest delay, in steps."""
        raise NotImplementedError

    @property
    def shortest_delays(self) -> tuple[int, ...]:
        """Each parameter group's shortest delay, in steps."""
        raise NotImplementedError

    def flush(self) -> None:
        """Applies the gradients that are still to come."""
        raise NotImplementedError

    def _update(
        self, now: int, ages: tuple[int | None, ...], closure: Callable[[], Callable[[], Any]] | None = None
    ) -> Any:
        """Makes the update of step `now`. `closure` makes what the optimizer gets as its closure, once all is ready."""
        self.now, self.ages = now, ages
        with ExitStack() as around:
            for remedy in reversed(self.remedies):
                around.enter_context(remedy())
            return self.optimizer.step(None if closure is None else closure())
