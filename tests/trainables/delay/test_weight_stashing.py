from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

from tautune.trainables.delay import GradientQueue
from tautune.trainables.delay.pipeline import pipeline_delays
from tautune.trainables.delay.weight_stashing import WeightStashing
from tests.trainables.delay.remedies.cases import late_by, staged_gradient, staged_model, start, train


@pytest.mark.parametrize("delay", [0, 3, {"stage0": 4, "stage1": 0, "stage2": 1}])
def test_agrees_with_a_list_of_all_past_weights(delay: Any) -> None:
    model = staged_model()
    x, v = [start()], torch.zeros_like(start())
    for t, ages in enumerate(late_by(model, delay, 20)):
        old = (t - ages).clamp(min=0)
        v = 0.9 * v + staged_gradient(torch.stack(x).gather(0, old[None])[0], t)
        x.append(x[t] - 0.1 * v)
    optimizer = WeightStashing(torch.optim.SGD(pipeline_delays(model, 3)[0], 0.1, momentum=0.9), delay)
    torch.testing.assert_close(train(model, optimizer, range(20)), torch.stack(x[1:]), rtol=0, atol=1e-13)


def test_weights_come_back_bit_for_bit_and_are_old_within_the_block() -> None:
    model = staged_model()
    optimizer = WeightStashing(torch.optim.SGD(pipeline_delays(model, 3)[0], 0.3), 2)
    path = [start(), *train(model, optimizer, range(5))]
    for _ in range(2):
        with optimizer.stashed():
            with optimizer.stashed():
                assert torch.equal(parameters_to_vector(model.parameters()), path[3])
            assert torch.equal(parameters_to_vector(model.parameters()), path[3])
        assert torch.equal(parameters_to_vector(model.parameters()), path[5])
    with pytest.raises(KeyError), optimizer.stashed():
        raise KeyError
    assert torch.equal(parameters_to_vector(model.parameters()), path[5])


def test_weights_that_are_loaded_between_two_steps_stay() -> None:
    model = staged_model()
    optimizer = WeightStashing(torch.optim.SGD(model.parameters(), 0.3), 2)
    train(model, optimizer, range(4))
    with optimizer.stashed():
        pass
    nn.utils.vector_to_parameters(start(), model.parameters())
    with optimizer.stashed():
        pass
    assert torch.equal(parameters_to_vector(model.parameters()), start())


@pytest.mark.parametrize("name", ["stashed", "predicted"])
def test_passes_that_straddle_the_block_are_refused(name: str) -> None:
    from tautune.trainables.delay.remedies.weight_prediction import WeightPrediction

    model = staged_model()
    optimizer: Any = WeightStashing(torch.optim.SGD(model.parameters(), 0.3), 2)
    if name == "predicted":
        optimizer = WeightPrediction(GradientQueue(torch.optim.SGD(model.parameters(), 0.3), 2))
    train(model, optimizer, range(4))
    with getattr(optimizer, name)():
        loss = model(torch.ones(2, 6, dtype=torch.float64)).sum()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    with (
        pytest.raises(ValueError, match=rf"within `with optimizer\.{name}\(\):`; it belongs after the block"),
        getattr(optimizer, name)(),
    ):
        optimizer.step()


def test_a_group_that_is_added_has_no_older_weights() -> None:
    model = staged_model()
    groups, _ = pipeline_delays(model, 3)
    optimizer = WeightStashing(torch.optim.SGD(groups[:2], 0.1), 2)
    train(model, optimizer, range(4))
    optimizer.add_param_group(groups[2])
    before = parameters_to_vector(model[4].parameters()).clone()  # type: ignore[index]
    with optimizer.stashed():
        assert torch.equal(parameters_to_vector(model[4].parameters()), before)  # type: ignore[index]
    train(model, optimizer, range(4, 8))
    assert not torch.equal(parameters_to_vector(model[4].parameters()), before)  # type: ignore[index]


@pytest.mark.parametrize(
    ("delay", "message"),
    [
        (-1, "delay must be an integer ≥ 0"),
        ({"stage0": 1, "stage1": 0.5, "stage2": 0}, "delay must be an integer ≥ 0"),
        ({"stage0": 1, "stage1": 1}, "parameter group 'stage2' has no delay; there are delays for 'stage0', 'stage1'"),
        ({"stage0": 1, "stage1": 1, "stage2": 0, "stag": 1}, "no parameter group is named 'stag', which has a delay"),
    ],
)
def test_delays_that_fit_no_group_are_refused(delay: Any, message: str) -> None:
    groups, _ = pipeline_delays(staged_model(), 3)
    for make in (WeightStashing, GradientQueue):
        with pytest.raises(ValueError, match=message):
            make(torch.optim.SGD(groups, 0.1), delay)


def test_optimizers_that_have_no_delayed_form_are_refused() -> None:
    model = staged_model()
    with pytest.raises(ValueError, match="delay must be 0 for LBFGS"):
        WeightStashing(torch.optim.LBFGS(model.parameters()), 1)
    with pytest.raises(ValueError, match="without a delay, not GradientQueue"):
        WeightStashing(GradientQueue(torch.optim.SGD(model.parameters(), 0.1), 1), 1)
    saved = WeightStashing(torch.optim.SGD(model.parameters(), 0.1), 1).state_dict()
    with pytest.raises(ValueError, match="delay must be the saved run's, 1, not 2"):
        WeightStashing(torch.optim.SGD(model.parameters(), 0.1), 2).load_state_dict(saved)
