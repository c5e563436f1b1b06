"""The Hugging Face example: the Trainer steps the queue as a plain loop does, is watched, and its model is tuned."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import tautune
from tautune import StabilityMonitor
from tautune.search_spaces import find_tuning

transformers = pytest.importorskip("transformers")
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


class Watch(transformers.TrainerCallback):  # type: ignore[name-defined]
    """As docs/probe.md says it."""

    def on_train_begin(self, *_: Any, model: Any, optimizer: Any, train_dataloader: Any, **__: Any) -> None:
        batch = next(iter(train_dataloader))
        self.monitor = StabilityMonitor(model, self.loss, batch, optimizer, every=5).attach()
        self.probed: list[float | None] = []

    def on_pre_optimizer_step(self, *_: Any, optimizer: Any, **__: Any) -> None:
        if self.monitor.time in {5, 10}:  # before step 6, or 11
            found = tautune.probe(self.monitor.model, self.loss, self.monitor.batches, optimizer=optimizer)
            self.probed.append(found.margin)

    @staticmethod
    def loss(outputs: Any, _: Any) -> torch.Tensor:
        loss: torch.Tensor = outputs.loss
        return loss


@pytest.mark.usefixtures("one_thread")
@pytest.mark.filterwarnings("ignore::tautune.StabilityWarning")
@pytest.mark.parametrize("options", [{}, {"gradient_accumulation_steps": 4}, {"bf16": True}])
def test_the_trainer_is_watched_by_a_callback(options: dict[str, Any], tmp_path: Path) -> None:
    made, watch = example().trainer(CONFIG | {"delay": 2}, epochs=1), Watch()
    arguments = transformers.TrainingArguments(
        str(tmp_path), max_steps=11, per_device_train_batch_size=32, lr_scheduler_type="constant", use_cpu=True,
        save_strategy="no", report_to=[], disable_tqdm=True, **options,
    )  # fmt: skip
    given = {"train_dataset": made.train_dataset, "optimizers": (made.optimizer, None), "callbacks": [watch]}
    transformers.Trainer(made.model, arguments, **given).train()
    seen = watch.monitor.history
    assert [one.step for one in seen] == [5, 10]  # the optimizer's steps; Adam's first one has no state
    assert [1 / one.edge_ratio for one in seen] == pytest.approx(watch.probed, rel=0.05)


@pytest.mark.process
@pytest.mark.usefixtures("local_ray")
def test_the_example_is_tuned(tmp_path: Path) -> None:
    study = find_tuning(str(EXAMPLE))
    result = tautune.tune(study, trials=2, max_epochs=3, scheduler="none", output=tmp_path / "out")
    assert set(result.trials["state"]) == {"finished"}
    assert result.best["loss"] < 2.2
