import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Adam

from tautune.trainables.curvature.monitor import StabilityMonitor, StabilityWarning
from tautune.trainables.curvature.probing import curvature_of
from tautune.trainables.delay.queue import GradientQueue
from tautune.trainables.theory.loop import TrainingLoop
from tests.trainables.curvature.networks import network, train

pytestmark = pytest.mark.usefixtures("one_thread")


def parabola(learning_rate: float, delay: int) -> tuple[nn.Module, GradientQueue, StabilityMonitor, list[Any]]:
    """Returns a linear least squares whose sharpness is 2, with its late optimizer and its monitor."""
    model = nn.Linear(2, 1, bias=False).double()
    inputs, targets = torch.tensor([[2.0, 0.0], [0.0, 1.0]]).double(), torch.zeros(2, 1).double()
    optimizer = GradientQueue(SGD(model.parameters(), learning_rate), delay)
    written: list[Any] = []
    monitor = StabilityMonitor(
        model, lambda o, t: 0.5 * (o - t).square().mean(), (inputs, targets), optimizer, every=10,
        writer=lambda *entry: written.append(entry),
    )  # fmt: skip
    return model, optimizer, monitor, written


def run(model: nn.Module, optimizer: GradientQueue, monitor: StabilityMonitor, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        inputs, targets = monitor.batches
        monitor.loss(model(inputs), targets).backward()
        optimizer.step()
        monitor.step()


def test_it_sees_theorys_ratio_and_writes_scalars() -> None:
    model, optimizer, monitor, written = parabola(0.1, 4)
    threshold = TrainingLoop("sgd", 4).threshold
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(model, optimizer, monitor, 25)
    assert [seen.step for seen in monitor.history] == [1, 10, 20]
    for seen in monitor.history:
        assert seen.sharpness == pytest.approx(2, rel=1e-6)
        assert seen.edge_ratio == pytest.approx(0.1 * 2 / threshold, rel=1e-6)
        assert seen.max_stable_learning_rate == pytest.approx(threshold / 2, rel=1e-6)
    names = {"edge_ratio", "sharpness", "threshold", "max_stable_learning_rate"}
    assert {(name, step) for name, _, step in written} == {(f"stability/{n}", s) for n in names for s in (1, 10, 20)}


def test_it_warns_once_when_the_edge_is_passed_and_again_after_a_return() -> None:
    model, optimizer, monitor, _ = parabola(0.1, 4)
    largest = TrainingLoop("sgd", 4).threshold / 2
    run(model, optimizer, monitor, 10)
    optimizer.param_groups[0]["lr"] = 1.2 * largest
    words = re.escape(f"is 1.2 times the largest stable one at delay 4, {largest:.3g}: an error along")
    with pytest.warns(StabilityWarning, match=f"step 20: .*{words}") as told:
        run(model, optimizer, monitor, 30)
    assert len(told) == 1
    assert told[0].filename == __file__
    optimizer.param_groups[0]["lr"] = 0.5 * largest
    run(model, optimizer, monitor, 10)
    optimizer.param_groups[0]["lr"] = 1.2 * largest
    with pytest.warns(StabilityWarning, match="step 60"):
        run(model, optimizer, monitor, 10)


def test_below_the_edge_nothing_grows_and_an_inference_mode_around_changes_nothing() -> None:
    model, optimizer, seen, _ = parabola(0.1, 4)
    monitor = StabilityMonitor(model, seen.loss, seen.batches, optimizer, warn_above=0.1)
    with torch.inference_mode(), pytest.warns(StabilityWarning) as told:
        monitor.look()
    assert str(told[0].message).endswith(f"stable one at delay 4, {TrainingLoop('sgd', 4).threshold / 2:.3g}")


class OfATrainer(torch.optim.Optimizer):
    """As accelerate has it: an optimizer of torch by name, without hooks of its own."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer

    @property
    def param_groups(self) -> Any:  # type: ignore[override]
        return self.optimizer.param_groups

    def step(self, closure: Any = None) -> Any:
        return self.optimizer.step(closure)


@pytest.mark.parametrize("wrap", [lambda queue: queue, OfATrainer])
def test_attached_it_counts_what_the_optimizer_steps(wrap: Any) -> None:
    model, optimizer, watched, _ = parabola(0.1, 4)
    given = wrap(optimizer)
    monitor = StabilityMonitor(model, watched.loss, watched.batches, given, every=10).attach()
    scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
    inputs, targets = watched.batches
    for batch in range(48):  # two to a step
        if batch % 2 == 0:
            optimizer.zero_grad()
        loss = watched.loss(model(inputs), targets)
        scaler.scale(loss * (torch.inf if batch == 7 else 1)).backward()
        if batch % 2 == 1:
            scaler.step(given)  # it leaves out the one that is not finite
            scaler.update()
    assert monitor.time == 23
    assert [seen.step for seen in monitor.history] == [1, 10, 20]
    assert monitor.history[-1].edge_ratio == pytest.approx(0.2 / TrainingLoop("sgd", 4).threshold, rel=1e-6)


def test_attached_it_watches_a_compiled_step() -> None:
    model, late, watched, _ = parabola(0.1, 4)
    model.compile(backend="aot_eager")
    optimizer = late.optimizer
    monitor = StabilityMonitor(model, watched.loss, watched.batches, optimizer, every=10).attach()
    inputs, targets = watched.batches

    @torch.compile(backend="eager")
    def step() -> None:
        optimizer.step()

    for _ in range(10):
        optimizer.zero_grad()
        watched.loss(model(inputs), targets).backward()
        step()
    assert [seen.step for seen in monitor.history] == [1, 10]


@pytest.mark.parametrize("name", ["mlp", "lstm"])
def test_warm_looks_follow_the_sharpness_of_a_training(name: str) -> None:
    model, batches = network(name, dtype=torch.float64)
    optimizer = Adam(model.parameters(), 3e-3)
    monitor = StabilityMonitor(model, cross_entropy, batches[0], optimizer, every=5)
    assert monitor.look() is None  # there is no state to divide by
    for _ in range(6):
        train(model, batches, optimizer)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", StabilityWarning)
            seen = monitor.look()
        assert seen is not None
        assert seen.threshold == pytest.approx(38)
        exact = curvature_of(model, cross_entropy, batches[0], optimizer=optimizer).sharpness
        assert seen.sharpness == pytest.approx(exact, rel=0.02)


def test_a_run_goes_on_as_it_would_without_and_after_weights_are_lost() -> None:
    ends = []
    for watched in (False, True):
        model, batches = network("mlp")
        optimizer = SGD(model.parameters(), 0.1, momentum=0.9)
        monitor = StabilityMonitor(model, cross_entropy, batches[0], optimizer, every=1)
        for _ in range(4):
            train(model, batches, optimizer, steps=1)
            if watched:
                monitor.step()
        ends.append(torch.cat([p.detach().reshape(-1) for p in model.parameters()]))
    assert torch.equal(*ends)
    for lost in (torch.finfo(torch.float32).max, torch.nan):  # the loss is not finite, nor then are weights
        with torch.no_grad():
            list(model.parameters())[-2].fill_(lost)
        assert monitor.look() is None


def test_layers_may_be_frozen_thawed_and_added_in_mid_training() -> None:
    model, batches = network("mlp", dtype=torch.float64)
    optimizer = SGD(model.parameters(), 0.1)
    monitor = StabilityMonitor(model, cross_entropy, batches[0], optimizer)
    first, more = next(model.children()), nn.Linear(3, 3).double()

    def add() -> None:
        model.add_module("more", more)
        optimizer.add_param_group({"params": more.parameters()})

    changes: list[Callable[[], object]] = [
        lambda: first.requires_grad_(requires_grad=False),
        lambda: first.requires_grad_(requires_grad=True),
        add,
    ]
    for change in changes:
        monitor.look()
        change()
        seen = monitor.look()
        assert seen is not None
        exact = curvature_of(model, cross_entropy, batches[0], optimizer=optimizer).sharpness
        assert seen.sharpness == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"every": 0}, "every must be a number of steps of at least 1, not 0"),
        ({"warn_above": 0.0}, "warn_above must be a ratio above 0, not 0.0"),
        ({"writer": 3}, "writer must have add_scalar, or be a function"),
        ({"delay": -1}, "delay must be an integer ≥ 0"),
    ],
)
def test_wrong_options_are_told(options: dict[str, Any], words: str) -> None:
    model, batches = network("mlp")
    with pytest.raises(ValueError, match=words):
        StabilityMonitor(model, cross_entropy, batches, SGD(model.parameters(), 0.1), **options)
