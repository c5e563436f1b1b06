"""The Hugging Face example: the Trainer steps the gradient queue as a plain loop does, and its model is tuned."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import tautune
from tautune.search_spaces import find_tuning

pytest.importorskip("transformers")
pytest.importorskip("accelerate")
EXAMPLE = Path(__file__).parents[2] / "examples/huggingface_loop.py"
CONFIG = {"learning_rate": 0.003, "width": 8}


def example() -> Any:
    study = find_tuning(str(EXAMPLE))
    assert isinstance(study, tautune.LoopStudy)
    return sys.modules[study.train.__module__]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("delay", [0, 4])
def test_the_trainer_trains_as_a_plain_loop(delay: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trainer, plain = (example().trainer(CONFIG | {"delay": delay}, epochs=1) for _ in range(2))
    trainer.args.save_strategy = trainer.args.eval_strategy = "no"
    batches: list[dict[str, Any]] = []
    rates: list[float] = []
    trainer.model.register_forward_pre_hook(lambda _, __, batch: batches.append(batch), with_kwargs=True)
    trainer.optimizer.register_step_pre_hook(lambda o, _, __: rates.append(o.param_groups[0]["lr"]))
    trainer.train()

    for batch, rate in zip(batches, rates, strict=True):
        plain.optimizer.param_groups[0]["lr"] = rate
        plain.model(**batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(plain.model.parameters(), trainer.args.max_grad_norm)
        plain.optimizer.step()
        plain.optimizer.zero_grad()
    pairs = zip(plain.model.parameters(), trainer.model.parameters(), strict=True)
    assert len(rates) == 45
    assert all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.process
@pytest.mark.usefixtures("local_ray")
def test_the_example_is_tuned(tmp_path: Path) -> None:
    study = find_tuning(str(EXAMPLE))
    result = tautune.tune(study, trials=2, max_epochs=3, scheduler="none", output=tmp_path / "out")
    assert set(result.trials["state"]) == {"finished"}
    assert result.best["loss"] < 2.2
