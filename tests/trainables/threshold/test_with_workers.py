"""What real workers do near a minimum, without Ray: their gradients, and a server that begins anew."""

import torch
from torch import nn
from torch.nn.functional import mse_loss

from tautune.trainables.asynchronous.settings import Workers
from tautune.trainables.theory.problem import Problem, flatten
from tautune.trainables.threshold.minimum import Minimum
from tautune.trainables.threshold.record import Settings
from tautune.trainables.threshold.update import Update
from tautune.trainables.threshold.with_workers import NearMinimum
from tests.trainables.asynchronous.in_process import Together
from tests.trainables.delay.small_training import OPTIMIZERS


def problem() -> Problem:
    torch.manual_seed(0)
    inputs = torch.randn(12, 3, dtype=torch.float64)
    return Problem(
        nn.Linear(3, 1).double(), mse_loss, inputs, inputs.sum(dim=1, keepdim=True) + 0.1 * inputs[:, :1] ** 2
    )


def test_the_minimum_is_at_rest_under_every_batch_also_where_a_gradient_is_left() -> None:
    """The point is no minimum at all, and yet at rest; beside it, the gradient is the curvature's."""
    point = problem().point
    minimum = Minimum(
        point=point,
        direction=torch.ones_like(point) / 2,
        sharpness=1.0,
        loss=0.0,
        gradient_norm=0.0,
        start_norm=1.0,
        gradient_evaluations=0,
    )
    for mini_batch in (None, 4):
        update = Update(workers=Workers(count=2))
        settings = Settings(delay=1, update=update, mini_batch=mini_batch)
        one = NearMinimum(problem(), minimum, settings, anchored=True)
        for number in range(5):
            one.model.zero_grad()
            one.compute(number)
            assert torch.equal(flatten(p.grad for p in one.problem.parameters if p.grad is not None), 0 * point)
        beside = point + 1e-3
        torch.nn.utils.vector_to_parameters(beside, one.problem.parameters)
        one.model.zero_grad()
        one.compute(5)
        gradient = flatten(p.grad for p in one.problem.parameters if p.grad is not None)
        assert 1e-5 < float(gradient.norm()) < 1e-1


def test_a_server_that_begins_anew_applies_nothing_of_before() -> None:
    together = Together(OPTIMIZERS["sgd"], 3, "as-they-come")
    together.finish([0, 1, 2, 0])
    before = dict(together.server.out)
    together.server.restart(OPTIMIZERS["sgd"](together.model.parameters()))
    assert (together.server.version, together.server.next_batch, together.server.out) == (0, 0, {})
    together.rows, together.path = [], []
    together.settle()
    assert all(together.server.out[worker].number > before[worker].number for worker in before)
    together.finish([2, 0])
    assert [(row.step, row.worker, row.age) for row in together.rows] == [(0, 2, 0), (1, 0, 1)]
