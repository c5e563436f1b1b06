"""Optimizers that evaluate the loss themselves have no delayed form."""

from typing import Any

import pytest
import torch
from torch import nn

from tautune.trainables.delay import GradientQueue


class NeedsItsClosure(torch.optim.SGD):
    def step(self, closure: Any) -> Any:  # type: ignore[override]
        return super().step(closure)


class SharpnessAware(torch.optim.SGD):
    """Climbs, asks for the gradient there, goes back and descends; without a closure it just descends."""

    def step(self, closure: Any = None) -> Any:
        if closure is None:
            return super().step()
        with torch.no_grad():
            climbed = [(p, p.grad.clone()) for g in self.param_groups for p in g["params"] if p.grad is not None]
            for p, gradient in climbed:
                p.add_(gradient, alpha=0.05)
            self.zero_grad()
        with torch.enable_grad():
            loss = closure()
        with torch.no_grad():
            for p, gradient in climbed:
                p.sub_(gradient, alpha=0.05)
        super().step()
        return loss


class AsksTwice(torch.optim.SGD):
    def step(self, closure: Any = None) -> Any:
        return None if closure is None else (closure(), closure())


class PolyakStep(torch.optim.SGD):
    """Asks for the loss first and takes a step in proportion to it."""

    def step(self, closure: Any = None) -> Any:
        loss = None if closure is None else closure()
        self.param_groups[0]["lr"] = 0.1 if loss is None else 0.01 * float(loss)
        super().step()
        return loss


def train(make: Any, delay: int, steps: int = 6) -> tuple[nn.Parameter, list[float]]:
    x = nn.Parameter(torch.tensor([3.0, -2.0]))
    queue = GradientQueue(make([x], 0.1), delay)
    losses = []

    def closure() -> float:
        queue.zero_grad()
        loss = x.square().sum()
        loss.backward()
        return loss.item()

    for _ in range(steps):
        losses.append(queue.step(closure))
    return x, losses


@pytest.mark.parametrize("make", [NeedsItsClosure, torch.optim.LBFGS])
def test_an_optimizer_that_needs_its_closure_is_refused_at_once(make: Any) -> None:
    parameters = [nn.Parameter(torch.ones(2))]
    GradientQueue(make(parameters, 0.1), 0)
    with pytest.raises(ValueError, match=f"delay must be 0 for {make.__name__}: it evaluates the loss"):
        GradientQueue(make(parameters, 0.1), 2)


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_an_optimizer_that_has_a_scheduler_may_be_late_as_well_as_one_that_gets_it_later() -> None:
    ends = []
    for first in (True, False):
        x = nn.Parameter(torch.tensor([3.0, -2.0]))
        optimizer = torch.optim.SGD([x], 0.1)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9) if first else None  # it replaces `step`
        queue = GradientQueue(optimizer, 2)
        scheduler = scheduler or torch.optim.lr_scheduler.ExponentialLR(queue, 0.9)
        for _ in range(6):
            queue.zero_grad()
            x.square().sum().backward()
            queue.step()
            scheduler.step()
        ends.append(x.detach())
    assert torch.equal(*ends)


@pytest.mark.parametrize("make", [SharpnessAware, AsksTwice])
def test_an_optimizer_that_evaluates_its_closure_midway_is_refused_at_its_first_update(make: Any) -> None:
    train(make, 0)
    train(make, 2, steps=2)
    with pytest.raises(ValueError, match=f"delay must be 0 for {make.__name__}: it evaluates its closure again"):
        train(make, 2, steps=3)


def test_an_optimizer_that_asks_for_the_loss_first_gets_the_present_one() -> None:
    x, losses = train(PolyakStep, 1)
    expected, gradients, rates = [torch.tensor([3.0, -2.0])], [], []
    for _ in range(6):
        gradients.append(2 * expected[-1])
        rates.append(0.01 * float(expected[-1].square().sum()))
        late = gradients[-2] if len(gradients) > 1 else torch.zeros(2)
        expected.append(expected[-1] - rates[-1] * late)
    torch.testing.assert_close(x.detach(), expected[-1])
    assert losses == pytest.approx([rate / 0.01 for rate in rates])
