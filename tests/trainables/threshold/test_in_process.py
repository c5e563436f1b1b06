import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tautune.search_spaces import quadratic
from tautune.trainables.theory import stability
from tautune.trainables.theory.momentum import Momentum
from tautune.trainables.theory.preparation import prepare_problem
from tautune.trainables.threshold.descent import Descent, MinimumNotReached
from tautune.trainables.threshold.in_process import measure_in_process
from tautune.trainables.threshold.kinks import gradient_jumps
from tautune.trainables.threshold.record import MeasurementRecord


def test_thresholds_of_a_problem_and_what_is_left_alone() -> None:
    problem = quadratic.STUDY.problem()
    random_state, threads = torch.get_rng_state(), torch.get_num_threads()
    seen: list[MeasurementRecord] = []
    with torch.no_grad():
        found = measure_in_process(problem, [0, 2], momentum=Momentum(0.5), on_record=seen.append)
    assert found.minimum.sharpness == pytest.approx(4)
    for delay, record in zip([0, 2], found.records, strict=True):
        assert record.threshold is not None
        assert record.threshold.learning_rate == pytest.approx(stability.threshold(delay, 0.5) / 4, rel=1e-3)
    assert seen[-1] == found.records[-1]
    assert torch.equal(torch.get_rng_state(), random_state)
    assert torch.get_num_threads() == threads


def relu_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 10))


@pytest.mark.usefixtures("one_thread")
def test_kinks_are_told_early_and_a_looser_tolerance_measures_there() -> None:
    torch.manual_seed(0)
    inputs, targets = torch.randn(200, 1, 8, 8), torch.randint(10, (200,))
    problem = prepare_problem(relu_network(), cross_entropy, inputs, targets, l2=1e-2)
    with pytest.raises(MinimumNotReached, match=r"gradient of this loss jumps.*with the tolerance 0\.\d+, thresholds"):
        measure_in_process(problem, [0])
    problem = prepare_problem(relu_network(), cross_entropy, inputs, targets, l2=1e-2)
    minimum, (at_once, late) = measure_in_process(problem, [0, 3], tolerance=0.1)
    assert 1e-4 < minimum.gradient_norm <= 0.1
    for record, delay in ((at_once, 0), (late, 3)):
        assert record.threshold is not None
        theory = stability.max_stable_learning_rate(minimum.sharpness, delay)
        assert record.threshold.learning_rate == pytest.approx(theory, rel=1e-3)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("precision", [torch.float64, torch.float32])
def test_a_smooth_network_with_a_slow_descent_has_no_kinks(precision: torch.dtype) -> None:
    torch.manual_seed(0)
    normalized = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3))
    inputs, targets = torch.randn(120, 5), torch.randint(3, (120,))
    smooth = Descent(prepare_problem(normalized, cross_entropy, inputs, targets, l2=0.02, precision=precision))
    images, digits = torch.randn(200, 1, 8, 8), torch.randint(10, (200,))
    kinked = Descent(prepare_problem(relu_network(), cross_entropy, images, digits, l2=1e-2, precision=precision))
    jumps = []
    for descent in (smooth, kinked):
        found = []
        for _ in range(4):
            descent.round(200)
            found.append(gradient_jumps(descent._evaluate, descent._curvature, descent.x))
        jumps.append(found)
    assert not any(jumps[0])
    assert any(jumps[1])


def test_a_loss_that_falls_for_ever_has_no_minimum() -> None:
    torch.manual_seed(0)
    inputs = torch.randn(120, 5)
    separable = prepare_problem(nn.Linear(5, 2), cross_entropy, inputs, (inputs[:, 0] > 0).long())
    with pytest.raises(MinimumNotReached, match="the loss falls for ever while the weights grow.*add L2"):
        measure_in_process(separable, [0])


def test_what_cannot_be_measured_is_said_before_anything_is() -> None:
    problem = quadratic.STUDY.problem()
    with pytest.raises(ValueError, match="mini_batch must be between 1 and the 40 examples there are, not 41"):
        measure_in_process(problem, [0], mini_batch=41)
    with pytest.raises(ValueError, match="delay must be an integer"):
        measure_in_process(problem, [-1])


@pytest.mark.usefixtures("one_thread")
def test_single_precision_measures_too() -> None:
    torch.manual_seed(0)
    inputs, targets = torch.randn(60, 6), torch.randint(3, (60,))
    model = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3))
    single = prepare_problem(model, cross_entropy, inputs, targets, l2=0.03, precision=torch.float32)
    found = measure_in_process(single, [2], resolution=0.05)
    double = prepare_problem(model, cross_entropy, inputs, targets, l2=0.03)
    exact = measure_in_process(double, [2], resolution=0.05)
    rates = [m.records[0].threshold for m in (found, exact)]
    assert rates[0] is not None
    assert rates[1] is not None
    assert rates[0].learning_rate == pytest.approx(rates[1].learning_rate, rel=0.01)
