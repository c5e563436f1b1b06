"""What a user's problem may get wrong, and the line that says so."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from tautune.trainables.theory.preparation import prepare_problem
from tautune.trainables.threshold.checks import check_problem
from tests.trainables.curvature.test_checks import Once, ctc

INPUTS, TARGETS = torch.linspace(-1, 1, 40).reshape(10, 4), torch.arange(10) % 3
GOOD: dict[str, Any] = {"model": nn.Linear(4, 3), "loss": cross_entropy, "inputs": INPUTS, "targets": TARGETS}


class Noisy(nn.Linear):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs) + 0.01 * torch.randn(3)


class Counting(nn.Linear):
    count: Tensor

    def __init__(self) -> None:
        super().__init__(4, 3)
        self.register_buffer("count", torch.zeros(()))

    def forward(self, inputs: Tensor) -> Tensor:
        self.count += 1
        return super().forward(inputs)


class UnusedHead(nn.Linear):
    def __init__(self) -> None:
        super().__init__(4, 3)
        self.head = nn.Linear(3, 2)


def fixed() -> nn.Module:
    return nn.Linear(4, 3).requires_grad_(requires_grad=False)


def total(outputs: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(outputs, targets, reduction="sum")


def each(outputs: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(outputs, targets, reduction="none")


BAD: dict[str, dict[str, Any]] = {
    r"there are no examples: inputs have the shape \(0, 4\)": {"inputs": INPUTS[:0], "targets": TARGETS[:0]},
    "there are 10 inputs and 7 targets": {"targets": TARGETS[:7]},
    "2 of the values in the inputs are not finite": {
        "inputs": INPUTS.clone().index_fill(1, torch.tensor([2]), float("nan"))[:2],
        "targets": TARGETS[:2],
    },
    "no parameters that require a gradient": {"model": fixed()},
    r"the model does not take inputs of shape \(10, 4\) and type int64; integers are for embeddings": {
        "inputs": INPUTS.long()
    },
    r"the model does not take inputs of shape \(10, 4\) and type float64 \(RuntimeError": {"model": nn.Linear(5, 3)},
    r"the loss does not take outputs of shape \(10, 3\) and targets of shape \(10,\) and type float64": {
        "targets": TARGETS.float()
    },
    r"must return one number, the mean over the examples, not a tensor of shape \(10,\)": {"loss": each},
    "must return one number, the mean over the examples, not float": {"loss": lambda o, t: 1.0},
    "the loss does not depend on the model's parameters": {"loss": lambda o, t: cross_entropy(o.detach(), t)},
    "the loss is a sum over the examples": {"loss": total},
    "the loss is nan at the initial weights": {"loss": lambda o, t: cross_entropy(o, t) * float("nan")},
    "the loss does not depend on head.weight, head.bias: leave them out": {"model": UnusedHead()},
    "not deterministic: two evaluations at the same weights gave": {"model": Noisy(4, 3)},
    "not deterministic: its buffer count changes": {"model": Counting()},
    "no Hessian-vector product: OnceSquared has a first derivative and no second one": {"model": Once()},
    "no Hessian-vector product: .*ctc_loss_backward has a first derivative and no second one": {"loss": ctc},
}


@pytest.mark.parametrize("message", BAD)
def test_what_is_wrong_is_said_in_one_line(message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        check_problem(prepare_problem(**GOOD | BAD[message]))
    assert "\n" not in str(raised.value)


def test_integers_into_a_convolution() -> None:
    images = torch.randint(255, (10, 1, 4, 4), dtype=torch.uint8)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))
    with pytest.raises(ValueError, match="type uint8; integers are for embeddings: give other inputs as float"):
        check_problem(prepare_problem(model, cross_entropy, images, TARGETS))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"loss": mse_loss, "targets": torch.zeros(10, 3)},
        {"loss": nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0]).double())},
        {"model": nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)).eval()},
        {"model": nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5)).train()},
        {"inputs": INPUTS[:1], "targets": TARGETS[:1]},
    ],
)
def test_what_is_right_passes_and_nothing_is_changed(change: dict[str, Any]) -> None:
    problem = prepare_problem(**GOOD | change)
    before, random_state = problem.point, torch.get_rng_state()
    check_problem(problem)
    assert torch.equal(problem.point, before)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(p.grad is None for p in problem.parameters)


def test_parts_that_are_no_mean_are_refused_where_the_data_are_evaluated_in_parts() -> None:
    weighted = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 30.0]).double())
    problem = prepare_problem(**GOOD | {"loss": weighted, "targets": torch.tensor([0] * 5 + [2] * 5)})
    problem.chunk = 5
    with pytest.raises(ValueError, match="not the mean of the losses of their halves"):
        check_problem(problem)
