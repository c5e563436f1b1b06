"""What holds of all remedies: the queue's promises to schedulers, scalers, checkpoints and copies are kept."""

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from tautune.trainables.delay import GradientQueue, RandomDelay
from tautune.trainables.delay.pipeline import pipeline_delays
from tautune.trainables.delay.remedies.delay_compensation import DelayCompensation
from tautune.trainables.delay.remedies.gap_aware import GapAware
from tautune.trainables.delay.weight_stashing import WeightStashing
from tests.trainables.delay.remedies.cases import DELAYS, REMEDIES, Wrap, block_of, sgd, staged_model, train
from tests.trainables.delay.small_training import backward

STASHED = {"stage0": 2, "stage1": 1, "stage2": 0}
ALL: dict[str, Wrap] = {
    **REMEDIES,
    "stashing": lambda o: WeightStashing(o.optimizer, STASHED),
    "stashing with remedies": lambda o: GapAware(DelayCompensation(WeightStashing(o.optimizer, STASHED))),
}


def adam(model: nn.Module, delay: Any) -> GradientQueue:
    return GradientQueue(torch.optim.Adam(pipeline_delays(model, 3)[0], 0.02), delay)


@pytest.mark.parametrize("make", [sgd, adam])
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("stop", [2, 9])
def test_a_resumed_run_continues_bit_for_bit(name: str, stop: int, make: Callable[..., GradientQueue]) -> None:
    for delay in DELAYS.values():
        unbroken = staged_model()
        expected = train(unbroken, ALL[name](make(unbroken, delay)), range(16))
        first = staged_model()
        optimizer = ALL[name](make(first, delay))
        train(first, optimizer, range(stop))
        buffer = io.BytesIO()
        torch.save({"model": first.state_dict(), "optimizer": optimizer.state_dict()}, buffer)
        buffer.seek(0)
        state = torch.load(buffer, weights_only=True)
        train(first, optimizer, range(stop, stop + 3))  # what is saved does not change any more
        second = staged_model(seed=1)
        second.load_state_dict(state["model"])
        optimizer = ALL[name](make(second, delay))
        train(second, optimizer, range(3))  # leaves something to be forgotten
        second.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        assert torch.equal(train(second, optimizer, range(stop, 16)), expected[stop:])


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
@pytest.mark.parametrize("name", ALL)
def test_a_copy_continues_as_the_original(name: str, duplicate: Callable[[Any], Any]) -> None:
    model = staged_model()
    optimizer = ALL[name](adam(model, 2))
    train(model, optimizer, range(5))
    model_2, optimizer_2 = duplicate((model, optimizer))
    assert torch.equal(train(model, optimizer, range(5, 12)), train(model_2, optimizer_2, range(5, 12)))
    assert optimizer_2.param_groups[0]["params"][0] is next(model_2.parameters())


@pytest.mark.parametrize("name", [name for name in REMEDIES if name not in ("prediction", "three")])
def test_gradients_in_time_are_left_alone(name: str) -> None:
    bare = staged_model()
    expected = train(bare, adam(bare, 0).optimizer, range(12))
    for delay in (0, RandomDelay(probabilities=(1.0, 0.0))):
        model = staged_model()
        assert torch.equal(train(model, REMEDIES[name](adam(model, delay)), range(12)), expected)


@pytest.mark.filterwarnings("ignore:Detected call of")  # of a scheduler of the innermost optimizer, which waits
@pytest.mark.parametrize("name", ALL)
def test_schedulers_drive_the_remedy_as_they_drive_the_queue(name: str) -> None:
    paths = []
    for outside in (True, False):
        model = staged_model()
        queue = sgd(model, 2)
        optimizer = ALL[name](queue)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer if outside else queue.optimizer, 0.1, total_steps=20)
        paths.append(train(model, optimizer, range(15), scheduler.step))
        assert optimizer.param_groups[0]["lr"] == pytest.approx(scheduler.get_last_lr()[0], rel=1e-15)
    assert torch.equal(*paths)


@pytest.mark.parametrize("name", ALL)
def test_a_gradient_scaler_takes_the_remedy(name: str) -> None:
    plain, scaled = staged_model(), staged_model()
    expected = train(plain, ALL[name](sgd(plain, 2)), range(8))
    optimizer = ALL[name](sgd(scaled, 2))
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for t in range(8):
        optimizer.zero_grad()
        with block_of(optimizer):
            backward(scaled, t)
            for p in scaled.parameters():
                p.grad.mul_(scaler.scale(torch.ones(())))  # type: ignore[union-attr]
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
    result = nn.utils.parameters_to_vector(scaled.parameters())
    torch.testing.assert_close(result, expected[-1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_a_closure_needs_no_block(name: str) -> None:
    plain, closed = staged_model(), staged_model()
    expected = train(plain, ALL[name](adam(plain, 2)), range(8))
    optimizer = ALL[name](adam(closed, 2))
    for t in range(8):

        def closure(t: int = t) -> float:
            optimizer.zero_grad()
            backward(closed, t)
            return float(t)

        assert optimizer.step(closure) == t
    assert torch.equal(nn.utils.parameters_to_vector(closed.parameters()), expected[-1])


@pytest.mark.parametrize("name", REMEDIES)
def test_flush_applies_what_is_left(name: str) -> None:
    """As three more steps without gradients would, had the queue been told to expect them."""
    model = staged_model()
    optimizer: Any = REMEDIES[name](sgd(model, 3))
    updates: list[int] = []
    inner = optimizer
    while hasattr(inner, "optimizer"):
        inner = inner.optimizer
    inner.register_step_post_hook(lambda *_: updates.append(1))
    before = train(model, optimizer, range(6))[-1]
    assert len(updates) == 3
    optimizer.flush()
    assert len(updates) == 6
    after = nn.utils.parameters_to_vector(model.parameters())
    assert torch.isfinite(after).all()
    assert not torch.equal(before, after)
    rate = optimizer.param_groups[0]["lr"]
    assert rate == 0.05


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.LSTM(6, 5, 2)),
        nn.Sequential(nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0)),
        nn.Sequential(nn.Conv1d(7, 4, 3), nn.BatchNorm1d(4), nn.ReLU()),
    ],
    ids=["lstm", "encoder", "batch norm"],
)
def test_networks_of_all_kinds_train(name: str, model: nn.Sequential) -> None:
    model = copy.deepcopy(model)
    groups = [{"name": f"stage{n}", "params": list(model.parameters())[n::3]} for n in range(3)]
    optimizer = ALL[name](GradientQueue(torch.optim.SGD(groups, 0.05, momentum=0.5), 2))
    losses = []
    for _ in range(60):
        torch.manual_seed(0)
        optimizer.zero_grad()
        with block_of(optimizer):
            outputs: Any = model(torch.randn(4, 7, 6))
            outputs = outputs[0] if isinstance(outputs, tuple) else outputs
            loss = mse_loss(outputs, torch.full_like(outputs, 0.3))
            loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.95 * losses[0]


def test_a_queues_state_continues_without_a_remedy_and_with_one() -> None:
    model = staged_model()
    queue = sgd(model, 2)
    train(model, queue, range(5))
    state: Any = copy.deepcopy(queue.state_dict())
    weights = copy.deepcopy(model.state_dict())
    for wrap in REMEDIES.values():
        model = staged_model()
        model.load_state_dict(weights)
        optimizer = wrap(sgd(model, 2))
        optimizer.load_state_dict(copy.deepcopy(state))
        train(model, optimizer, range(5, 8))
        sgd(staged_model(), 2).load_state_dict(optimizer.state_dict())


@pytest.mark.parametrize("name", ["prediction", "compensation", "gap-aware"])
def test_a_state_of_another_network_is_refused_before_anything_is_loaded(name: str) -> None:
    model = staged_model()
    optimizer = REMEDIES[name](sgd(model, 2))
    train(model, optimizer, range(5))
    state = copy.deepcopy(optimizer.state_dict())
    memory: Any = state[optimizer.KEY]  # type: ignore[attr-defined]
    weights: Tensor = {
        "prediction": lambda: memory["previous"],
        "compensation": lambda: memory["weights"][0],
        "gap-aware": lambda: memory["squares"],
    }[name]()
    weights[0] = torch.zeros(2, 2)
    other = REMEDIES[name](sgd(model, 2))
    with pytest.raises(ValueError, match=r"of parameter 0 have shape \(2, 2\), where \(5, 6\) is due"):
        other.load_state_dict(state)
    assert not other.state


def test_a_remedy_left_behind_has_no_effect() -> None:
    paths = []
    for leave_one in (True, False):
        model = staged_model()
        queue = sgd(model, 3)
        if leave_one:
            REMEDIES["staleness-aware"](queue)
        paths.append(train(model, queue, range(8)))
    assert torch.equal(*paths)


def test_the_last_step_of_an_optimizer_that_fails_leaves_the_learning_rate() -> None:
    model = staged_model()
    optimizer = REMEDIES["staleness-aware"](sgd(model, 1))
    train(model, optimizer, range(2))

    def fail(*_: Any) -> None:
        raise RuntimeError("no more memory")

    optimizer.optimizer.optimizer.register_step_pre_hook(fail)  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="no more memory"):
        train(model, optimizer, range(2, 3))
    assert optimizer.param_groups[0]["lr"] == 0.05
    assert optimizer.delayed.remedies == ()  # type: ignore[attr-defined]
