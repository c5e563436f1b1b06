import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tautune.search_spaces import quadratic
from tautune.trainables.theory.problem import Problem


def make_problem(*, l2: float = 0.05, chunk: int = 8192, examples: int = 23) -> Problem:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 3)).double()
    return Problem(
        model,
        cross_entropy,
        torch.randn(examples, 4, dtype=torch.float64),
        torch.randint(3, (examples,)),
        l2=l2,
        chunk=chunk,
    )


def loss_at(problem: Problem, x: Tensor) -> Tensor:
    """f(x) written out, without the class under test."""
    w1, b1, w2, b2 = x.split([12, 3, 9, 3])
    hidden = torch.tanh(problem.inputs @ w1.view(3, 4).T + b1)
    outputs = hidden @ w2.view(3, 3).T + b2
    penalty: Tensor = 0.5 * problem.l2 * (w1 @ w1 + w2 @ w2)
    return cross_entropy(outputs, problem.targets) + penalty


def dense_hessian(problem: Problem, x: Tensor) -> Tensor:
    hessian = torch.autograd.functional.hessian(lambda z: loss_at(problem, z), x)
    assert isinstance(hessian, Tensor)
    return hessian


@pytest.mark.parametrize("chunk", [8192, 5, 1])
def test_value_gradient_and_curvature_against_the_dense_computation(chunk: int) -> None:
    problem = make_problem(chunk=chunk)
    x = problem.point + 0.3
    value, gradient = problem.value_and_gradient(x)
    assert value == pytest.approx(loss_at(problem, x).item(), rel=1e-13)
    expected = torch.autograd.functional.jacobian(lambda z: loss_at(problem, z), x)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-14)
    v = torch.randn_like(x)
    product = problem.hessian_vector_product(x, v)
    torch.testing.assert_close(product, dense_hessian(problem, x) @ v, rtol=1e-11, atol=1e-13)


def test_a_batch_is_the_mean_over_its_examples() -> None:
    problem = make_problem()
    batch = torch.tensor([3, 7, 11])
    value = problem.backward(batch)
    part = make_problem()
    part.inputs, part.targets = problem.inputs[batch], problem.targets[batch]
    assert value == pytest.approx(part.value_and_gradient(problem.point)[0])


def test_moving_copies_the_vector() -> None:
    problem = make_problem()
    x = problem.point + 1
    problem.move_to(x)
    x.zero_()
    assert float(problem.point.abs().min()) > 0


def test_mini_batches_go_through_every_image_each_epoch() -> None:
    batches = make_problem(examples=20).batches(6, seed=0)
    drawn = [b.tolist() for b in (next(batches) for _ in range(6)) if b is not None]
    for epoch in (drawn[:3], drawn[3:]):
        assert [len(batch) for batch in epoch] == [6, 6, 6]
        assert len({i for batch in epoch for i in batch}) == 18
    assert drawn[:3] != drawn[3:]


def test_a_problem_is_cast_to_another_precision_and_stays_as_it_was() -> None:
    double = quadratic.STUDY.problem()
    single = double.cast(torch.float32)
    assert {t.dtype for t in (single.point, single.inputs, single.targets)} == {torch.float32}
    assert {t.dtype for t in (double.point, double.inputs, double.targets)} == {torch.float64}
    value, gradient = double.value_and_gradient(double.point)
    rounded, its_gradient = single.value_and_gradient(single.point)
    assert rounded == pytest.approx(value, rel=1e-5)
    torch.testing.assert_close(its_gradient.double(), gradient, rtol=1e-4, atol=1e-5)
