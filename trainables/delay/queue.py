r"""Asynchronous SGD on one machine: a queue that delivers gradients τ steps late.

The step at time t uses the gradient of time t-τ, x[t+1] = x[t] - η ∇f(x[t-τ]), with the mini-batch drawn at t-τ:
what a parameter server sees when τ+1 workers take turns. The queue moves references to gradients, so it costs τ times
the model's memory and a few microseconds a step (`benchmarks/step.py`); published code that keeps a copy of the
weights for each worker pays for a copy at every step.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from tautune.trainables.delay.closures import EvaluatedClosure, check_no_closure_needed
from tautune.trainables.delay.gradients import Gradients, give, take
from tautune.trainables.delay.queue_state import check_stored, padded, placed, split
from tautune.trainables.delay.schedules import Schedule, as_schedule
from tautune.trainables.delay.witness import Witness
from tautune.trainables.delay.wrapper import OptimizerWrapper

WATCHED = 100
"""Steps after the first update for which a CPU's gradients are watched for overwriting; a GPU's always are."""


class GradientQueue(OptimizerWrapper):
    """An optimizer whose gradients arrive τ steps late: it wraps another one, and stores what `backward()` computes.

        optimizer = GradientQueue(torch.optim.Adam(model.parameters()), delay=8)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    No update is made until the gradient that a step asks for exists: none in the first τ steps of a fixed delay. A
    delay of 0 is the bare optimizer. Clip, unscale and accumulate gradients between `backward()` and `step()`, as with
    any optimizer; pass a closure to `step()` if you like. `flush()` applies the gradients that are left at the end.

    Parameter groups, state and defaults are the wrapped optimizer's own objects, so learning-rate schedulers and
    trainers take the queue itself; so are `train()` and `eval()`, which schedule-free optimizers have. Hooks
    registered on the queue run at every `step()`; those of the wrapped optimizer, and torch's global ones, run at
    every update.

    `.grad` after `step()`: the gradient that was applied, or None where none was. Gradients in memory that is not
    theirs alone (buckets of DistributedDataParallel, flat or other static buffers) are copied, and `.grad` is then
    left as it was. The queue cannot see that a CUDA graph writes to `.grad` when it is replayed: pass `copy=True`.

    A layer that is frozen midway (`requires_grad_(False)`, no gradient any more) stays as it is from then on: its late
    gradients are dropped. A parameter that merely has no gradient at a step is left alone by the update τ steps later.

    Memory: τ gradients for a fixed delay, otherwise as many as the longest delay. Gradients move by reference. One is
    copied only where its memory is someone else's too, where it is applied and kept for a later step (delays that
    vary), or where it is stored in another dtype.

    Args:
        optimizer: any `torch.optim` optimizer that does not need to evaluate a closure.
        delay: τ ≥ 0, a `RandomDelay`, or the delays of a recorded run in order (a list or a `RecordedDelay`).
        storage: dtype of the stored gradients (torch.bfloat16 halves or quarters their memory); None keeps theirs.
        copy: whether every gradient is copied and `.grad` is always left as it was.

    Raises:
        ValueError: a negative or non-integer delay, a storage that is no floating-point dtype, or a delay for an
            optimizer that evaluates the loss inside its step.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        delay: int | Sequence[int] | Schedule,
        *,
        storage: torch.dtype | None = None,
        copy: bool = False,
    ) -> None:
        if not isinstance(optimizer, Optimizer) or isinstance(optimizer, GradientQueue):
            raise ValueError(
                f"optimizer must be a torch.optim.Optimizer without a delay, not {type(optimizer).__name__}"
            )
        if storage is not None and not storage.is_floating_point:
            raise ValueError(f"storage must be a floating-point dtype, not {storage}")
        schedule = as_schedule(delay)
        if schedule.maximum > 0:
            check_no_closure_needed(optimizer)
        self.schedule, self.storage, self.copy = schedule, storage, copy
        self._restart(0)
        super().__init__(optimizer)

    def __getstate__(self) -> dict[str, Any]:
        own = ("optimizer", "schedule", "storage", "copy", "time", "_emptied", "_stored")
        return {name: self.__dict__[name] for name in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._witness: Witness | None = None
        super().__setstate__(state)

    def __repr__(self) -> str:
        return f"{type(self).__name__} ({self._settings()}, of {self.optimizer!r})"

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Stores the gradients in `.grad` and makes the update that is due."""
        longest = self.schedule.maximum
        if longest == 0:
            self.time += 1
            return self.optimizer.step(closure)
        value = None
        if closure is not None:
            with torch.enable_grad():
                value = closure()
        parameters = self._parameters()
        if self._witness is not None:
            self._witness.check()
        fresh, borrowed = take(parameters, dtype=self.storage, copy=self.copy)
        self._stored.append(fresh)
        age = self.schedule.at(self.time)
        due = self._stored[-1 - age] if age < len(self._stored) else []
        made = age < len(self._stored)
        if len(self._stored) > longest:
            self._stored.popleft()
        # kept for a later step too, which must not see what is done to it now
        give(parameters, due, fresh=fresh, copy=age < len(self._stored))
        if made:
            self.optimizer.step(None if closure is None else EvaluatedClosure(value, parameters, self.optimizer))
        for parameter, gradient in borrowed:
            parameter.grad = gradient
        self._witness = None
        if not borrowed and (self.time < self._emptied + longest + WATCHED or parameters[0].is_cuda):
            self._witness = Witness.of(parameters, fresh)
        self.time += 1
        return value

    def flush(self) -> None:
        """Applies the gradients that are still to come, in order, an update each. The queue is empty afterwards.

        It makes the updates that τ more steps without new gradients would make (for a delay that varies, the longest
        delay's number of steps), so time goes on by τ. `.grad` and learning rates are left as they are.
        """
        parameters = self._parameters()
        held = [parameter.grad for parameter in parameters]
        by_hand = not any(parameter.requires_grad for parameter in parameters)  # then none of them is frozen
        varies = self.schedule.minimum < self.schedule.maximum
        begin, end = self.time - len(self._stored), self.time + self.schedule.maximum
        for time in range(max(self.time, begin + self.schedule.minimum), end):
            source = time - self.schedule.at(time) - begin
            if 0 <= source < len(self._stored):
                fresh = parameters if by_hand else [None] * len(parameters)
                give(parameters, self._stored[source], fresh=fresh, copy=varies)
                self.optimizer.step()
        for parameter, gradient in zip(parameters, held, strict=True):
            parameter.grad = gradient
        self._restart(end)

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that a run needs to continue bit for bit; `torch.load` reads it with `weights_only=True`.

        It is the wrapped optimizer's state dict with a few more entries, so the bare optimizer loads it too. The stored
        gradients in it are copies: training on does not change them.
        """
        for before in self._optimizer_state_dict_pre_hooks.values():
            before(self)
        count = len(self._parameters())
        state = {
            **self.optimizer.state_dict(),
            "settings": self._settings(),
            "time": self.time,
            "emptied": self._emptied,
            "stored": [padded(gradients, count) for gradients in self._stored],
        }
        for after in self._optimizer_state_dict_post_hooks.values():
            changed = after(self, state)
            state = state if changed is None else changed
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues from a saved state. From a bare optimizer's state it continues with an empty queue, at time 0.

        Raises:
            ValueError: the state was saved under another delay or storage, or its gradients are not those that this
                queue would hold: another number of them, other shapes, other dtypes. Nothing is loaded then.
        """
        for before in self._optimizer_load_state_dict_pre_hooks.values():
            changed = before(self, state_dict := dict(state_dict))
            state_dict = state_dict if changed is None else changed
        of_optimizer, own = split(state_dict)
        own = own or {"settings": self._settings(), "time": 0, "emptied": 0, "stored": []}
        if own["settings"] != self._settings():
            raise ValueError(f"delay and storage must be the saved run's, {own['settings']}, not {self._settings()}")
        parameters = self._parameters()
        count = min(own["time"] - own["emptied"], self.schedule.maximum)
        check_stored(own["stored"], parameters, first=own["time"] - count, count=count, storage=self.storage)
        self.optimizer.load_state_dict(of_optimizer)
        self._restart(own["time"])
        self._emptied = own["emptied"]
        self._stored.extend(placed(gradients, parameters) for gradients in own["stored"])
        for done in self._optimizer_load_state_dict_post_hooks.values():
            done(self)

    def _restart(self, time: int) -> None:
        """Empties the queue at `time`."""
        self.time = self._emptied = time
        self._stored: deque[Gradients] = deque()  # the gradients of times time-len … time-1
        self._witness = None

    def _settings(self) -> str:
        """Returns delay and storage in a line; for a long record its length and a digest."""
        schedule = repr(self.schedule)
        if len(schedule) > 200:
            schedule = f"{len(schedule)} characters, SHA-256 {hashlib.sha256(schedule.encode()).hexdigest()}"
        return f"{schedule}, storage {self.storage}"

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
