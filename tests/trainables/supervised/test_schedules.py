from typing import Any

import pytest
import torch

from tautune.trainables.supervised.schedules import SCHEDULES, factor


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_starts_at_one_and_never_rises(name: str) -> None:
    values = [factor(name, step / 100) for step in range(101)]
    assert values[0] == 1
    assert all(0 <= after <= before for before, after in zip(values, values[1:], strict=False))


def test_against_torchs_schedulers() -> None:
    steps = 40
    theirs: dict[str, Any] = {
        "cosine": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, steps),
        "linear": lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.0, steps),
        "step": lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [steps // 2, steps * 3 // 4]),
    }
    for name, make in theirs.items():
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
        scheduler = make(optimizer)
        for step in range(steps):
            assert factor(name, step / steps) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
            optimizer.step()
            scheduler.step()


def test_warm_up_rises_from_nothing_and_leaves_the_rest_to_the_schedule() -> None:
    assert factor("cosine", 0.0, warmup=0.2) == 0
    assert factor("cosine", 0.1, warmup=0.2) == 0.5
    assert factor("cosine", 0.2, warmup=0.2) == 1
    assert factor("cosine", 0.6, warmup=0.2) == pytest.approx(0.5)
    assert factor("cosine", 0.0, warmup=0.2, step=0.05) == 0.25  # the first of twenty steps is not lost
    assert factor("constant", 0.0, warmup=0.2, step=1.0) == 1
