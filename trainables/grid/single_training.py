"""Trains one point of a grid like any network, for points that cannot be stacked or gain nothing from it."""

import copy
import math

import torch
from torch import Tensor
from torch.nn.utils import vector_to_parameters

from tautune.trainables.delay.sgd import delayed_sgd
from tautune.trainables.grid.point import Outcome, Point, Task, diverged, loss_limit, outcome


class SingleTraining:
    """Trains `point` with a torch optimizer behind the gradient queue.

    It needs the problem's network for itself until `outcomes()`, which resets the network's buffers.
    """

    def __init__(self, task: Task, point: Point) -> None:
        problem, starts, course = task
        self.problem, self.course = problem, course
        self.buffers = copy.deepcopy([*problem.model.buffers()])
        self.time = 0
        self.limit = math.inf
        self.diverged = False
        vector_to_parameters(starts[point.seed].clone(), problem.parameters)
        problem.model.train()
        torch.manual_seed(point.seed)  # for random numbers that the model draws itself, as in dropout
        self.queue = delayed_sgd(
            problem.parameters,
            point.learning_rate,
            point.delay,
            point.kind,
            storage=course.storage,
        )
        self.batches = problem.batches(course.mini_batch, point.seed)

    def advance(self, steps: int) -> None:
        """Trains for at most `steps` more steps, until training diverges or the course ends."""
        for _ in range(min(steps, self.course.steps - self.time)):
            if self.diverged:
                return
            self._step()

    def _step(self) -> None:
        self.queue.zero_grad()
        loss = self.problem.backward(next(self.batches), penalty=False)
        if self.time == 0:
            self.limit = loss_limit(loss)
        if not loss <= self.limit:
            self.diverged = True
            return
        if self.problem.l2:
            for parameter in self.problem.parameters:
                if parameter.ndim > 1:
                    parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                    parameter.grad.add_(parameter.detach(), alpha=self.problem.l2)
        self.queue.step()
        self.time += 1

    def outcomes(self) -> list[Outcome]:
        """Returns a list with the outcome of the point."""
        found = diverged(self.problem, self.limit, self.time)
        if not self.diverged:
            found = outcome(self.problem, *self._evaluate(), self.limit, self.time)
        with torch.no_grad():
            for buffer, before in zip(self.problem.model.buffers(), self.buffers, strict=True):
                buffer.copy_(before)
        return [found]

    @torch.no_grad()
    def _evaluate(self) -> tuple[float, float]:
        """Returns loss and accuracy over the whole data set."""
        problem = self.problem
        problem.model.eval()
        loss = float(0.5 * problem.decay @ problem.point.square())
        accuracy = 0.0
        for inputs, targets, share in problem.chunks():
            outputs = problem.model(inputs)
            loss += share * float(problem.loss(outputs, targets))
            accuracy += share * float(accuracy_of(outputs, targets))
        problem.model.train()
        return loss, accuracy


def accuracy_of(outputs: Tensor, targets: Tensor) -> Tensor:
    """Returns the fraction of the examples for whose class the output is largest, a scalar; NaN without classes."""
    if targets.is_floating_point() or outputs.ndim != 2 or targets.ndim != 1:
        return outputs.new_full((), math.nan)
    return (outputs.argmax(dim=1) == targets).to(outputs.dtype).mean()
