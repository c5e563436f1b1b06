"""The curvature's variance between mini-batches, against dense Hessians, and the bound that it gives."""

import numpy as np
import pytest

import tautune
from tautune.search_spaces.quadratic import CURVATURES, STUDY
from tautune.trainables.threshold.curvature_noise import curvature_noise
from tautune.trainables.threshold.descent import Descent


@pytest.mark.parametrize("mini_batch", [1, 8, 40])
def test_it_is_the_variance_of_the_batches_own_hessians(mini_batch: int) -> None:
    problem = STUDY.problem()
    descent = Descent(problem)
    while not descent.advance():
        pass
    minimum = descent.minimum()
    inputs, u = problem.inputs.numpy(), minimum.direction.numpy()
    order = problem.batches(mini_batch, 0)
    batches = [next(order).numpy() for _ in range(len(problem) // mini_batch)]  # type: ignore[union-attr]
    curvatures = [float(np.square(inputs[batch] @ u).mean()) for batch in batches]
    assert np.mean(curvatures) == pytest.approx(CURVATURES[0])
    expected = np.var(curvatures) / np.mean(curvatures) ** 2
    assert curvature_noise(problem, minimum, mini_batch) == pytest.approx(expected, rel=1e-5, abs=1e-9)
    assert np.array_equal(problem.point.numpy(), minimum.point.numpy())


@pytest.mark.usefixtures("one_thread")
def test_a_measured_threshold_lies_between_mean_square_and_mean() -> None:
    inputs, targets = STUDY.examples()
    model = STUDY.model()
    found = tautune.measure_thresholds(
        model, STUDY.loss, inputs, targets, delays=[0], mini_batch=1, seeds=2, resolution=0.05
    )
    (point,) = found.points
    assert point.mean_square is not None
    assert point.mean_square < point.measured < point.predicted
    assert found.as_json()["points"][0]["mean_square"] == point.mean_square
    assert type(found).from_json(found.as_json()).points == found.points
