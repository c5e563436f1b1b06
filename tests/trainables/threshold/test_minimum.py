import io

import pytest
import torch
from torch import nn

from tautune import search_spaces
from tautune.search_spaces import quadratic
from tautune.trainables.theory.problem import Problem
from tautune.trainables.threshold import descent
from tautune.trainables.threshold.descent import Descent, MinimumNotReached, find_minimum
from tautune.trainables.threshold.minimum import Minimum, content_hash
from tests.trainables.theory.test_problem import dense_hessian, make_problem


def test_quadratic_has_a_known_minimum() -> None:
    minimum = find_minimum(quadratic.STUDY.problem())
    torch.testing.assert_close(minimum.point, torch.ones(5, dtype=torch.float64))
    assert minimum.sharpness == pytest.approx(quadratic.CURVATURES[0], rel=1e-10)
    assert minimum.loss == pytest.approx(0, abs=1e-20)


def test_network_reaches_a_minimum_with_its_sharpness() -> None:
    problem = make_problem()
    minimum = find_minimum(problem)
    assert minimum.gradient_norm <= 1e-6
    eigenvalues = torch.linalg.eigvalsh(dense_hessian(problem, minimum.point))
    assert float(eigenvalues.min()) > -1e-9
    assert minimum.sharpness == pytest.approx(float(eigenvalues.max()), rel=1e-8)


def test_budget_that_does_not_suffice_is_told_with_the_gradient_norm() -> None:
    with pytest.raises(MinimumNotReached, match=r"the gradient norm is 0\.\d+ of its start, 1e-06 is needed"):
        find_minimum(search_spaces.find("digits").problem(), budget=20)


def test_a_loss_without_minimum_ends() -> None:
    inputs = torch.tensor([[1.0], [-1.0]]).double()
    problem = quadratic.STUDY.problem()
    problem = type(problem)(
        nn.Linear(1, 1).double(), lambda outputs, targets: outputs.exp().mean(), inputs[:1], inputs[:1]
    )
    with pytest.raises(MinimumNotReached):
        find_minimum(problem, budget=3000, tolerance=1e-300)


class Recurrent(nn.Module):
    """An LSTM whose gates' biases have no L2 and may grow for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.readout = nn.LSTM(4, 6, batch_first=True), nn.Linear(6, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        outputs, _ = self.lstm(inputs)
        return torch.as_tensor(self.readout(outputs[:, -1]))


@pytest.mark.usefixtures("one_thread")
def test_a_smooth_loss_without_progress_ends_long_before_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descent, "PATIENCE", 1)
    torch.manual_seed(0)
    inputs, labels = torch.randn(120, 7, 4).double(), torch.randint(0, 3, (120,))
    problem = Problem(Recurrent().double(), nn.functional.cross_entropy, inputs, labels, l2=0.03)
    with pytest.raises(MinimumNotReached, match=r"within \d{3,4} gradient evaluations.* may grow without bound"):
        find_minimum(problem)


def test_an_interrupted_descent_goes_on_from_its_point() -> None:
    first = Descent(make_problem())
    first.round(5)
    buffer = io.BytesIO()
    torch.save(first.state_dict(), buffer)
    buffer.seek(0)
    second = Descent(make_problem())
    second.load_state_dict(torch.load(buffer, weights_only=True))
    assert second.loss == first.loss
    assert second.gradient_norm == first.gradient_norm < 1
    assert second.evaluations == first.evaluations


def test_content_hash_names_everything_a_minimum_depends_on() -> None:
    names = {content_hash(make_problem(), tolerance=1e-6)}
    assert names == {content_hash(make_problem(), tolerance=1e-6)}
    names.add(content_hash(make_problem(), tolerance=1e-5))
    names.add(content_hash(make_problem(l2=0.1), tolerance=1e-6))
    names.add(content_hash(make_problem(examples=22), tolerance=1e-6))
    for change in ("inputs", "targets"):
        problem = make_problem()
        getattr(problem, change)[0] += 1
        names.add(content_hash(problem, tolerance=1e-6))
    moved = make_problem()
    moved.move_to(moved.point + 1)
    names.add(content_hash(moved, tolerance=1e-6))
    other = make_problem()
    other.loss = lambda outputs, targets: nn.functional.cross_entropy(outputs, targets, label_smoothing=0.1)
    names.add(content_hash(other, tolerance=1e-6))
    assert len(names) == 8


def test_content_hash_tells_a_changed_loss_of_the_same_name() -> None:
    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return factor * nn.functional.cross_entropy(outputs, targets)

    names, minima = set(), []
    for factor in (1.0, 2.0):  # noqa: B007 - the closure reads it
        problem = make_problem(l2=0.05 * factor)
        problem.l2 = 0.05 * factor
        problem.loss = loss
        names.add(content_hash(problem, tolerance=1e-6))
        minima.append(find_minimum(problem))
    assert len(names) == 2
    assert not minima[0].holds(problem)  # the same point, half the curvature
    assert minima[1].holds(problem)


def test_a_saddle_is_no_minimum() -> None:
    """f = mean (u v - 1)² of a two-layer linear network that starts at zero, where the gradient vanishes."""
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)).double()
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    ones = torch.ones(4, 1, dtype=torch.float64)
    with pytest.raises(MinimumNotReached, match="no minimum but a saddle"):
        find_minimum(type(make_problem())(model, nn.functional.mse_loss, ones, ones))


def test_a_larger_budget_helps_after_a_smaller_one_did_not() -> None:
    first = Descent(make_problem(), budget=12)
    while not first.advance():
        pass
    assert not first.reached
    assert first.evaluations < 20
    second = Descent(make_problem(), budget=2000)
    second.load_state_dict(first.state_dict())
    while not second.advance():
        pass
    assert second.minimum().gradient_norm <= 1e-6


def test_a_minimum_is_known_from_another_problem() -> None:
    problem = make_problem()
    minimum = find_minimum(problem)
    assert minimum.holds(problem)
    assert not minimum.holds(make_problem(l2=0.06))
    assert Minimum(**minimum.state_dict()).holds(problem)


def test_a_network_that_comes_trained_is_at_its_minimum() -> None:
    problem = make_problem()
    first = find_minimum(problem)
    problem.move_to(first.point)
    again = find_minimum(problem)
    assert again.gradient_evaluations < 200
    assert again.sharpness == pytest.approx(first.sharpness, rel=1e-6)


def test_content_hash_names_what_is_fixed_too() -> None:
    problem = make_problem()
    problem.model.register_buffer("mean", torch.zeros(3))
    names = {content_hash(make_problem(), tolerance=1e-6), content_hash(problem, tolerance=1e-6)}
    problem.model.get_buffer("mean").add_(1)
    assert content_hash(problem, tolerance=1e-6) not in names
    assert len(names) == 2
