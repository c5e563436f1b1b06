import json
import math
from typing import Any

import pytest
import torch

from tautune.search_spaces import digits, quadratic
from tautune.search_spaces.stability_study import StabilityStudy
from tautune.trainables.theory import stability
from tautune.trainables.theory.momentum import NO_MOMENTUM, Momentum
from tautune.trainables.theory.problem import Problem
from tautune.trainables.threshold.delayed_training import DelayedTraining, steps_to_leave
from tautune.trainables.threshold.descent import find_minimum
from tautune.trainables.threshold.measurement import FACTORS, Measurement
from tautune.trainables.threshold.minimum import Minimum
from tautune.trainables.threshold.record import MeasurementRecord, Settings

KINDS = [NO_MOMENTUM, Momentum(0.5), Momentum(0.9), Momentum(0.5, shifted=True), Momentum(0.9, shifted=True)]
SMALL_BATCHES = Settings(delay=1, mini_batch=15)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def oracle() -> tuple[Problem, Minimum]:
    problem = quadratic.STUDY.problem()
    return problem, find_minimum(problem)


@pytest.fixture(scope="module")
def network() -> tuple[Problem, Minimum]:
    """The digits study on its first 150 images, so that a test takes a second."""

    def few() -> tuple[torch.Tensor, torch.Tensor]:
        inputs, targets = digits.data()
        return inputs[:150], targets[:150]

    study = StabilityStudy(name="few", description="", data=few, model=digits.model, loss=digits.STUDY.loss, l2=1e-2)
    problem = study.problem()
    return problem, find_minimum(problem)


def measured(at: tuple[Problem, Minimum], **settings: Any) -> tuple[Measurement, float]:
    """The finished measurement, and its threshold relative to theory's."""
    problem, minimum = at
    momentum = settings.get("momentum", NO_MOMENTUM)
    theory = stability.max_stable_learning_rate(minimum.sharpness, settings["delay"], momentum)
    guess = settings.pop("guess", 1.0)
    first_guess = 0.01 if guess is None else guess * theory
    settings = {"departures": False, "first_guess": first_guess} | settings
    measurement = Measurement(problem, minimum, Settings(**settings))
    while not measurement.done:
        measurement.advance()
    return measurement, measurement.search.threshold().learning_rate / theory


@pytest.mark.parametrize("momentum", KINDS, ids=str)
@pytest.mark.parametrize("delay", [0, 1, 2, 3, 8, 21, 64])
def test_quadratic_within_a_thousandth(oracle: tuple[Problem, Minimum], delay: int, momentum: Momentum) -> None:
    measurement, ratio = measured(oracle, delay=delay, momentum=momentum)
    assert ratio == pytest.approx(1, abs=1e-3)
    assert measurement.search.done


@pytest.mark.parametrize("guess", [5.0, 0.2, None])
@pytest.mark.parametrize(("delay", "momentum"), [(0, NO_MOMENTUM), (7, NO_MOMENTUM), (4, Momentum(0.9, shifted=True))])
def test_the_first_guess_does_not_matter(
    network: tuple[Problem, Minimum], delay: int, momentum: Momentum, guess: float | None
) -> None:
    """Five times off either way, and none: theory is a start of the search and nothing else."""
    _, expected = measured(network, delay=delay, momentum=momentum)
    _, ratio = measured(network, delay=delay, momentum=momentum, guess=guess)
    assert ratio == pytest.approx(expected, abs=5e-4)


def test_digits_study_within_half_a_percent() -> None:
    """The README's headline on its own network: 1,797 images, l2 = 1e-3."""
    problem = digits.STUDY.problem()
    minimum = find_minimum(problem)
    for delay in (0, 4):
        _, ratio = measured((problem, minimum), delay=delay)
        assert ratio == pytest.approx(1, abs=5e-3)


def test_an_anchored_step_costs_two_gradients(network: tuple[Problem, Minimum]) -> None:
    problem, minimum = network
    for anchored, cost in ((True, 2), (False, 1)):
        training = DelayedTraining(problem, minimum, SMALL_BATCHES, 0.1, distance=1e-5, anchored=anchored)
        training.advance(10, leave=1e9, settle=0.0)
        assert training.gradient_evaluations == pytest.approx(cost * 10 * 15 / 150)


def test_at_the_minimum_an_anchored_training_rests_under_every_mini_batch(network: tuple[Problem, Minimum]) -> None:
    problem, minimum = network
    training = DelayedTraining(problem, minimum, SMALL_BATCHES, 0.1, distance=0.0, anchored=True)
    for _ in range(20):
        training._step()
    assert max(training.norm) < 1e-13
    training = DelayedTraining(problem, minimum, SMALL_BATCHES, 0.1, distance=0.0, anchored=False)
    for _ in range(20):
        training._step()
    assert max(training.norm) > 1e-3


@pytest.mark.parametrize(("delay", "momentum"), [(0, NO_MOMENTUM), (1, NO_MOMENTUM), (8, Momentum(0.9))])
def test_network_obeys_the_rule(network: tuple[Problem, Minimum], delay: int, momentum: Momentum) -> None:
    _, ratio = measured(network, delay=delay, momentum=momentum)
    assert ratio == pytest.approx(1, abs=5e-3)


def test_another_threshold_would_be_found(network: tuple[Problem, Minimum]) -> None:
    """Not theory but the network decides: of twice the loss, the threshold is half."""
    problem, minimum = network
    doubled = Problem(
        problem.model, lambda o, t: 2 * problem.loss(o, t), problem.inputs, problem.targets, l2=2 * problem.l2
    )
    _, ratio = measured((doubled, minimum), delay=3)
    assert ratio == pytest.approx(0.5, rel=5e-3)


def test_mini_batches_of_everything_are_the_full_batch(oracle: tuple[Problem, Minimum]) -> None:
    _, ratio = measured(oracle, delay=2, mini_batch=40)
    assert ratio == pytest.approx(1, abs=5e-3)


def test_mini_batches_depend_on_their_seed_alone(network: tuple[Problem, Minimum]) -> None:
    ratios = [measured(network, delay=1, mini_batch=50, seed=seed, resolution=0.02)[1] for seed in (0, 0, 1)]
    assert ratios[0] == ratios[1] != ratios[2]
    assert ratios[0] == pytest.approx(1, abs=0.2)


def test_a_measurement_that_was_stopped_continues_to_the_same_end(network: tuple[Problem, Minimum]) -> None:
    problem, minimum = network
    settings = Settings(delay=2, first_guess=0.5, departures=True)
    whole = Measurement(problem, minimum, settings)
    while not whole.done:
        whole.advance()
    halves = Measurement(problem, minimum, settings)
    for _ in range(3):
        halves.advance()
    while not halves.done:
        text = json.dumps(halves.record().as_json(), allow_nan=False)
        halves = Measurement(problem, minimum, settings)
        halves.load(MeasurementRecord.from_json(json.loads(text)))
        halves.advance()
    assert halves.record() == whole.record()


def test_training_leaves_sooner_the_further_above_the_threshold_and_not_below(
    network: tuple[Problem, Minimum],
) -> None:
    measurement, _ = measured(network, delay=2, departures=True)
    above = [d for d, factor in zip(measurement.departures, FACTORS, strict=True) if factor > 1.05]
    assert all(d.left for d in above)
    assert [d.steps for d in above] == sorted(d.steps for d in above)
    assert not measurement.departures[-1].left


def test_overflow_ends_finite(oracle: tuple[Problem, Minimum]) -> None:
    """A learning rate 1e50 times too large: judged as growing, with numbers that JSON and Tune can hold."""
    measurement, ratio = measured(oracle, delay=1, guess=1e50)
    json.dumps(measurement.record().as_json(), allow_nan=False)
    assert measurement.search.samples[0].growth > 0
    assert ratio == pytest.approx(1, abs=1e-3)
    problem, minimum = oracle
    training = DelayedTraining(problem, minimum, Settings(delay=0), 1e300, distance=1.0, anchored=False)
    assert steps_to_leave(training, factor=10, budget=50) == 1
    assert training.overflowed
    assert max(training.norm) < math.inf
