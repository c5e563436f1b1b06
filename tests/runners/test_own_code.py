"""What a study's own code raises in mid-run ends a sweep or a grid at once: another try would end alike."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import tautune
from tautune.records.errors import RunFailed

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray")]


def loss_that_breaks(after: int, breaks: Callable[[], object]) -> Callable[[Tensor, Tensor], Tensor]:
    calls = 0

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls > after:
            breaks()
        return nn.functional.mse_loss(outputs, targets)

    return loss


def exits() -> None:
    sys.exit("enough")


def raises() -> None:
    raise RuntimeError("enough")


def study(after: int, breaks: Callable[[], object]) -> tautune.StabilityStudy:
    inputs = torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return tautune.StabilityStudy(
        name="breaks",
        data=lambda: (inputs, inputs.sum(dim=1, keepdim=True)),
        model=lambda: nn.Linear(3, 1),
        loss=loss_that_breaks(after, breaks),
    )


@pytest.mark.parametrize(("breaks", "kind"), [(exits, "SystemExit"), (raises, "RuntimeError")])
@pytest.mark.parametrize(("after", "where"), [(30, "the training to the minimum"), (400, r"the trial of delay \d")])
def test_a_sweep_ends(after: int, where: str, breaks: Callable[[], object], kind: str, tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match=f"^{where} failed: {kind}: enough .traceback in "):
        tautune.sweep(study(after, breaks), delays=[0, 4], output=tmp_path / "out")
    assert "in exits" in (text := (tmp_path / "out" / "error.txt").read_text()) or "in raises" in text


def test_a_grid_ends(tmp_path: Path) -> None:  # also where both points train together, with 400 calls
    with pytest.raises(RunFailed, match="^a training failed: RuntimeError: enough .traceback in "):
        tautune.grid(study(300, raises), delays=[0], learning_rates=[0.01, 0.1], steps=400, output=tmp_path / "out")
    assert "in raises" in (tmp_path / "out" / "error.txt").read_text()
