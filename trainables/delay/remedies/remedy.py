"""What all remedies are: optimizers around another one, each with a state of its own."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

from torch.optim import Optimizer

from tautune.trainables.delay.delayed import DelayedOptimizer
from tautune.trainables.delay.wrapper import OptimizerWrapper


class Remedy(OptimizerWrapper):
    """An optimizer around another one, whose state dict has one more entry for what the remedy remembers.

    Raises:
        ValueError: `optimizer` has the same remedy already, whose entry would be this one's.
    """

    KEY: ClassVar[str]
    """The entry of the state dict."""
    ATTRIBUTES: ClassVar[tuple[str, ...]] = ()
    """What a copy of the remedy has of its attributes, besides the wrapped optimizer."""

    def __init__(self, optimizer: Optimizer) -> None:
        inner = optimizer
        while isinstance(inner, Remedy):
            if inner.KEY == self.KEY:
                raise ValueError(f"{type(self).__name__} is around this optimizer already; a remedy goes there once")
            inner = inner.optimizer
        super().__init__(optimizer)

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("optimizer", *self.ATTRIBUTES)}

    def __repr__(self) -> str:
        return f"{type(self).__name__} (of {self.optimizer!r})"

    def flush(self) -> None:
        """Applies the gradients that are still to come, as the queue inside does."""
        if isinstance(self.optimizer, Remedy | DelayedOptimizer):
            self.optimizer.flush()

    @property
    def _delayed(self) -> DelayedOptimizer | None:
        """The optimizer inside that knows how late gradients are, if there is one."""
        inner: Optimizer = self
        while isinstance(inner, Remedy):
            inner = inner.optimizer
        return inner if isinstance(inner, DelayedOptimizer) else None

    def _own_state(self) -> dict[str, Any]:
        return {self.KEY: self._memory()}

    def _load(self, state: dict[str, Any]) -> None:
        """Continues from a saved state; what was saved without this remedy is continued with an empty memory."""
        inner = {key: value for key, value in state.items() if key != self.KEY}
        remember = self._remembered(state.get(self.KEY))
        self.optimizer.load_state_dict(inner)
        remember()

    @abstractmethod
    def _memory(self) -> dict[str, Any]:
        """Returns what the remedy remembers, in the form in which a state dict holds it."""

    @abstractmethod
    def _remembered(self, memory: dict[str, Any] | None) -> Callable[[], None]:
        """Checks what a state dict holds of the remedy, if it holds any. Returns what takes it over."""


class UpdateRemedy(Remedy):
    """A remedy that changes late gradients, or the step that is made with them, just before they are applied.

    Raises:
        ValueError: `optimizer` has no delay, neither itself nor inside the remedies that it is made of.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        super().__init__(optimizer)
        self.delayed  # noqa: B018 - it raises

    @property
    def delayed(self) -> DelayedOptimizer:
        """The optimizer inside that knows how late each gradient is."""
        delayed = self._delayed
        if delayed is None:
            name = type(self).__name__
            raise ValueError(
                f"{name} needs an optimizer that knows how late its gradients are: "
                f"{name}(GradientQueue({type(self.optimizer).__name__}(…), delay=8))"
            )
        return delayed

    @abstractmethod
    def _around_update(self) -> AbstractContextManager[None]:
        """Surrounds an update; the gradients that it applies are in `.grad`, and `self.delayed.ages` is their age."""

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        with self._in_charge():
            return self.optimizer.step(closure)

    def flush(self) -> None:
        """Applies the gradients that are still to come, as the queue inside does, with this remedy."""
        with self._in_charge():
            super().flush()

    @contextmanager
    def _in_charge(self) -> Iterator[None]:
        """Takes part in the updates that are made inside."""
        delayed = self.delayed
        others = delayed.remedies
        delayed.remedies = (*others, self._around_update)
        try:
            yield
        finally:
            delayed.remedies = others
