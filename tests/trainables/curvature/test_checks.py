"""What of a user's cannot be probed is told in one line."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD
from torch.utils.checkpoint import checkpoint

from tautune.trainables.curvature.probing import curvature_of
from tests.trainables.curvature.networks import network

pytestmark = pytest.mark.usefixtures("one_thread")
MODEL, BATCHES = network("mlp")


class Random(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(self.layer(x))  # training=True, whatever the mode


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.calls = nn.Linear(4, 3), 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        outputs: Tensor = self.layer(x) / self.calls
        return outputs


class OnceSquared(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        product: Tensor = 2 * x * gradient
        return product


class SquaredInNumPy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return torch.from_numpy(2 * x.detach().numpy() * gradient.detach().numpy())


class SquaredWhileAhead(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(2 * x)
        return x.square()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (slope,) = ctx.saved_tensors
        product: Tensor = slope * gradient
        return product


class Checkpointed(nn.Module):
    def __init__(self, *, first: bool, reentrant: bool) -> None:
        super().__init__()
        self.layers, self.first, self.reentrant = nn.ModuleList([nn.Linear(4, 5), nn.Linear(5, 3)]), first, reentrant

    def forward(self, x: Tensor) -> Tensor:
        for i, layer in enumerate(self.layers):
            within = (i == 0) == self.first
            x = checkpoint(layer, x, use_reentrant=self.reentrant) if within else layer(x)
        return x


class StraightThrough(torch.autograd.Function):
    """Rounds; its second derivative is 0, and so is that of its second input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor) -> Tensor:
        return (x / scale).round() * scale

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        return gradient, torch.zeros(())


class Once(nn.Module):
    def __init__(self, function: Any = OnceSquared) -> None:
        super().__init__()
        self.layer, self.function = nn.Linear(4, 3), function

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.function.apply(self.layer(x))
        return outputs


def ctc(outputs: Tensor, targets: Tensor) -> Tensor:
    steps = outputs.log_softmax(-1).unsqueeze(0).expand(5, *outputs.shape)
    lengths = torch.full((len(outputs),), 5), torch.ones(len(outputs), dtype=torch.long)
    return nn.functional.ctc_loss(steps, targets.clamp_min(1)[:, None], *lengths)


def broken() -> nn.Module:
    model = nn.Linear(4, 3)
    with torch.no_grad():
        model.weight[0, 0] = torch.nan
    return model


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: curvature_of(Random(), cross_entropy, BATCHES), "not deterministic.*a dropout outside a module needs"),
        (lambda: curvature_of(Counting(), cross_entropy, BATCHES), "not deterministic.*changing state from `forward`"),
        (lambda: curvature_of(Once(), cross_entropy, BATCHES), "no Hessian-vector product: OnceSquared has a first"),
        (lambda: curvature_of(Once(), lambda o, t: o.mean(), BATCHES), "no Hessian-vector product: OnceSquared has"),
        (lambda: curvature_of(MODEL, ctc, BATCHES), "no Hessian-vector product: .*ctc_loss_backward has a first"),
        (
            lambda: curvature_of(broken(), cross_entropy, BATCHES),
            "1 of the values in the model's weight is not finite",
        ),
        (lambda: curvature_of(MODEL, cross_entropy, iter(BATCHES)), "batches run out after one pass"),
        (lambda: curvature_of(MODEL, cross_entropy, []), "batches are empty"),
        (lambda: curvature_of(MODEL, cross_entropy, 3), "batches must be a DataLoader, a list of batches or a pair"),
        (lambda: curvature_of(MODEL, cross_entropy, [3]), "a batch must be a pair \\(inputs, targets\\) or a mapping"),
        (lambda: curvature_of(MODEL, lambda o, t: o, BATCHES), "the loss must return one number, .*shape \\(16, 3\\)"),
        (lambda: curvature_of(MODEL, lambda o, t: o.detach().sum(), BATCHES), "does not depend on the parameters"),
        (lambda: curvature_of(MODEL, cross_entropy, [BATCHES[0][::-1]]), "do not take the first batch \\(.*Error"),
        (lambda: curvature_of(nn.Linear(4, 3), lambda o, t: -o.square().mean(), BATCHES), "no positive curvature here"),
        (lambda: curvature_of(MODEL, lambda o, t: o.sum() * torch.nan, BATCHES), "the loss is nan on the first batch"),
        (
            lambda: curvature_of(MODEL, cross_entropy, [*BATCHES, (BATCHES[0][0] / 0, BATCHES[0][1])]),
            "the loss is nan on one of the batches",
        ),
        (
            lambda: curvature_of(
                nn.EmbeddingBag(9, 3, sparse=True), cross_entropy, (torch.tensor([[1, 2]]), BATCHES[0][1][:1])
            ),
            "sparse gradients, .* set sparse=False",
        ),
        (
            lambda: curvature_of(MODEL, cross_entropy, BATCHES, optimizer=SGD(Once().parameters(), 0.1)),
            "the optimizer's parameters are not the model's",
        ),
        (
            lambda: curvature_of(MODEL, cross_entropy, BATCHES, optimizer="sgd"),
            "optimizer must be an optimizer of torch",
        ),
        (lambda: curvature_of(3, cross_entropy, BATCHES), "model must be a torch Module, not 3"),  # type: ignore[arg-type]
        (
            lambda: curvature_of(MODEL.requires_grad_(requires_grad=False), cross_entropy, BATCHES),
            "none of the model's parameters requires a gradient",
        ),
    ],
)
def test_faults_are_told_in_one_line(call: Callable[[], object], words: str) -> None:
    try:
        with pytest.raises(ValueError, match=words) as raised:
            call()
        assert "\n" not in str(raised.value)
    finally:
        MODEL.requires_grad_(requires_grad=True)


def test_masks_may_have_infinities_and_no_buffer_a_nan() -> None:
    model, batches = network("transformer")
    expected = curvature_of(model, cross_entropy, batches).sharpness
    model.register_buffer("mask", torch.full((2,), -torch.inf))
    assert curvature_of(model, cross_entropy, batches).sharpness == expected
    model.register_buffer("statistics", torch.tensor([torch.nan, 1.0]))
    with pytest.raises(ValueError, match="1 of the values in the model's statistics is NaN"):
        curvature_of(model, cross_entropy, batches)


def test_batches_that_change_from_pass_to_pass_are_told() -> None:
    class Augmented:
        def __iter__(self) -> Any:
            for inputs, targets in BATCHES:
                yield inputs + torch.randn_like(inputs), targets

    with pytest.raises(ValueError, match="two passes over the batches gave a loss of .* the same ones in each pass"):
        curvature_of(MODEL, cross_entropy, Augmented())


def test_a_sharpness_that_is_not_found_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tautune.trainables.curvature.probing.MOST_PRODUCTS", 1)
    with pytest.raises(ValueError, match="not found: after 1 Hessian-vector products .* try the model in double"):
        curvature_of(MODEL, cross_entropy, BATCHES)


def test_a_backward_that_torch_does_not_record_is_told() -> None:
    with pytest.raises(ValueError, match="SquaredInNumPy has a first derivative and no second one"):
        curvature_of(Once(SquaredInNumPy), cross_entropy, BATCHES)

    class Rounded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.scale = nn.Linear(4, 3), nn.Parameter(torch.tensor(1e-4))

        def forward(self, x: Tensor) -> Tensor:
            outputs: Tensor = StraightThrough.apply(self.layer(x), self.scale)
            return outputs

    assert curvature_of(Rounded(), cross_entropy, BATCHES).sharpness > 0


def test_a_backward_that_takes_what_forward_kept_is_told() -> None:
    with pytest.raises(ValueError, match="backward of SquaredWhileAhead takes what its forward has computed and kept"):
        curvature_of(Once(SquaredWhileAhead), cross_entropy, BATCHES)


@pytest.mark.parametrize("first", [True, False])
def test_a_checkpoint_that_hides_its_parameters_is_told(*, first: bool) -> None:
    torch.manual_seed(0)
    model = Checkpointed(first=first, reentrant=False)
    plain = nn.Sequential(*model.layers)
    expected = curvature_of(plain, cross_entropy, BATCHES).sharpness
    assert curvature_of(model, cross_entropy, BATCHES).sharpness == pytest.approx(expected, rel=1e-5)
    model.reentrant = True
    batches = [(inputs.clone().requires_grad_(), targets) for inputs, targets in BATCHES]  # or it has no gradient
    with pytest.raises(ValueError, match="torch.utils.checkpoint with use_reentrant=True, which hides"):
        curvature_of(model, cross_entropy, batches)
