"""The growth where delays are drawn, beside the Lyapunov exponent of the recursion that the weights obey."""

import math

import numpy as np
import pytest
import torch

from tautune.search_spaces import quadratic
from tautune.trainables.theory.problem import Problem
from tautune.trainables.threshold.delayed_training import DelayedTraining
from tautune.trainables.threshold.descent import find_minimum
from tautune.trainables.threshold.minimum import Minimum
from tautune.trainables.threshold.passages import mean_growth
from tautune.trainables.threshold.record import Settings
from tautune.trainables.threshold.update import Update

DRAWN = ((0, 0.25), (1, 0.5), (2, 0.23), (5, 0.02))
"""About what two workers have."""


@pytest.fixture(scope="module")
def oracle() -> tuple[Problem, Minimum]:
    torch.set_num_threads(1)
    problem = quadratic.STUDY.problem()
    return problem, find_minimum(problem)


def exponent(step: float, steps: int = 100_000) -> float:
    """Returns the growth a step of x[t+1] = x[t] − step · x[t − d], d drawn, along one long run."""
    delays, shares = [d for d, _ in DRAWN], [share for _, share in DRAWN]
    drawn: list[int] = np.random.default_rng(0).choice(delays, p=shares, size=steps).tolist()
    x: list[float] = [1.0] * (max(delays) + 1)
    gained = 0.0
    for t, d in enumerate(drawn):
        x = [*x[1:], x[-1] - step * x[-1 - d]]
        if t % 50 == 49:
            size = max(map(abs, x))
            x = [one / size for one in x]
            gained += math.log(size)
    return gained / steps


def grown(oracle: tuple[Problem, Minimum], step: float, seed: int, *, steps: int) -> tuple[float, int]:
    problem, minimum = oracle
    settings = Settings(delay=5, update=Update(drawn=DRAWN), seed=seed)

    def begin(passage: int) -> DelayedTraining:
        own = Settings(delay=5, update=settings.update, seed=seed + 1000 * passage)
        rate = step / minimum.sharpness
        return DelayedTraining(problem, minimum, own, rate, distance=1e-6, anchored=False)

    growth, evaluations = mean_growth(begin, steps)
    assert evaluations == pytest.approx(growth.steps, abs=100)
    return growth.rate, growth.steps


@pytest.mark.parametrize(("step", "sign"), [(1.1, -1), (1.4, 1)])
def test_the_sign_is_that_of_the_exponent_where_chance_decides_single_trainings(
    oracle: tuple[Problem, Minimum], step: float, sign: int
) -> None:
    found = [grown(oracle, step, seed, steps=2000) for seed in range(8)]
    assert all(rate * sign > 0 for rate, _ in found), found
    expected = exponent(step)
    assert expected * sign > 0
    weights = [steps for _, steps in found]
    assert np.average([rate for rate, _ in found], weights=weights) == pytest.approx(expected, rel=0.25)


def test_near_the_threshold_all_the_steps_are_spent_and_no_more(oracle: tuple[Problem, Minimum]) -> None:
    rate, steps = grown(oracle, 1.25, 0, steps=1500)
    assert 1500 <= steps < 1600
    assert abs(rate) < 0.06


def test_what_is_clear_takes_few_steps(oracle: tuple[Problem, Minimum]) -> None:
    for step, sign in ((0.3, -1), (4.0, 1)):
        rate, steps = grown(oracle, step, 0, steps=5000)
        assert rate * sign > 0
        assert steps < 300
