"""A parameter server without a network: weights, gradients that are handed out and come back, and updates."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tautune.trainables.asynchronous.flat import Flat, statistics, trained
from tautune.trainables.asynchronous.modes import Mode
from tautune.trainables.asynchronous.wire import Header
from tautune.trainables.delay.arriving import ArrivingGradients
from tautune.trainables.delay.remedies.remedy import Remedy


@dataclass(frozen=True)
class Out:
    """A gradient that a worker computes."""

    number: int
    """Its place in the order in which gradients were handed out, from 0."""
    version: int
    """Updates that its weights have seen."""
    batch: int
    worker: int


@dataclass(frozen=True)
class Arrived(Out):
    """A gradient that has come and was not applied yet."""

    loss: float
    examples: int
    hits: int
    flat: Flat
    """Its values, then one byte a parameter that is 0 where it has none, then the model's running estimates."""


@dataclass(frozen=True)
class Row:
    """What is recorded of a gradient that was applied."""

    step: int
    """The update that applied it, from 0."""
    worker: int
    age: int
    """Updates between the weights that it was computed at and this one."""
    gradient: int
    """Its place in the order in which gradients were handed out."""
    batch: int
    loss: float = field(compare=False)
    examples: int = field(compare=False)
    hits: int = field(compare=False)


class ParameterServer:
    """Holds the weights, hands them out with the number of a batch, and applies the gradients that come back.

    The model's parameters become views of one block of memory, which is what is sent.

    Args:
        model: is trained in place.
        optimizer: over parameters of the model: a torch optimizer, or remedies around `ArrivingGradients`.
        mode: when gradients are applied.
        workers: N.

    Raises:
        ValueError: so many workers cannot train in this mode, or the optimizer has a delay of its own.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer, mode: Mode, workers: int) -> None:
        mode.check(workers)
        self.model, self.mode, self.workers = model, mode, workers
        self.optimizer = optimizer if isinstance(optimizer, Remedy) else _arriving(optimizer)
        self.arriving = _inside(self.optimizer)
        if isinstance(self.optimizer, Remedy) and mode.answers_at_once:
            raise ValueError("remedies take gradients of one age; a buffer averages those of several: leave them out")
        self.parameters = trained(model)
        self.weights = Flat(self.parameters)
        self.weights.adopt(self.parameters)
        self.out: dict[int, Out] = {}
        """What each worker computes, by its number."""
        self.waiting: list[Arrived] = []
        self.running: dict[int, list[Tensor]] = {}
        """Each worker's last running estimates."""
        self.returned: deque[int] = deque()
        """Batches that were handed out to workers which were lost."""
        self.handed_out = self.next_batch = self.dropped = 0
        self._free: list[Flat] = []

    @property
    def version(self) -> int:
        """Returns the updates made so far."""
        return self.arriving.time

    def is_idle(self, worker: int) -> bool:
        """Returns whether a worker has nothing to compute and waits for no update."""
        held = any(arrived.worker == worker for arrived in self.waiting) and not self.mode.answers_at_once
        return worker not in self.out and not held

    def hand_out(self, worker: int, send: Callable[[Out, memoryview], None]) -> None:
        """Gives a worker the number of a batch, and the weights: the predicted ones where a remedy predicts them."""
        batch = self.returned.popleft() if self.returned else self.next_batch
        self.next_batch += batch == self.next_batch
        out = Out(self.handed_out, self.version, batch, worker)
        self.handed_out += 1
        self.out[worker] = out
        predicted = getattr(self.optimizer, "predicted", None)
        if predicted is None:
            send(out, self._present())
        else:
            with predicted():
                send(out, self._present())

    def _present(self) -> memoryview:
        if any(parameter.is_cuda for parameter in self.parameters):
            self.weights.take(self.parameters)
        return self.weights.bytes

    def room(self) -> Flat:
        """Returns memory for a gradient that is about to come."""
        if self._free:
            return self._free.pop()
        return Flat([*self.parameters, self._mask(), *statistics(self.model)])

    def came(self, worker: int, header: Header, flat: Flat) -> None:
        """Takes in a gradient; one that this worker was not asked for, or not any more, is put away."""
        out = self.out.get(worker)
        if out is None or out.number != header.number:
            self._free.append(flat)
            return
        del self.out[worker]
        self.waiting.append(
            Arrived(**vars(out), loss=header.loss, examples=header.examples, hits=header.batch, flat=flat)
        )
        self.running[worker] = [value.clone() for value in flat.views[len(self.parameters) + 1 :]]

    def lost(self, worker: int) -> None:
        """Takes in that a worker is gone: its batch goes to the next one that asks, and nobody waits for it."""
        out = self.out.pop(worker, None)
        if out is not None:
            self.returned.append(out.batch)

    def advance(self) -> list[Row] | None:
        """Makes the next update. Returns what it applied: nothing if a gradient was dropped; None if nothing is due."""
        decision = self.mode.decide(self.waiting, self.out.values(), self.version)
        if decision is None:
            return None
        chosen = [self.waiting[place] for place in decision.together]
        rows = []
        if decision.drop:
            self.dropped += 1
        else:
            rows = [
                Row(self.version, a.worker, self.version - a.version, a.number, a.batch, a.loss, a.examples, a.hits)
                for a in chosen
            ]
            self._update(chosen)
        self.waiting = [arrived for place, arrived in enumerate(self.waiting) if place not in decision.together]
        self._free += [arrived.flat for arrived in chosen]
        return rows

    def _update(self, chosen: list[Arrived]) -> None:
        count = len(self.parameters)
        first, *others = chosen
        total, there = first.flat.views[:count], first.flat.views[count].bool()
        for other in others:
            torch._foreach_add_(total, other.flat.views[:count])
            there = there | other.flat.views[count].bool()
        if others:
            torch._foreach_div_(total, len(chosen))
        for parameter, gradient, present in zip(self.parameters, total, there.tolist(), strict=True):
            parameter.grad = gradient.to(parameter.device) if present else None
        self.arriving.oldest = min(one.version for one in (*self.out.values(), *self.waiting))  # `chosen` still wait
        self.arriving.age = self.version - min(arrived.version for arrived in chosen)
        self.arriving.worker = first.worker
        self.optimizer.step()

    def restart(self, optimizer: Optimizer) -> None:
        """Begins anew at the present weights: what workers still compute is put away when it comes."""
        self.optimizer = optimizer if isinstance(optimizer, Remedy) else _arriving(optimizer)
        self.arriving = _inside(self.optimizer)
        self._free += [arrived.flat for arrived in self.waiting]
        self.out, self.waiting = {}, []
        self.returned.clear()
        self.next_batch = self.dropped = 0

    @torch.no_grad()
    def settle(self) -> None:
        """Gives the model the mean of its workers' running estimates; of whole numbers, the largest."""
        for place, own in enumerate(statistics(self.model)):
            values = [estimates[place].to(own.device) for _, estimates in sorted(self.running.items())]
            if values:
                stacked = torch.stack(values)
                own.copy_(stacked.mean(0) if own.is_floating_point() else stacked.amax(0))

    def _mask(self) -> Tensor:
        return torch.ones(len(self.parameters), dtype=torch.uint8)

    def state_dict(self) -> dict[str, Any]:
        """Returns all that training needs to go on bit for bit, once no gradient is out, beside model and optimizer."""
        names = ("number", "version", "batch", "worker", "loss", "examples", "hits")
        return {
            "waiting": [
                {name: getattr(one, name) for name in names} | {"block": one.flat.block.clone()} for one in self.waiting
            ],
            "running": self.running,
            "returned": [*self.returned, *(out.batch for out in self.out.values())],
            "counts": [self.handed_out, self.next_batch, self.dropped],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a state; gradients that were still being computed then are computed anew, at other weights."""
        self.waiting = []
        for one in state["waiting"]:
            flat = self.room()
            flat.block.copy_(one["block"])
            self.waiting.append(Arrived(**{name: value for name, value in one.items() if name != "block"}, flat=flat))
        self.out, self.running, self.returned = {}, dict(state["running"]), deque(state["returned"])
        self.handed_out, self.next_batch, self.dropped = state["counts"]


def mean_age(rows: list[Row]) -> float:
    """Returns the mean age of gradients that were applied, in updates; 0 without any."""
    return fmean(row.age for row in rows) if rows else 0.0


def _arriving(optimizer: Optimizer) -> ArrivingGradients:
    return optimizer if isinstance(optimizer, ArrivingGradients) else ArrivingGradients(optimizer)


def _inside(optimizer: Optimizer) -> ArrivingGradients:
    inner: Any = optimizer
    while isinstance(inner, Remedy):
        inner = inner.optimizer
    if not isinstance(inner, ArrivingGradients):
        name = type(inner).__name__
        raise ValueError(f"remedies of a parameter server go around ArrivingGradients(…), not around {name}")
    return inner
