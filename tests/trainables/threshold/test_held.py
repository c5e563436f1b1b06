"""Adam and its kin at a minimum, their preconditioner held: the curvature, the direction and the thresholds."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tautune.runners.sweep import Sweep
from tautune.search_spaces.stability_study import StabilityStudy
from tautune.trainables.threshold.descent import MinimumNotReached
from tautune.trainables.threshold.held import eigenvector, epsilon, hold
from tautune.trainables.threshold.in_process import measure_in_process
from tautune.trainables.threshold.late_optimizer import late_optimizer
from tautune.trainables.threshold.record import Settings
from tautune.trainables.threshold.update import Update
from tests.trainables.threshold.test_update import TwoParts, two_parts


def noisy() -> StabilityStudy:
    """Returns the linear regression of two parts, with targets that it cannot fit."""
    inputs, targets = two_parts().examples()
    noise = torch.randn(targets.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return replace(two_parts(), name="noisy", data=(inputs, targets + noise), model=TwoParts)


@pytest.mark.parametrize("delay", [0, 1, 4])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "nadam", "rmsprop"])
@pytest.mark.usefixtures("one_thread")
def test_the_threshold_is_theorys_on_the_preconditioned_curvature(optimizer: str, delay: int) -> None:
    update = Update(optimizer=optimizer)
    minimum, (record,) = measure_in_process(noisy().problem(), [delay], update=update)
    assert record.threshold is not None
    assert record.threshold.learning_rate * minimum.sharpness == pytest.approx(update.loop(delay).threshold, rel=1e-4)


@pytest.mark.usefixtures("one_thread")
def test_the_curvature_is_that_of_the_dense_matrix() -> None:
    problem = noisy().problem()
    minimum, _ = measure_in_process(problem, [0], update=Update())
    held = hold(problem, minimum)
    assert held.squares is not None
    inputs = noisy().examples()[0].numpy()
    scale = 1 / np.sqrt(np.sqrt(held.squares.numpy()) + epsilon(held.squares))
    dense = scale[:, None] * (inputs.T @ inputs / len(inputs)) * scale
    values, vectors = np.linalg.eigh(dense)
    assert held.sharpness == pytest.approx(values[-1], rel=1e-9)
    assert abs(float(eigenvector(held) @ torch.from_numpy(vectors[:, -1].copy()))) == pytest.approx(1, rel=1e-9)
    slow = torch.zeros(4, dtype=torch.float64)  # squared gradients, one mini-batch after another
    errors = noisy().examples()[0] @ minimum.point.unsqueeze(1) - noisy().examples()[1]
    order = problem.batches(32, 0)
    for _ in range(200):
        batch = next(order)
        assert batch is not None
        slow += (errors[batch] * noisy().examples()[0][batch]).mean(dim=0).square()
    torch.testing.assert_close(held.squares, slow / 200)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "nadam", "rmsprop"])
def test_the_preconditioner_stays(optimizer: str) -> None:
    problem = noisy().problem()
    squares = torch.tensor([1.0, 4.0, 0.25, 9.0], dtype=torch.float64)
    made = late_optimizer(problem, Settings(delay=0, update=Update(optimizer=optimizer)), 1e-3, squares)
    before = problem.point
    for _ in range(50):
        made.zero_grad()
        problem.backward()
        made.step()
    name = "square_avg" if optimizer == "rmsprop" else "exp_avg_sq"
    after = torch.cat([made.state[parameter][name].flatten() for parameter in problem.parameters])
    torch.testing.assert_close(after, squares, rtol=1e-10, atol=0)
    assert not torch.equal(problem.point, before)


@pytest.mark.usefixtures("one_thread")
def test_few_examples_have_mini_batches_of_half_of_them() -> None:
    inputs, targets = noisy().examples()
    few = replace(noisy(), data=(inputs[:20], targets[:20])).problem()
    update = Update(optimizer="adam")
    minimum, (record,) = measure_in_process(few, [1], update=update)
    assert record.threshold is not None
    assert record.threshold.learning_rate * minimum.sharpness == pytest.approx(update.loop(1).threshold, rel=1e-4)


def test_a_model_that_fits_every_example_has_none() -> None:
    with pytest.raises(MinimumNotReached, match="the model fits every example"):
        measure_in_process(two_parts().problem(), [1], update=Update(optimizer="adam"))


def test_mini_batches_are_refused() -> None:
    with pytest.raises(ValueError, match="mini_batch must be left out for adam"):
        Sweep(study="digits", delays=(1,), update=Update(optimizer="adam"), mini_batch=256)


def test_a_network_with_parameters_that_stay_fixed() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    model[0].bias.requires_grad_(False)
    study = StabilityStudy(name="frozen", data=(torch.rand(9, 2), torch.rand(9, 1)), model=model, loss=nn.MSELoss())
    problem = study.problem()
    made = late_optimizer(
        problem, Settings(delay=1, update=Update(optimizer="adam")), 0.1, torch.ones_like(problem.point)
    )
    assert len(made.state) == 3
