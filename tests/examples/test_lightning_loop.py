"""The Lightning example: Lightning steps the gradient queue as a plain loop does, and its module is tuned."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import tautune
from tautune.search_spaces import find_tuning

pl = pytest.importorskip("pytorch_lightning")
EXAMPLE = Path(__file__).parents[2] / "examples/lightning_loop.py"
EPOCHS = 3


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("delay", [0, 4])
def test_lightning_trains_as_a_plain_loop(delay: int) -> None:
    study = find_tuning(str(EXAMPLE))
    assert isinstance(study, tautune.LoopStudy)
    example: Any = sys.modules[study.train.__module__]
    config = {"learning_rate": 0.01, "width": 8, "delay": delay}
    data = torch.utils.data.TensorDataset(torch.rand(100, 64), torch.randint(10, (100,)))

    def module() -> Any:
        torch.manual_seed(0)
        return example.Digits(config)

    plain = module()
    optimizer = plain.configure_optimizers()
    for _ in range(EPOCHS):
        for batch in torch.utils.data.DataLoader(data, 20):
            optimizer.zero_grad()
            plain.training_step(batch).backward()
            optimizer.step()
    lightning = module()
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    pl.Trainer(max_epochs=EPOCHS, enable_model_summary=False, limit_val_batches=0, accelerator="cpu", **quiet).fit(
        lightning, torch.utils.data.DataLoader(data, 20)
    )
    pairs = zip(plain.parameters(), lightning.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.process
@pytest.mark.usefixtures("local_ray")
def test_the_example_is_tuned(tmp_path: Path) -> None:
    study = find_tuning(str(EXAMPLE))
    result = tautune.tune(study, trials=2, max_epochs=3, scheduler="none", output=tmp_path / "out")
    assert set(result.trials["state"]) == {"finished"}
    assert result.best["accuracy"] > 0.3
