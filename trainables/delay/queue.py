r"""Asynchronous SGD on one machine: a queue that delivers gradients τ steps late.

The step at time t uses the gradient of time t-τ, x[t+1] = x[t] - η ∇f(x[t-τ]), with the mini-batch drawn at t-τ:
what a parameter server sees from τ+1 workers in turn. The queue moves references to gradients, so it costs τ times
the model's memory and some microseconds a step (`benchmarks/step.py`); published code that keeps a copy of the weights
per worker costs a copy every step.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from tautune.trainables.theory.momentum import NO_MOMENTUM, Momentum
from tautune.trainables.theory.stability import check_delay, check_momentum

Gradients = list[Tensor | None]


@dataclass(frozen=True, kw_only=True)
class RandomDelay:
    """A delay drawn anew each step.

    Step t's delay depends on (seed, t) alone, so a resumed run draws what an unbroken one would.
    """

    probabilities: tuple[float, ...]
    """probabilities[d] is the chance of a delay of d steps; they sum to 1."""
    seed: int = 0

    def __post_init__(self) -> None:
        p = tuple(float(share) for share in self.probabilities)
        if not p or not all(share >= 0 for share in p) or not abs(sum(p) - 1) <= 1e-6:
            raise ValueError(f"probabilities must be ≥ 0 and sum to 1, not {p!r}")
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, not {self.seed!r}")
        object.__setattr__(self, "probabilities", p)

    @property
    def maximum(self) -> int:
        return len(self.probabilities) - 1

    def at(self, time: int) -> int:
        u = np.random.default_rng((self.seed, time)).random()
        return min(int(np.searchsorted(np.cumsum(self.probabilities), u, side="right")), self.maximum)


@dataclass(frozen=True)
class RecordedDelay:
    """The delays of a recorded run, one a step; the last one holds from the record's end on."""

    delays: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.delays) == 0:
            raise ValueError("a recorded delay needs at least one entry")
        for delay in self.delays:
            check_delay(delay)
        object.__setattr__(self, "delays", tuple(int(delay) for delay in self.delays))

    @property
    def maximum(self) -> int:
        return max(self.delays)

    def at(self, time: int) -> int:
        return self.delays[min(time, len(self.delays) - 1)]


class GradientQueue:
    """Stands between `backward()` and an optimizer's `step()`, and delivers each gradient τ steps late.

        optimizer = GradientQueue(torch.optim.Adam(model.parameters()), delay=8)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    Until the gradient that a step asks for exists (the first τ steps of a fixed delay) no update is made. A
    delay of 0 is the bare optimizer. Clip, unscale and accumulate between `backward()` and `step()`, as with any
    optimizer; learning-rate schedulers take `queue.optimizer` (and warn, without consequence, if they step before the
    first update). After `step()`, `.grad` is the gradient that was
    applied.

    Memory: τ gradients for a fixed delay, as many as the longest delay otherwise. Gradients move by reference: one
    is copied only when it is applied and kept for a later step too (delays that vary), or stored in another dtype.

    Args:
        optimizer: any `torch.optim` optimizer; its parameter groups are read at every step.
        delay: τ ≥ 0, a `RandomDelay`, or the delays of a recorded run in order (a list or `RecordedDelay`).
        storage: dtype of the stored gradients (torch.bfloat16 halves or quarters their memory); None keeps them
            as they are, without a copy.

    Raises:
        ValueError: a negative or non-integer delay; a delay for an optimizer that evaluates its closure itself.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        delay: int | Sequence[int] | RecordedDelay | RandomDelay,
        *,
        storage: torch.dtype | None = None,
    ) -> None:
        self.optimizer = optimizer
        self.schedule = _schedule(delay)
        self.storage = storage
        self.time = 0
        self._stored: deque[Gradients] = deque()  # the gradients of times time-len … time-1
        if storage is not None and not storage.is_floating_point:
            raise ValueError(f"storage must be a floating-point dtype, not {storage}")
        if self.schedule.maximum > 0 and isinstance(optimizer, torch.optim.LBFGS):
            raise ValueError("delay must be 0 for LBFGS: it evaluates gradients inside its step")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Stores the gradients in `.grad` and makes the update that is due. Returns the closure's value, if any."""
        if self.schedule.maximum == 0:
            self.time += 1
            return self.optimizer.step(closure)
        value = None
        if closure is not None:
            with torch.enable_grad():
                value = closure()
        parameters = self._parameters()
        age = self.schedule.at(self.time)
        self._stored.append([self._pack(p.grad) for p in parameters])
        due = self._stored[-1 - age] if age < len(self._stored) else None
        if len(self._stored) > self.schedule.maximum:
            self._stored.popleft()
        kept = age < len(self._stored)  # for a later step too, which must not see what is done to it now
        for i, parameter in enumerate(parameters):
            gradient = due[i] if due is not None and i < len(due) else None
            if gradient is not None and (kept or gradient.dtype != parameter.dtype):
                gradient = gradient.to(parameter.dtype, copy=True)
            parameter.grad = gradient
        if due is not None:
            self.optimizer.step()
        self.time += 1
        return value

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.optimizer.zero_grad(set_to_none)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return self.optimizer.param_groups

    def state_dict(self) -> dict[str, Any]:
        """Everything that a run needs to continue bit for bit; loadable with `weights_only=True`.

        The stored gradients in it are copies: training on does not change them.
        """
        return {
            "optimizer": self.optimizer.state_dict(),
            "settings": self._settings(),
            "time": self.time,
            "stored": [[None if g is None else g.clone() for g in gradients] for gradients in self._stored],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from `state`. Raises ValueError if it was saved under another delay or storage."""
        if state["settings"] != self._settings():
            raise ValueError(f"delay and storage must be the saved run's, {state['settings']}, not {self._settings()}")
        self.optimizer.load_state_dict(state["optimizer"])
        self.time = state["time"]
        self._stored = deque(
            [
                None if g is None else g.to(p.device, copy=True)
                for g, p in zip(gradients, self._parameters(), strict=False)
            ]
            for gradients in state["stored"]
        )

    def _settings(self) -> str:
        """Delay and storage in a line; of a long record its length and a digest."""
        schedule = repr(self.schedule)
        if len(schedule) > 200:
            schedule = f"{len(schedule)} characters, SHA-256 {hashlib.sha256(schedule.encode()).hexdigest()}"
        return f"{schedule}, storage {self.storage}"

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def _pack(self, gradient: Tensor | None) -> Tensor | None:
        return gradient if gradient is None or self.storage is None else gradient.to(self.storage)


def _schedule(delay: int | Sequence[int] | RecordedDelay | RandomDelay) -> RecordedDelay | RandomDelay:
    if isinstance(delay, RecordedDelay | RandomDelay):
        return delay
    if isinstance(delay, Sequence | np.ndarray):
        return RecordedDelay(tuple(delay))
    return RecordedDelay((delay,))


class ShiftedMomentumSGD(Optimizer):
    r"""SGD whose velocity is `shift` steps late, with the dampening of the paper.

        v[t+1] = m v[t-s] - η (1-m) g[t],    x[t+1] = x[t] + v[t+1]

    With shift s = τ behind a `GradientQueue` of delay τ this is the paper's shifted momentum; with s = 0 it is its
    momentum, which differs from torch's `SGD(momentum=m, dampening=m)` in the first step, undampened there.
    Memory: shift+1 velocities. A parameter without a gradient is left alone.

    Raises:
        ValueError: lr < 0, momentum outside [0, 1), shift not an integer ≥ 0.
    """

    def __init__(self, params: Iterable[Any], lr: float, *, momentum: float, shift: int = 0) -> None:
        if not lr >= 0:
            raise ValueError(f"lr must be at least 0, not {lr!r}")
        check_momentum(momentum)
        check_delay(shift)
        super().__init__(params, {"lr": lr, "momentum": momentum, "shift": shift})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        value = None
        if closure is not None:
            with torch.enable_grad():
                value = closure()
        for group in self.param_groups:
            η, m, period = group["lr"], group["momentum"], group["shift"] + 1
            for x in group["params"]:
                if x.grad is None:
                    continue
                state = self.state[x]
                if not state:
                    state["step"] = 0
                    state["velocities"] = [torch.zeros_like(x) for _ in range(period)]
                v = state["velocities"][state["step"] % period]  # v[t-s], overwritten by v[t+1]
                v.mul_(m).add_(x.grad, alpha=-η * (1 - m))
                x.add_(v)
                state["step"] += 1
        return value


def delayed_sgd(
    parameters: Sequence[torch.nn.Parameter],
    learning_rate: float,
    delay: int,
    momentum: Momentum = NO_MOMENTUM,
    *,
    storage: torch.dtype | None = None,
) -> GradientQueue:
    """Returns SGD whose gradients, and with shifted momentum whose velocity too, are `delay` steps late."""
    optimizer: Optimizer
    if momentum.value:
        shift = delay if momentum.shifted else 0
        optimizer = ShiftedMomentumSGD(parameters, learning_rate, momentum=momentum.value, shift=shift)
    else:
        optimizer = torch.optim.SGD(parameters, learning_rate)
    return GradientQueue(optimizer, delay, storage=storage)
