"""Trainings that are stacked are those that a user's own loop would make, one by one."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from tautune.trainables.curvature.preconditioner import preconditioner
from tautune.trainables.delay.queue import GradientQueue
from tautune.trainables.edge.following import Following
from tautune.trainables.edge.names import EDGE_OPTIMIZERS, loop_of
from tautune.trainables.edge.runs import OPTIMIZERS, Run, Runs
from tautune.trainables.theory.problem import Problem

pytestmark = pytest.mark.usefixtures("one_thread")
RUNS = [Run(0, 0.05), Run(2, 0.02), Run(2, 0.05, 1), Run(5, 0.01)]


def problem(*, l2: float = 0.01, chunk: int = 7) -> Problem:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double().eval()
    inputs, targets = torch.randn(12, 3).double(), torch.randn(12, 2).double()
    return Problem(model, mse_loss, inputs, targets, l2=l2, chunk=chunk)


def starts(own: Problem) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(len(own.point), generator=generator, dtype=torch.float64) for _ in RUNS]


@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize("optimizer", EDGE_OPTIMIZERS)
def test_each_training_is_the_one_of_its_own_loop(optimizer: str, stacked: bool) -> None:
    own = problem()
    together = Runs(own, RUNS, starts(own), optimizer=optimizer, decay=0.9, stacked=stacked)
    for _ in range(12):
        together.step()
    scales = together.scales()
    assert scales is not None
    for k, (run, start) in enumerate(zip(RUNS, starts(own), strict=True)):
        alone = problem()
        vector_to_parameters(start, alone.parameters)
        inner = OPTIMIZERS[optimizer]([{"params": alone.parameters, "lr": run.learning_rate}], 0.9)
        queue = GradientQueue(inner, run.delay)
        for _ in range(12):
            queue.zero_grad()
            alone.backward()
            queue.step()
        torch.testing.assert_close(together.x[k], parameters_to_vector(alone.parameters), rtol=1e-9, atol=1e-12)
        scale = preconditioner(inner, alone.parameters).scale
        torch.testing.assert_close(scales[k], torch.ones_like(scales[k]) if scale is None else scale)


def test_products_are_each_trainings_own() -> None:
    own = problem()
    together = Runs(own, RUNS, starts(own), optimizer="sgd")
    V = torch.stack(starts(own)).flip(0)
    products = together.products(V)
    for k in range(len(RUNS)):
        alone = problem()
        torch.testing.assert_close(products[k], alone.hessian_vector_product(together.x[k], V[k]))


def test_one_that_diverges_leaves_the_others_as_they_were() -> None:
    own = problem()
    calm = Runs(own, RUNS[:1], starts(own)[:1], optimizer="momentum")
    both = Runs(own, [RUNS[0], Run(0, 1e3)], [starts(own)[0]] * 2, optimizer="momentum")
    following = Following(both, every=10)
    samples = following.advance() + following.advance()
    for _ in range(20):
        calm.step()
    torch.testing.assert_close(both.x[0], calm.x[0])
    gone = [sample for sample in samples if sample.diverged]
    assert [(sample.run, sample.sharpness, sample.edge_ratio) for sample in gone] == [(Run(0, 1e3), None, None)]
    assert 1 < gone[0].step <= 10
    assert [sample.step for sample in samples if not sample.diverged] == [10, 20]


@pytest.mark.parametrize("optimizer", EDGE_OPTIMIZERS)
def test_the_ratio_is_theorys_on_a_parabola(optimizer: str) -> None:
    """Its sharpness is 2 wherever training is; what an optimizer divides by is its own."""
    model = nn.Linear(2, 1, bias=False).double().eval()
    inputs, targets = torch.tensor([[2.0, 0.0], [0.0, 1.0]]).double(), torch.zeros(2, 1).double()
    own = Problem(model, lambda o, t: 0.5 * (o - t).square().mean(), inputs, targets)
    runs = [Run(0, 0.01), Run(3, 0.02)]
    trainings = Runs(own, runs, [torch.ones(2).double()] * 2, optimizer=optimizer)
    samples = Following(trainings, every=60).advance()
    scales = trainings.scales()
    assert scales is not None
    for sample, scale in zip(samples, scales, strict=True):
        sharpness = float((scale.square() * torch.tensor([2.0, 0.5])).max())
        assert sample.sharpness == pytest.approx(sharpness, rel=1e-4)
        if optimizer != "nadam":
            assert sample.threshold == pytest.approx(loop_of(optimizer, sample.delay).threshold)
        elif not sample.delay:  # its momentum μ is still nearer to 0.45 than to β₁, and F(-1) is this
            μ = 0.9 * (1 - 0.5 * 0.96 ** (60 * 0.004))
            assert sample.threshold == pytest.approx(2 / (1 - μ + μ * 0.1 / 1.9), rel=0.01)


def test_there_is_nothing_to_see_before_the_first_update() -> None:
    own = problem()
    trainings = Runs(own, [Run(5, 0.01)], starts(own)[:1], optimizer="adam")
    following = Following(trainings, every=4)
    assert following.advance() == []
    assert [sample.step for sample in following.advance()] == [8]
