"""The curvature that an optimizer sees, against a dense matrix and against the steps that it really makes."""

from collections.abc import Callable, Iterable

import pytest
import torch
from torch import nn
from torch.func import functional_call, hessian
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Adam, AdamW, NAdam, Optimizer, RMSprop

from tautune.trainables.curvature.preconditioner import filter_now, preconditioner
from tautune.trainables.curvature.probing import curvature_of
from tautune.trainables.delay.queue import GradientQueue
from tautune.trainables.delay.remedies.gap_aware import GapAware
from tautune.trainables.delay.remedies.weight_prediction import WeightPrediction
from tautune.trainables.theory.delays import Delays
from tautune.trainables.theory.loop import TrainingLoop
from tautune.trainables.theory.remedies import Prediction
from tests.trainables.curvature.networks import network, train

pytestmark = pytest.mark.usefixtures("one_thread")
Make = Callable[[Iterable[nn.Parameter]], Optimizer]
MADE: dict[str, Make] = {
    "sgd": lambda p: SGD(p, 0.1, momentum=0.9, weight_decay=0.1),
    "adam": lambda p: Adam(p, 1e-2, eps=1e-3, weight_decay=0.1),
    "adam, amsgrad": lambda p: Adam(p, 1e-2, amsgrad=True),
    "adamw": lambda p: AdamW(p, 1e-2, weight_decay=0.1),
    "nadam": lambda p: NAdam(p, 1e-2),
    "rmsprop": lambda p: RMSprop(p, 1e-2, eps=1e-3),
    "rmsprop, centered": lambda p: RMSprop(p, 1e-2, centered=True),
}


def make_small() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)).double()


BATCH = (
    torch.randn(20, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64),
    torch.arange(20) % 3,
)


def dense(model: nn.Module) -> torch.Tensor:
    """Returns the Hessian of the loss, parameter by parameter."""
    names = dict(model.named_parameters())
    sizes = [p.numel() for p in names.values()]

    def f(x: torch.Tensor) -> torch.Tensor:
        pieces = zip(names.items(), x.split(sizes), strict=True)
        given = {name: piece.view(p.shape) for (name, p), piece in pieces}
        return cross_entropy(functional_call(model, given, (BATCH[0],)), BATCH[1])

    matrix: torch.Tensor = hessian(f)(torch.cat([p.detach().reshape(-1) for p in names.values()]))
    return matrix


def divisor(model: nn.Module, optimizer: Optimizer) -> torch.Tensor:
    """Returns P [P] from a step that the optimizer makes with the average of its gradients set to 1."""
    twin = {"adam": Adam, "adamw": AdamW}[type(optimizer).__name__.lower()](model.parameters(), lr=1e-2)
    twin.load_state_dict(optimizer.state_dict())
    before = torch.cat([p.detach().reshape(-1).clone() for p in model.parameters()])
    with torch.no_grad():
        for group in twin.param_groups:
            group["weight_decay"] = 0.0
            for p in group["params"]:
                state = twin.state[p]
                p.grad = torch.zeros_like(p)
                state["exp_avg"].fill_(1.0)
                state["step"] -= 1  # the step that is made brings it back
                β1, β2 = group["betas"]
                state["exp_avg"] /= β1
                state["exp_avg_sq"] /= β2
        twin.step()
        after = torch.cat([p.detach().reshape(-1) for p in model.parameters()])
        moved = before - after
        start = 0
        for p in model.parameters():
            p.copy_(before[start : start + p.numel()].view(p.shape))
            start += p.numel()
    return 1e-2 / moved


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adam_divides_by_what_its_own_step_shows(name: str) -> None:
    model = make_small()
    optimizer = MADE[name](model.parameters())
    train(model, [BATCH], optimizer, steps=7)
    how = preconditioner(optimizer, list(model.parameters()))
    assert how.scale is not None
    torch.testing.assert_close(how.scale.square(), 1 / divisor(model, optimizer))


@pytest.mark.parametrize("name", MADE)
def test_the_sharpness_is_that_of_the_dense_preconditioned_matrix(name: str) -> None:
    model = make_small()
    groups = [{"params": model[0].parameters()}, {"params": model[2].parameters(), "lr": 0.03}]
    optimizer = MADE[name](groups)  # type: ignore[arg-type]
    train(model, [BATCH], optimizer, steps=7)
    parameters = list(model.parameters())
    how = preconditioner(optimizer, parameters)
    s = torch.ones(len(dense(model)), dtype=torch.float64) if how.scale is None else how.scale
    W = torch.zeros_like(s) if how.decay is None else how.decay
    matrix = s[:, None] * (dense(model) + torch.diag(W)) * s
    found = curvature_of(model, cross_entropy, BATCH, optimizer=optimizer, tolerance=1e-8)
    values, vectors = torch.linalg.eigh(matrix)
    assert found.sharpness == pytest.approx(float(values[-1]), rel=1e-10)
    first = sum(p.numel() for p in model[0].parameters())
    share = float(vectors[:first, -1].square().sum())
    assert found.group_shares == pytest.approx((share, 1 - share), rel=1e-5)
    assert bool(W.any()) == (name in ("sgd", "adam"))  # AdamW's is decoupled
    ratio = optimizer.param_groups[1]["lr"] / optimizer.param_groups[0]["lr"]
    with torch.no_grad():  # a group's larger learning rate is curvature
        optimizer.param_groups[1]["lr"] = optimizer.param_groups[0]["lr"]
    same = preconditioner(optimizer, parameters).scale
    expected = (torch.ones_like(s) if same is None else same)[first:] * ratio**0.5
    torch.testing.assert_close(s[first:], expected)


HELD = 1 - 1e-12
"""A β₂ at which the state does not move."""
LINEAR: dict[str, Make] = {
    "sgd": lambda p: SGD(p, 0.1, momentum=0.5),
    "adam": lambda p: Adam(p, 0.1, betas=(0.9, HELD)),
    "nadam": lambda p: NAdam(p, 0.1, betas=(0.9, HELD)),
    "rmsprop": lambda p: RMSprop(p, 0.1, alpha=HELD, momentum=0.3),
}


@pytest.mark.parametrize("share", [0.97, 1.03])
@pytest.mark.parametrize("name", LINEAR)
def test_steps_on_a_parabola_grow_from_the_threshold_on(name: str, share: float) -> None:
    x = nn.Parameter(torch.tensor([1e-9], dtype=torch.float64))
    inner = LINEAR[name]([x])
    x.grad = torch.zeros_like(x)
    inner.step()
    for state in inner.state.values():
        for key in ("exp_avg_sq", "square_avg"):
            if key in state:
                state[key].fill_(4.0)
        if "step" in state:
            state["step"].fill_(1e14)  # corrections of the averages are over
        if "mu_product" in state:
            state["mu_product"].zero_()
    how = preconditioner(inner, [x])
    λ = 3.0 if how.scale is None else 3.0 * float(how.scale) ** 2
    assert pytest.approx(3.0 if name == "sgd" else 1.5) == λ
    inner.param_groups[0]["lr"] = share * TrainingLoop(filter_now(inner), 2).threshold / λ
    optimizer, sizes = GradientQueue(inner, 2), []
    for _ in range(900):
        x.grad = 3.0 * x.detach().clone()
        optimizer.step()
        sizes.append(abs(x.item()))
    assert (max(sizes[-150:]) > max(sizes[300:450])) == (share > 1)


def test_delays_and_remedies_are_read_from_what_is_around_the_optimizer() -> None:
    model = make_small()
    inner = SGD(model.parameters(), 0.1)
    found = curvature_of(model, cross_entropy, BATCH, optimizer=WeightPrediction(GradientQueue(inner, 3))).late
    assert found is not None
    assert found.optimizer is inner
    assert found.of_groups([1.0]) == Delays.fixed(3)
    assert found.remedies == (Prediction(3.0),)
    groups = [{"params": model[0].parameters(), "name": "a"}, {"params": model[2].parameters(), "name": "b"}]
    staged = GradientQueue(SGD(groups, 0.1), {"a": 2, "b": 0})
    curvature = curvature_of(model, cross_entropy, BATCH, optimizer=staged)
    assert curvature.late is not None
    assert curvature.late.of_groups(curvature.group_shares) == Delays.stages([2, 0], curvature.group_shares)
    with pytest.raises(ValueError, match="GapAware has no threshold in theory: it is not linear"):
        curvature_of(model, cross_entropy, BATCH, optimizer=GapAware(GradientQueue(inner, 3)))


def test_what_cannot_be_preconditioned_is_told() -> None:
    model, _ = network("mlp", dtype=torch.float64)
    parameters = list(model.parameters())
    with pytest.raises(ValueError, match="Adam has no state yet, and divides by it: make a step"):
        preconditioner(Adam(parameters), parameters)
    with pytest.raises(ValueError, match="every learning rate of the optimizer is 0"):
        preconditioner(SGD(parameters, 0.0), parameters)
    with pytest.raises(ValueError, match="the optimizer maximizes"):
        preconditioner(SGD(parameters, 0.1, maximize=True), parameters)
    broken = Adam(parameters)
    for p in parameters:
        p.grad = torch.full_like(p, torch.nan)
    broken.step()
    with pytest.raises(ValueError, match="the state of Adam is not finite"):
        preconditioner(broken, parameters)
