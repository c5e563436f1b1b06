"""An optimizer around another one, of which it is no copy."""

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

PASSED_ON = ("train", "eval", "predicted", "stashed")
"""The methods that a wrapper has if the wrapped optimizer has them: modes, and the weights of forward and backward."""


class OptimizerWrapper(Optimizer):
    """A torch Optimizer whose parameter groups, state and defaults are the wrapped optimizer's own objects.

    So are the methods of `PASSED_ON`, where the wrapped optimizer has them. Hooks registered on the wrapper run at
    every `step()`; those of the wrapped optimizer, and torch's global ones, run whenever that one makes a step.
    """

    optimizer: Optimizer

    def __init__(self, optimizer: Optimizer) -> None:
        # not Optimizer.__init__, which would make parameter groups and a state of its own
        self.__setstate__({"optimizer": optimizer})

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for name in PASSED_ON:  # not by __getattr__, which would slow every other attribute down
            if hasattr(self.optimizer, name) and not hasattr(type(self), name):
                setattr(self, name, getattr(self.optimizer, name))

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The wrapped optimizer's parameter groups."""
        return self.optimizer.param_groups

    @param_groups.setter
    def param_groups(self, groups: list[dict[str, Any]]) -> None:
        self.optimizer.param_groups = groups

    @property
    def state(self) -> defaultdict[Tensor, Any]:
        """The wrapped optimizer's state."""
        return self.optimizer.state

    @state.setter
    def state(self, state: defaultdict[Tensor, Any]) -> None:
        self.optimizer.state = state

    @property
    def defaults(self) -> dict[str, Any]:
        """The wrapped optimizer's defaults."""
        return self.optimizer.defaults

    @defaults.setter
    def defaults(self, defaults: dict[str, Any]) -> None:
        self.optimizer.defaults = defaults

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a parameter group to the wrapped optimizer."""
        self.optimizer.add_param_group(param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Resets `.grad` as the wrapped optimizer does."""
        self.optimizer.zero_grad(set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Makes a step between the hooks registered on the wrapper. Returns the closure's value, if there is one."""
        if not self._optimizer_step_pre_hooks and not self._optimizer_step_post_hooks:
            return self._step(closure)
        args: tuple[Any, ...] = (self,) if closure is None else (self, closure)
        kwargs: dict[str, Any] = {}
        for before in list(self._optimizer_step_pre_hooks.values()):
            args, kwargs = before(self, args, kwargs) or (args, kwargs)
        value = self._step(*args[1:], **kwargs)
        for after in list(self._optimizer_step_post_hooks.values()):
            after(self, args, kwargs)
        return value

    step.hooked = True  # type: ignore[attr-defined]  # or torch wraps it again, which costs microseconds

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that a run needs to continue bit for bit; `torch.load` reads it with `weights_only=True`.

        It is the wrapped optimizer's state dict with a few more entries, so the bare optimizer loads it too. The
        tensors that the wrapper adds are copies: training on does not change them.
        """
        for before in self._optimizer_state_dict_pre_hooks.values():
            before(self)
        state = {**self.optimizer.state_dict(), **self._own_state()}
        for after in self._optimizer_state_dict_post_hooks.values():
            changed = after(self, state)
            state = state if changed is None else changed
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues from a saved state. A state that does not fit raises ValueError, and nothing is loaded then."""
        for before in self._optimizer_load_state_dict_pre_hooks.values():
            changed = before(self, state_dict := dict(state_dict))
            state_dict = state_dict if changed is None else changed
        self._load(state_dict)
        for done in self._optimizer_load_state_dict_post_hooks.values():
            done(self)

    @abstractmethod
    def _own_state(self) -> dict[str, Any]:
        """Returns what the wrapper's state has beside the wrapped optimizer's."""

    @abstractmethod
    def _load(self, state: dict[str, Any]) -> None:
        """Continues from a saved state of both."""

    @abstractmethod
    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Makes a step."""
