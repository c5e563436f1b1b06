"""The sharpness of a user's network against an independent library's Hessian."""

import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from curvlinops import HessianLinearOperator
from scipy.sparse.linalg import eigsh
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.data import DataLoader

from tautune.trainables.curvature.monitor import StabilityMonitor
from tautune.trainables.curvature.probing import curvature_of
from tests.trainables.curvature.networks import NETWORKS, HuggingFaceLike, network, train

pytestmark = pytest.mark.usefixtures("one_thread")
cross_entropy = nn.CrossEntropyLoss()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_sharpness_is_curvlinops(name: str) -> None:
    model, batches = network(name)
    found = curvature_of(model, cross_entropy, batches)
    assert model.training
    model.eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):  # which divides by each batch's own statistics in training
            module.running_mean = module.running_var = None
    parameters = list(model.parameters())
    with sdpa_kernel(SDPBackend.MATH), torch.backends.mkldnn.flags(enabled=False):  # its LSTM has no forward mode
        hessian = HessianLinearOperator(model, cross_entropy, parameters, batches, check_deterministic=False)
        largest = eigsh(hessian.to_scipy(), k=1, which="LA", return_eigenvectors=False)[0]
    assert found.sharpness == pytest.approx(float(largest), rel=1e-2)


@pytest.mark.parametrize("name", NETWORKS)
def test_batches_of_any_form_give_the_same_curvature(name: str) -> None:
    model, batches = network(name, dtype=torch.float64)
    model.eval()  # batch norm's statistics would be those of other batches
    expected = curvature_of(model, cross_entropy, batches)
    whole = tuple(torch.cat(parts) for parts in zip(*batches, strict=True))
    pairs = list(zip(*whole, strict=True))
    assert curvature_of(model, cross_entropy, whole).sharpness == pytest.approx(expected.sharpness, rel=1e-5)
    loader: Any = DataLoader(pairs, batch_size=10, shuffle=True)  # type: ignore[arg-type]
    assert curvature_of(model, cross_entropy, loader).sharpness == pytest.approx(expected.sharpness, rel=1e-5)
    mappings = [{"input_ids": inputs, "labels": targets} for inputs, targets in batches]
    found = curvature_of(HuggingFaceLike(model), lambda outputs, batch: outputs.loss, mappings)
    assert found.sharpness == pytest.approx(expected.sharpness, rel=1e-5)
    assert found.noise == pytest.approx(expected.noise, rel=1e-3)


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_in_bfloat16_have_the_curvature_of_the_same_in_float32(name: str) -> None:
    """A basis of vectors in bfloat16 lost its orthogonality, and λ came out at up to eighty times its value."""
    model, batches = network(name)
    model.eval().bfloat16()
    batches = [(x.bfloat16() if x.is_floating_point() else x, targets) for x, targets in batches]
    found = curvature_of(model, cross_entropy, batches)
    monitor = StabilityMonitor(model, cross_entropy, batches, torch.optim.SGD(model.parameters(), 1e-3))
    watched = [seen.sharpness for _ in range(3) if (seen := monitor.look())]
    wide = [(x.float() if x.is_floating_point() else x, targets) for x, targets in batches]
    expected = curvature_of(model.float(), cross_entropy, wide)
    assert [found.sharpness, *watched] == pytest.approx([expected.sharpness] * 4, rel=0.03)
    assert found.products < 40


def test_layers_may_differ_in_their_types() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.norm, self.last = nn.Linear(4, 8).bfloat16(), nn.LayerNorm(8), nn.Linear(8, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            outputs: torch.Tensor = self.last(self.norm(self.first(x.bfloat16()).float()).tanh())
            return outputs

    _, batches = network("mlp")
    model = Mixed()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    train(model, batches, optimizer, steps=2)
    assert curvature_of(model, cross_entropy, batches, optimizer=optimizer).residual < 0.03


def test_nothing_of_the_users_is_changed() -> None:
    model, batches = network("mlp")
    assert isinstance(model, nn.Sequential)
    model[3].eval()  # frozen on purpose
    weight = next(model.parameters())
    weight.grad = torch.ones_like(weight)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes, random = [module.training for module in model.modules()], torch.get_rng_state()
    curvature_of(model, cross_entropy, DataLoader(list(zip(*batches[0], strict=True)), 16, shuffle=True))  # type: ignore[arg-type]
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(weight.grad, torch.ones_like(weight))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_bias_that_batch_norm_takes_away_has_no_curvature() -> None:
    """Adam never sees a gradient there and divides by ε: its running statistics made 10⁷ of a rounding error."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
    batch = torch.randn(32, 4), torch.randint(3, (32,))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    train(model, [batch], optimizer, steps=50)
    found = curvature_of(model, cross_entropy, batch, optimizer=optimizer)
    assert float(found.direction[64:80].norm()) < 1e-2
    model.eval()
    running = curvature_of(model, cross_entropy, batch, optimizer=optimizer)
    assert running.sharpness > 1e3 * found.sharpness


def test_one_batch_is_in_memory_at_a_time() -> None:
    model, batches = network("mlp")

    class Read:
        """Batches that are made when they are read, of which those before must be gone."""

        def __iter__(self) -> Iterator[Any]:
            before: list[weakref.ref[torch.Tensor]] = []
            for inputs, targets in batches:
                made = inputs.clone()
                assert sum(one() is not None for one in before) <= 1  # whoever iterates still holds the last one
                before.append(weakref.ref(made))
                yield made, targets
                del made

    assert curvature_of(model, cross_entropy, Read()).sharpness == curvature_of(model, cross_entropy, batches).sharpness


def test_noise_is_the_variance_between_batches() -> None:
    """On a linear least squares, u's curvature in a batch is known."""
    torch.manual_seed(0)
    model = nn.Linear(3, 1, bias=False).double()
    inputs = torch.randn(12, 3, dtype=torch.float64)
    batches = [(part, torch.zeros(len(part), 1).double()) for part in inputs.split(4)]
    found = curvature_of(model, nn.MSELoss(), batches, tolerance=1e-8)
    values, vectors = torch.linalg.eigh(2 * inputs.T @ inputs / 12)
    each = torch.stack([2 * (part @ vectors[:, -1]).square().mean() for part, _ in batches])
    assert found.sharpness == pytest.approx(float(values[-1]), rel=1e-10)
    assert found.noise == pytest.approx(float(each.var(correction=0) / values[-1] ** 2), rel=1e-6)
