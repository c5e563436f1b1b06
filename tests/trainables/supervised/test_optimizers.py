"""The optimizers that come from a library, against their equations and torch's own."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tautune.trainables.supervised.hyperparameters import TrainingConfig
from tautune.trainables.supervised.optimizers import make_optimizer


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 3)).double()


def backward(model: nn.Module, t: int) -> None:
    generator = torch.Generator().manual_seed(t)
    inputs = torch.randn(8, 6, dtype=torch.float64, generator=generator)
    model.zero_grad()
    cross_entropy(model(inputs), torch.randint(3, (8,), generator=generator)).backward()


def trained(name: str, steps: int = 10) -> list[Tensor]:
    model = network()
    optimizer = make_optimizer(model.parameters(), TrainingConfig(optimizer=name, learning_rate=0.02, momentum=0.8))
    for t in range(steps):
        backward(model, t)
        optimizer.step()
    return [p.detach() for p in model.parameters()]


def test_lion_agrees_with_its_equations() -> None:
    """Chen et al. (arXiv 2302.06675): the sign of an interpolation, and an average that moves at another pace."""
    twin = network()
    averages = [torch.zeros_like(p) for p in twin.parameters()]
    for t in range(10):
        backward(twin, t)
        with torch.no_grad():
            for p, m in zip(twin.parameters(), averages, strict=True):
                assert p.grad is not None
                p.sub_(0.02 * torch.sign(0.8 * m + 0.2 * p.grad))
                m.copy_(0.99 * m + 0.01 * p.grad)
    torch.testing.assert_close(trained("lion"), [p.detach() for p in twin.parameters()], rtol=0, atol=1e-12)


def test_muon_moves_hidden_weights_as_torchs_muon_does_and_the_rest_as_adamw() -> None:
    twin = network()
    parameters = list(twin.parameters())
    hidden = [p for name, p in twin.named_parameters() if name == "2.weight"]
    rest = [p for p in parameters if all(p is not weight for weight in hidden)]
    muon = torch.optim.Muon(hidden, 0.02, momentum=0.8, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    adamw = torch.optim.AdamW(rest, 0.02, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.0)
    for t in range(3):
        backward(twin, t)
        muon.step()
        adamw.step()
    for ours, p in zip(trained("muon", 3), parameters, strict=True):
        # both orthogonalize in bfloat16, which has three digits
        torch.testing.assert_close(ours, p.detach(), rtol=0, atol=2e-3 if p.ndim > 1 else 1e-3)


def test_nadam_is_torchs() -> None:
    twin = network()
    optimizer = torch.optim.NAdam(twin.parameters(), 0.02, betas=(0.8, 0.999))
    for t in range(10):
        backward(twin, t)
        optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(trained("nadam"), twin.parameters(), strict=True))
