"""Gradient and curvature of every kind of network against the dense Hessian in float64."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy, mse_loss

from tautune.trainables.theory.preparation import prepare_problem
from tautune.trainables.theory.problem import Problem

pytestmark = pytest.mark.usefixtures("one_thread")


class Last(nn.Module):
    """A recurrent network that answers at the end of its sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm, self.out = nn.Embedding(5, 3), nn.LSTM(3, 3, batch_first=True), nn.Linear(3, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        states: Tensor = self.lstm(self.embedding(tokens))[0]
        answers: Tensor = self.out(states[:, -1])
        return answers


def transformer() -> nn.Module:
    layer = nn.TransformerEncoderLayer(4, nhead=2, dim_feedforward=5, dropout=0.1, activation="gelu", batch_first=True)
    encoder = nn.TransformerEncoder(layer, num_layers=1)
    return nn.Sequential(nn.Embedding(5, 4), encoder, nn.Flatten(), nn.Linear(16, 3))


def cnn() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(8, 3)
    )


def frozen() -> nn.Module:
    model = cnn()
    model[0].requires_grad_(requires_grad=False)
    return model


IMAGES, TOKENS, NUMBERS = (2, 4, 4), (4,), (4,)
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "convolutions": (cnn, IMAGES),
    "convolutions, channels last": (lambda: cnn().to(memory_format=torch.channels_last), IMAGES),
    "convolutions, the first fixed": (frozen, IMAGES),
    "recurrent": (Last, TOKENS),
    "transformer": (transformer, TOKENS),
    "layer norm": (lambda: nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5), nn.GELU(), nn.Linear(5, 3)), NUMBERS),
    "batch norm": (lambda: nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 3)), NUMBERS),
    "dropout": (lambda: nn.Sequential(nn.Linear(4, 5), nn.Dropout(0.5), nn.Linear(5, 3)), NUMBERS),
}


def make(name: str) -> Problem:
    torch.manual_seed(0)
    build, shape = NETWORKS[name]
    inputs = torch.randint(5, (6, *shape)) if shape == TOKENS and name in ("recurrent", "transformer") else None
    return prepare_problem(
        build(), cross_entropy, torch.randn(6, *shape) if inputs is None else inputs, torch.randint(3, (6,)), l2=0.1
    )


def loss_at(problem: Problem, x: Tensor) -> Tensor:
    pieces = x.split([p.numel() for p in problem.parameters])
    at = {n: c.view(p.shape) for n, c, p in zip(problem.names, pieces, problem.parameters, strict=True)}
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        loss = problem.loss(functional_call(problem.model, at, (problem.inputs,)), problem.targets)
    return loss + 0.05 * sum((w.square().sum() for w in at.values() if w.ndim > 1), torch.zeros(()))


@pytest.mark.parametrize("name", NETWORKS)
def test_gradient_and_curvature_are_those_of_the_dense_computation(name: str) -> None:
    problem = make(name)
    x = problem.point + 0.1
    value, gradient = problem.value_and_gradient(x)
    assert value == pytest.approx(float(loss_at(problem, x)), rel=1e-12)
    slope = torch.autograd.functional.jacobian(lambda z: loss_at(problem, z), x)
    torch.testing.assert_close(gradient, slope, rtol=1e-10, atol=1e-13)
    hessian = torch.autograd.functional.hessian(lambda z: loss_at(problem, z), x)
    v = torch.randn(len(x), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    product = problem.hessian_vector_product(x, v)
    torch.testing.assert_close(product, hessian @ v, rtol=1e-9, atol=1e-12)


def test_the_model_that_was_given_and_its_fixed_parameters_stay_as_they_are() -> None:
    model = frozen().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    problem = prepare_problem(model, cross_entropy, torch.randn(6, *IMAGES), torch.randint(3, (6,)))
    problem.move_to(problem.point + 1)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    inside = dict(problem.model.named_parameters())
    torch.testing.assert_close(inside["0.weight"], before["0.weight"].double())
    assert not torch.allclose(inside["2.weight"], before["2.weight"].double())


def test_integers_stay_integers_and_numbers_get_the_precision() -> None:
    tokens = torch.randint(5, (6, 4))
    problem = prepare_problem(Last(), mse_loss, tokens, torch.zeros(6, 3), precision=torch.float32)
    assert (problem.inputs.dtype, problem.targets.dtype, problem.point.dtype) == (
        torch.int64,
        torch.float32,
        torch.float32,
    )
    assert problem.cast(torch.float64).inputs.dtype == torch.int64


@pytest.mark.parametrize("mini_batch", [0, -1, 7])
def test_a_mini_batch_has_between_one_and_all_examples(mini_batch: int) -> None:
    with pytest.raises(
        ValueError, match=f"mini_batch must be between 1 and the 6 examples there are, not {mini_batch}"
    ):
        make("layer norm").batches(mini_batch, seed=0)
