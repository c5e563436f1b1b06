"""A network in training whose gradients are computed by workers, on this host and on others."""

from typing import Any

import torch
from torch.optim import Optimizer

from tautune.trainables.asynchronous.batches import seed_batch
from tautune.trainables.asynchronous.group import Group
from tautune.trainables.asynchronous.judged import Judged
from tautune.trainables.asynchronous.modes import parse_mode
from tautune.trainables.asynchronous.server import ParameterServer, Row
from tautune.trainables.asynchronous.settings import Workers
from tautune.trainables.delay.arriving import ArrivingGradients
from tautune.trainables.delay.shifted_momentum import ShiftedMomentumSGD
from tautune.trainables.supervised.elsewhere import Make, TrainingElsewhere
from tautune.trainables.supervised.gradient import Objective
from tautune.trainables.supervised.passes import Passes
from tautune.trainables.supervised.supervised_training import SupervisedTraining
from tautune.trainables.supervised.training import DIVERGED_LOSS, Epoch
from tautune.trainables.supervised.with_remedy import with_remedy


class SupervisedGradients:
    """Computes the gradients of a training's batches."""

    def __init__(self, training: SupervisedTraining) -> None:
        self.training, self.model, self.passes = training, training.model, Passes(training)
        self.objective = Objective(training.model, training.normalize, training.config, training.task, training.scale)
        self.model.train()

    def compute(self, batch: int) -> Judged:
        """Leaves the gradient of the batch of that number in `.grad`."""
        part, task = self.passes.batch(batch), self.training.task
        seed_batch(self.training.seed, batch)
        error, outputs = self.objective.backward(part, torch.default_generator, unchecked=f"batch {batch}")
        hits = int(task.hits(outputs, part.targets)) if task.hits else 0
        return Judged(error, len(part), hits)


class MakeGradients:
    """Makes `SupervisedGradients` in a worker's process."""

    def __init__(self, make: Make) -> None:
        self.make = make

    def __call__(self, device: str) -> SupervisedGradients:
        """Returns what computes the gradients on a device."""
        return SupervisedGradients(self.make(device))


class TrainingWithWorkers(TrainingElsewhere):
    """A training whose optimizer is a parameter server's, and whose gradients come from workers.

    An epoch ends when as many gradients were applied as a pass has batches; those that are being computed then are of
    the next epoch.

    Args:
        make: makes the training.
        workers: how many workers, and how they take part.
        device: where the server has its weights.
    """

    noun = "workers"

    def __init__(self, make: Make, workers: Workers, device: str) -> None:
        super().__init__(make, device)
        optimizer = _at_a_server(self.inner, workers.count - 1)
        self.server = ParameterServer(self.inner.model, optimizer, parse_mode(workers.mode), workers.count)
        self.inner.optimizer = self.server.optimizer
        self._workers, self._group = workers, list[Group]()

    @property
    def group(self) -> Group:
        """Returns the server with its workers, which start when they are first needed."""
        if not self._group:
            self._group.append(Group(self.server, MakeGradients(self.make), self._workers))
        return self._group[0]

    def train_epoch(self) -> Epoch:
        """Trains for one more epoch."""
        number = self.next_pass()
        rows, rate = list[Row](), self._rate(0, number)

        def on_update(applied: list[Row]) -> bool:
            nonlocal rate
            rows.extend(applied)
            ended = len(rows) >= number or not all(row.loss <= DIVERGED_LOSS for row in applied)
            rate = rate if ended else self._rate(len(rows), number)
            return ended

        self.inner.model.train()
        self.group.run(number, on_update)
        self.rows += rows
        return self.ended(rows, rate)

    def _rate(self, step: int, number: int) -> float:
        """Sets and returns the learning rate of the epoch's next update."""
        rate = self.inner.rate_at(step, number)
        for group in self.server.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def state_dict(self) -> dict[str, Any]:
        """Returns all that a training needs to go on, once the gradients that are being computed have come."""
        own = self._group[0].state_dict() if self._group else self.server.state_dict()
        return self.inner.state_dict() | {"workers": own}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a state, before the first epoch."""
        self.inner.load_state_dict({name: value for name, value in state.items() if name != "workers"})
        self.server.load_state_dict(state["workers"])

    def close(self) -> None:
        """Ends the workers."""
        for group in self._group:
            group.close()
        self._group.clear()


def _at_a_server(training: SupervisedTraining, late: int) -> Optimizer:
    """Returns a training's optimizer without its queue, with a velocity for each worker, and with its remedy.

    Args:
        late: N - 1, the steps by which workers of equal speed are late.
    """
    queue: Any = training.optimizer
    optimizer: Optimizer = queue.optimizer
    if isinstance(optimizer, ShiftedMomentumSGD):
        for group in optimizer.param_groups:
            group["shift"] = late
    if training.config.remedy == "none":
        return optimizer
    return with_remedy(ArrivingGradients(optimizer), training.config.remedy, steps=late)
