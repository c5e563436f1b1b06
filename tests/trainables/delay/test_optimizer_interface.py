"""The queue is a torch Optimizer: what schedulers, scalers, trainers and hooks expect of one."""

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import lr_scheduler as schedulers
from torch.optim.optimizer import register_optimizer_step_post_hook

from tautune.trainables.delay import GradientQueue, RandomDelay

Scheduler = Callable[[torch.optim.Optimizer], Any]
SCHEDULERS: dict[str, Scheduler] = {
    "LambdaLR": lambda o: schedulers.LambdaLR(o, lambda t: 0.9**t),
    "MultiplicativeLR": lambda o: schedulers.MultiplicativeLR(o, lambda _: 0.9),
    "StepLR": lambda o: schedulers.StepLR(o, 2),
    "MultiStepLR": lambda o: schedulers.MultiStepLR(o, [2, 5]),
    "ConstantLR": lambda o: schedulers.ConstantLR(o),
    "LinearLR": lambda o: schedulers.LinearLR(o),
    "ExponentialLR": lambda o: schedulers.ExponentialLR(o, 0.8),
    "PolynomialLR": lambda o: schedulers.PolynomialLR(o, 9),
    "CosineAnnealingLR": lambda o: schedulers.CosineAnnealingLR(o, 9),
    "CosineAnnealingWarmRestarts": lambda o: schedulers.CosineAnnealingWarmRestarts(o, 5),
    "CyclicLR": lambda o: schedulers.CyclicLR(o, 0.001, 0.1, cycle_momentum=True),
    "OneCycleLR": lambda o: schedulers.OneCycleLR(o, 0.1, total_steps=20),
    "ReduceLROnPlateau": lambda o: schedulers.ReduceLROnPlateau(o, patience=0),
    "SequentialLR": lambda o: schedulers.SequentialLR(
        o, [schedulers.LinearLR(o), schedulers.ExponentialLR(o, 0.8)], milestones=[4]
    ),
    "ChainedScheduler": lambda o: schedulers.ChainedScheduler(
        [schedulers.ConstantLR(o), schedulers.ExponentialLR(o, 0.8)]
    ),
}


def make_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()


def adam(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), 0.02)


def loss_at(model: nn.Module, t: int) -> Tensor:
    generator = torch.Generator().manual_seed(t)
    inputs = torch.randn(8, 6, dtype=torch.float64, generator=generator)
    return cross_entropy(model(inputs), torch.randint(3, (8,), generator=generator))


def train(model: nn.Module, optimizer: Any, steps: range, after: Callable[[Tensor], Any] = lambda _: None) -> Tensor:
    for t in steps:
        optimizer.zero_grad()
        loss = loss_at(model, t)
        loss.backward()
        optimizer.step()
        after(loss.detach())
    return nn.utils.parameters_to_vector(model.parameters()).detach().clone()


@pytest.mark.parametrize("delay", [0, 3])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_schedulers_take_the_queue(name: str, delay: int) -> None:
    """They drive it as they drive the wrapped optimizer, without a warning."""
    results = []
    for of_queue in (True, False):
        model = make_model()
        queue = GradientQueue(adam(model), delay)
        with warnings.catch_warnings():
            warnings.simplefilter("error" if of_queue else "ignore")
            if not of_queue:
                queue.optimizer.step()  # without gradients: only so that the scheduler sees a step
            scheduler = SCHEDULERS[name](queue if of_queue else queue.optimizer)
            plateau = isinstance(scheduler, schedulers.ReduceLROnPlateau)
            warnings.simplefilter("ignore" if name in ("SequentialLR", "ChainedScheduler") else warnings.filters[0][0])

            def after(loss: Tensor, scheduler: Any = scheduler, plateau: bool = plateau) -> None:
                scheduler.step(loss) if plateau else scheduler.step()

            results.append((train(model, queue, range(12), after), queue.param_groups[0]["lr"]))
    assert torch.equal(results[0][0], results[1][0])
    assert results[0][1] == results[1][1] != 0.02


def test_groups_state_and_defaults_are_the_wrapped_optimizers_own() -> None:
    model = make_model()
    optimizer = adam(model)
    queue = GradientQueue(optimizer, 2)
    assert isinstance(queue, torch.optim.Optimizer)
    train(model, queue, range(4))
    queue.load_state_dict(copy.deepcopy(queue.state_dict()))  # replaces the wrapped optimizer's groups and state
    assert queue.param_groups is optimizer.param_groups
    assert queue.state is optimizer.state
    assert queue.defaults is optimizer.defaults
    assert len(queue.state) == 4
    extra = nn.Parameter(torch.ones(2))
    queue.add_param_group({"params": [extra], "lr": 0.5})
    assert optimizer.param_groups[1]["params"] == [extra]
    queue.param_groups = optimizer.param_groups[:1]
    assert len(optimizer.param_groups) == 1


def test_repr_names_the_delay_and_the_optimizer() -> None:
    text = repr(GradientQueue(adam(make_model()), 2))
    assert text.startswith("GradientQueue (RecordedDelay(delays=(2,))")
    assert "Adam (" in text
    assert "lr: 0.02" in text


def test_hooks_run_once_a_step_and_global_ones_once_an_update() -> None:
    model = make_model()
    queue = GradientQueue(adam(model), 2)
    seen: list[str] = []

    def global_hook(optimizer: Any, *_: Any) -> None:
        seen.append(f"update by {type(optimizer).__name__}")

    handles = [
        queue.register_step_pre_hook(lambda optimizer, *_: seen.append(f"before {optimizer is queue}")),
        queue.register_step_post_hook(lambda optimizer, *_: seen.append(f"after {optimizer is queue}")),
        register_optimizer_step_post_hook(global_hook),
    ]
    try:
        train(model, queue, range(3))
    finally:
        for handle in handles:
            handle.remove()
    assert seen == ["before True", "after True"] * 2 + ["before True", "update by Adam", "after True"]
    train(model, queue, range(2))
    assert len(seen) == 7


def test_a_hook_before_the_step_may_change_the_closure() -> None:
    model = make_model()
    queue = GradientQueue(adam(model), 1)
    queue.register_step_pre_hook(lambda _, args, kwargs: ((args[0], lambda: 7.0), kwargs))
    assert queue.step(lambda: 1.0) == 7.0


def test_state_dict_hooks_run() -> None:
    model = make_model()
    queue = GradientQueue(adam(model), 1)
    seen: list[str] = []
    queue.register_state_dict_pre_hook(lambda _: seen.append("save"))
    queue.register_state_dict_post_hook(lambda _, state: {**state, "mine": 1})
    queue.register_load_state_dict_pre_hook(lambda _, state: {k: v for k, v in state.items() if k != "mine"})
    queue.register_load_state_dict_post_hook(lambda _: seen.append("loaded"))
    state = queue.state_dict()
    assert state["mine"] == 1
    queue.load_state_dict(state)
    assert seen == ["save", "loaded"]
    assert state["mine"] == 1  # what the caller gave is left alone


@pytest.mark.parametrize("delay", [2, RandomDelay(probabilities=(0.2, 0.3, 0.5))])
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_a_copy_continues_as_the_original(delay: Any, duplicate: Callable[[Any], Any]) -> None:
    model = make_model()
    queue = GradientQueue(adam(model), delay)
    scheduler = schedulers.ExponentialLR(queue, 0.99)  # it patches step()
    train(model, queue, range(5), lambda _: scheduler.step())
    model_2, queue_2 = duplicate((model, queue))
    assert torch.equal(train(model, queue, range(5, 12)), train(model_2, queue_2, range(5, 12)))
    assert queue_2.param_groups[0]["params"][0] is next(model_2.parameters())


@pytest.mark.parametrize("delay", [0, 2])
def test_a_gradient_scaler_takes_the_queue(delay: int) -> None:
    plain, scaled = make_model(), make_model()
    expected = train(plain, GradientQueue(torch.optim.SGD(plain.parameters(), 0.1), delay), range(8))
    queue = GradientQueue(torch.optim.SGD(scaled.parameters(), 0.1, fused=True), delay)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for t in range(8):
        queue.zero_grad()
        scaler.scale(loss_at(scaled, t)).backward()
        scaler.unscale_(queue)
        scaler.step(queue)
        scaler.update()
    torch.testing.assert_close(nn.utils.parameters_to_vector(scaled.parameters()), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("delay", [0, 2])
def test_automatic_optimization_runs_zero_grad_and_backward_inside_the_closure(delay: int) -> None:
    """As Lightning does, which passes the closure by keyword."""
    plain, model = make_model(), make_model()
    expected = train(plain, GradientQueue(adam(plain), delay), range(8))
    queue = GradientQueue(adam(model), delay)
    losses = []
    for t in range(8):

        def closure(t: int = t) -> Tensor:
            loss = loss_at(model, t)
            queue.zero_grad()
            loss.backward()
            losses.append(loss.detach())
            return losses[-1]

        assert queue.step(closure=closure) is losses[-1]
    assert len(losses) == 8
    assert torch.equal(nn.utils.parameters_to_vector(model.parameters()), expected)


class ScheduleFree(torch.optim.SGD):
    """Has a mode, as schedule-free optimizers do."""

    mode = "none"

    def train(self) -> None:
        self.mode = "train"

    def eval(self) -> None:
        self.mode = "eval"


def test_a_mode_of_the_wrapped_optimizer_is_the_queues() -> None:
    optimizer = ScheduleFree(make_model().parameters(), 0.1)
    queue: Any = GradientQueue(optimizer, 1)
    queue.train()
    assert optimizer.mode == "train"
    queue.eval()
    assert optimizer.mode == "eval"
    assert not hasattr(GradientQueue(adam(make_model()), 1), "train")
    duplicate: Any = copy.deepcopy(queue)
    duplicate.train()
    assert (optimizer.mode, duplicate.optimizer.mode) == ("eval", "train")


@pytest.mark.parametrize("optimizer", [list(make_model().parameters()), GradientQueue(adam(make_model()), 1)])
def test_what_is_no_bare_optimizer_is_refused(optimizer: Any) -> None:
    with pytest.raises(ValueError, match=r"optimizer must be a torch\.optim\.Optimizer without a delay, not "):
        GradientQueue(optimizer, 1)
