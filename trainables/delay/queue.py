r"""Asynchronous SGD on one machine: a queue that delivers gradients τ steps late.

The step at time t uses the gradient of time t-τ, x[t+1] = x[t] - η ∇f(x[t-τ]), with the mini-batch drawn at t-τ:
what a parameter server sees when τ+1 workers take turns. The queue moves references to gradients, so it costs τ times
the model's memory and some tens of microseconds a step (`benchmarks/step.py`); published code that keeps a copy of the
weights for each worker pays for a copy at every step.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from tautune.trainables.delay.closures import EvaluatedClosure, check_no_closure_needed
from tautune.trainables.delay.delayed import DelayedOptimizer
from tautune.trainables.delay.gradients import Gradients, give, take
from tautune.trainables.delay.lanes import Lanes
from tautune.trainables.delay.queue_state import check_stored, copies_of, placed, split
from tautune.trainables.delay.schedules import OneDelay, Schedule
from tautune.trainables.delay.witness import Witness
from tautune.trainables.delay.wrapper import OptimizerWrapper

WATCHED = 100
"""Steps after the first update for which a CPU's gradients are watched for overwriting; a GPU's always are."""


class GradientQueue(DelayedOptimizer):
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
        delay: τ ≥ 0, a `RandomDelay`, or the delays of a recorded run in order (a list, a `RecordedDelay`, or what
            `read_trace` returns); or one of these for each parameter group, by the group's key `name`.
        storage: dtype of the stored gradients (torch.bfloat16 halves or quarters their memory); None keeps theirs.
        copy: whether every gradient is copied and `.grad` is always left as it was.

    Raises:
        ValueError: a negative or non-integer delay, a storage that is no floating-point dtype, or a delay for an
            optimizer that evaluates the loss inside its step.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        delay: OneDelay | Mapping[str, OneDelay],
        *,
        storage: torch.dtype | None = None,
        copy: bool = False,
    ) -> None:
        if not isinstance(optimizer, Optimizer) or isinstance(optimizer, OptimizerWrapper):
            raise ValueError(
                f"optimizer must be a torch.optim.Optimizer without a delay, not {type(optimizer).__name__}"
            )
        if storage is not None and not storage.is_floating_point:
            raise ValueError(f"storage must be a floating-point dtype, not {storage}")
        self._lanes = Lanes(delay, optimizer.param_groups)
        if self._lanes.longest > 0:
            check_no_closure_needed(optimizer)
        self.storage, self.copy = storage, copy
        self._restart(0)
        super().__init__(optimizer)

    def __getstate__(self) -> dict[str, Any]:
        own = ("optimizer", "storage", "copy", "time", "_emptied", "_lanes")
        return {name: self.__dict__[name] for name in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._witness: Witness | None = None
        super().__setstate__(state)

    def __repr__(self) -> str:
        return f"{type(self).__name__} ({self._settings()}, of {self.optimizer!r})"

    @property
    def schedule(self) -> Schedule | dict[str, Schedule]:
        """The delay of all parameters, or that of each parameter group."""
        return self._lanes.schedule

    @property
    def longest_delays(self) -> tuple[int, ...]:
        """Each parameter group's longest delay, in steps."""
        return self._lanes.for_groups([lane.schedule.maximum for lane in self._lanes], self.param_groups)

    @property
    def shortest_delays(self) -> tuple[int, ...]:
        """Each parameter group's shortest delay, in steps."""
        return self._lanes.for_groups([lane.schedule.minimum for lane in self._lanes], self.param_groups)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a parameter group to the wrapped optimizer. Raises ValueError if it needs a delay and has none."""
        self._lanes.check_new(param_group, len(self.param_groups))
        super().add_param_group(param_group)

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Stores the gradients in `.grad` and makes the update that is due."""
        longest = self._lanes.longest
        if longest == 0:
            self.time += 1
            return self.optimizer.step(closure)
        value = None
        if closure is not None:
            with torch.enable_grad():
                value = closure()
        if self._witness is not None:
            self._witness.check()
        ages, late, stored, borrowed = self._exchange()
        if any(age is not None for age in ages):
            everything = [parameter for own in self._parameters() for parameter in own]
            evaluated = None if closure is None else lambda: EvaluatedClosure(value, everything, self.optimizer)
            self._update(self.time, self._lanes.for_groups(ages, self.param_groups), evaluated)
        for parameter, gradient in borrowed:
            parameter.grad = gradient
        self._witness = None
        if not borrowed and (self.time < self._emptied + longest + WATCHED or late[0].is_cuda):
            self._witness = Witness.of(late, stored)
        self.time += 1
        return value

    def _exchange(self) -> tuple[list[int | None], list[Tensor], Gradients, list[tuple[Tensor, Tensor]]]:
        """Stores the gradients in `.grad` and puts those that are due there.

        Returns each lane's age, the parameters whose gradients are late, what was stored of them, and those whose
        gradient was borrowed, with that gradient.
        """
        ages: list[int | None] = []
        late: list[Tensor] = []
        stored: Gradients = []
        borrowed = []
        for lane, parameters in zip(self._lanes, self._parameters(), strict=True):
            if lane.schedule.maximum == 0:
                ages.append(0)
                continue
            fresh, others = take(parameters, dtype=self.storage, copy=self.copy)
            age, due, kept = lane.pass_on(fresh, self.time)
            give(parameters, due, fresh=fresh, copy=kept)  # what is kept must not see what is done to `.grad` now
            ages.append(age)
            late += parameters
            stored += fresh
            borrowed += others
        return ages, late, stored, borrowed

    def flush(self) -> None:
        """Applies the gradients that are still to come, in order, an update each. The queue is empty afterwards.

        It makes the updates that τ more steps without new gradients would make (for a delay that varies, the longest
        delay's number of steps), so time goes on by τ. `.grad` and learning rates are left as they are.
        """
        parameters = self._parameters()
        everything = [parameter for own in parameters for parameter in own]
        held = [parameter.grad for parameter in everything]
        by_hand = not any(parameter.requires_grad for parameter in everything)  # then none of them is frozen
        end = self.time + self._lanes.longest
        for now in range(self._lanes.first_due(self.time), end):
            ages = []
            for lane, own in zip(self._lanes, parameters, strict=True):
                age, due = lane.due_without_new(now, end=self.time)
                varies = lane.schedule.minimum < lane.schedule.maximum
                give(own, due, fresh=own if by_hand else [None] * len(own), copy=varies)
                ages.append(age)
            if any(age is not None for age in ages):
                self._update(now, self._lanes.for_groups(ages, self.param_groups))
        for parameter, gradient in zip(everything, held, strict=True):
            parameter.grad = gradient
        self._restart(end)

    def _own_state(self) -> dict[str, Any]:
        return {
            "settings": self._settings(),
            "time": self.time,
            "emptied": self._emptied,
            "stored": [copies_of(gradients) for gradients in self._lanes.steps(self.param_groups)],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues from a saved state. From a bare optimizer's state it continues with an empty queue, at time 0.

        Raises:
            ValueError: the state was saved under another delay or storage, or its gradients are not those that this
                queue would hold: another number of them, other shapes, other dtypes. Nothing is loaded then.
        """
        super().load_state_dict(state_dict)

    def _load(self, state: dict[str, Any]) -> None:
        of_optimizer, own = split(state)
        own = own or {"settings": self._settings(), "time": 0, "emptied": 0, "stored": []}
        if own["settings"] != self._settings():
            raise ValueError(f"delay and storage must be the saved run's, {own['settings']}, not {self._settings()}")
        parameters = [parameter for lane in self._parameters() for parameter in lane]
        count = min(own["time"] - own["emptied"], self._lanes.longest)
        check_stored(own["stored"], parameters, first=own["time"] - count, count=count, storage=self.storage)
        self.optimizer.load_state_dict(of_optimizer)
        self._restart(own["time"])
        self._emptied = own["emptied"]
        self._lanes.fill([placed(gradients, parameters) for gradients in own["stored"]], self.param_groups)

    def _restart(self, time: int) -> None:
        """Empties the queue at `time`."""
        self.time = self._emptied = time
        self._lanes.clear()
        self._witness = None

    def _settings(self) -> str:
        """Returns delay and storage in a line; for a long record its length and a digest."""
        schedule = repr(self.schedule)
        if len(schedule) > 200:
            schedule = f"{len(schedule)} characters, SHA-256 {hashlib.sha256(schedule.encode()).hexdigest()}"
        return f"{schedule}, storage {self.storage}"

    def _parameters(self) -> list[list[Tensor]]:
        """Returns each lane's parameters."""
        return self._lanes.parameters(self.param_groups)
