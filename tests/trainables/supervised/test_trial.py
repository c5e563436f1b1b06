"""The tuner's trainable, in this process, without Ray's."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tautune.search_spaces import digits_mlp
from tautune.trainables.supervised import datasets
from tautune.trainables.supervised import trial as supervised
from tautune.trainables.supervised.models import mlp
from tautune.trainables.supervised.sources import Numbered
from tautune.trainables.supervised.splits import splits
from tautune.trainables.supervised.trial import DIVERGED_VALIDATION_LOSS, SupervisedTrial

TRAIN = datasets.load("digits").train


def make_trial(config: dict[str, Any], model: Any = "mlp", folds: int = 1, **changes: Any) -> SupervisedTrial:
    found = splits(TRAIN.targets, share=0.2, folds=folds)
    shared: dict[str, Any] = {
        "study": replace(digits_mlp.STUDY, model=model, space=config),
        "pixels": TRAIN.pixels.numpy(),
        "targets": TRAIN.targets.numpy(),
        "splits": [(training.numpy(), validation.numpy()) for training, validation in found],
        "classes": 10,
        "max_epochs": 3,
        "device": "cpu",
        "seed": 0,
        "threads": 1,
    }
    trial = SupervisedTrial.__new__(SupervisedTrial)
    trial.setup(config, **shared | changes)
    return trial


def measured(result: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in result.items() if k not in ("epoch_seconds", "examples_per_second")}


def run(trial: SupervisedTrial) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    while not results or not results[-1]["done"]:
        results.append(measured(trial.step()))
    return results


def test_a_trial_that_was_reset_is_as_good_as_new() -> None:
    config = {"learning_rate": 0.1, "units": 64, "batch_norm": True, "optimizer": "adam", "delay": 3}
    used = make_trial(config)
    used.step()
    config.clear()
    config |= {"learning_rate": 0.01, "units": 16, "dropout": 0.2}
    used.reset_config(config)
    assert run(used) == run(make_trial(config))


@pytest.mark.parametrize("folds", [1, 3])
def test_a_trial_continues_bit_for_bit_from_its_checkpoint(folds: int, tmp_path: Path) -> None:
    config = {"learning_rate": 0.01, "units": 16, "dropout": 0.5, "optimizer": "nesterov", "delay": 4}
    whole = make_trial(config | {"schedule": "cosine", "shift": 1}, folds=folds)
    whole.step()
    whole.save_checkpoint(str(tmp_path))
    torch.manual_seed(99)
    resumed = make_trial(config | {"schedule": "cosine", "shift": 1}, folds=folds)
    resumed.load_checkpoint(str(tmp_path))
    continued = measured(resumed.step())
    whole.load_checkpoint(str(tmp_path))  # torch's generator, which draws dropout, belongs to the process
    assert continued == measured(whole.step())


def test_another_trials_checkpoint_keeps_this_trials_learning_rate(tmp_path: Path) -> None:
    """Population-based training copies the weights, not the hyperparameters."""
    donor, heir = make_trial({"learning_rate": 0.01}), make_trial({"learning_rate": 0.002, "momentum": 0.5})
    donor.step()
    donor.save_checkpoint(str(tmp_path))
    heir.load_checkpoint(str(tmp_path))
    (group,) = heir.trainings[0].optimizer.param_groups
    assert group["lr"] == 0.002
    assert group["betas"] == (0.5, 0.999)
    history = heir.step()["history"]
    assert [(entry["epoch"], entry["learning_rate"], entry["momentum"]) for entry in history] == [
        (0, 0.01, 0.9),
        (1, 0.002, 0.5),
    ]


def test_a_history_is_followed_when_it_is_replayed(tmp_path: Path) -> None:
    """What refitting does after population-based training: the same weights to the last bit."""
    first, second = {"learning_rate": 0.1, "momentum": 0.5}, {"learning_rate": 0.01, "momentum": 0.9}
    fixed = {"optimizer": "nesterov", "batch_size": 32}
    donor, heir = make_trial(fixed | first), make_trial(fixed | second)
    donor.step()
    donor.save_checkpoint(str(tmp_path))
    heir.load_checkpoint(str(tmp_path))
    history = heir.step()["history"]
    replayed = make_trial(fixed | second, replay=history)
    replayed.step()
    replayed.save_checkpoint(str(tmp_path))
    replayed = make_trial(fixed | second, replay=history)  # as after a refit that was stopped
    replayed.load_checkpoint(str(tmp_path))
    assert replayed.step()["history"] == history
    pairs = zip(heir.trainings[0].model.parameters(), replayed.trainings[0].model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_folds_report_the_mean_of_separate_trainings() -> None:
    config = {"units": 16, "learning_rate": 0.01}
    together = make_trial(config, folds=3)
    result = together.step()
    alone = []
    for number, (training, validation) in enumerate(splits(TRAIN.targets, share=0.2, folds=3)):
        one = make_trial(config, splits=[(training.numpy(), validation.numpy())], seed=number)
        alone.append(one.step()["validation_accuracy"])
    assert result["validation_accuracy"] == pytest.approx(sum(alone) / 3)
    assert result["validation_accuracy_deviation"] == pytest.approx(float(torch.tensor(alone).std(correction=0)))
    means = {float(training.normalize.mean) for training in together.trainings}
    assert len(means) == 3  # each of its own training images


def test_a_diverged_trial_ends_with_a_finite_penalty() -> None:
    (result,) = run(make_trial({"optimizer": "sgd", "learning_rate": 1e7}))
    assert (result["diverged"], result["failed"], result["finished"]) == (1, 0, 1)
    assert (result["validation_loss"], result["validation_accuracy"]) == (DIVERGED_VALIDATION_LOSS, 0)
    assert result["diverged_step"] > 0
    assert all(math.isfinite(value) for value in result.values() if isinstance(value, float))


def test_early_stopping_waits_for_its_patience() -> None:
    config = {"optimizer": "sgd", "learning_rate": 1e-12, "patience": 2, "batch_norm": False}
    results = run(make_trial(config | {"l2": 0.0}, max_epochs=50))
    lowest = min(range(len(results)), key=lambda i: results[i]["validation_loss"])
    assert len(results) == lowest + 3 < 50


def test_epochs_may_be_a_hyperparameter_and_the_schedule_ends_with_them() -> None:
    results = run(make_trial({"epochs": 2, "schedule": "linear", "learning_rate": 0.01}, max_epochs=5))
    assert len(results) == 2
    assert results[-1]["learning_rate"] < 0.001


def test_checkpoints_are_asked_for_by_the_seconds_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = make_trial({})
    assert not trial.step()["should_checkpoint"]
    monkeypatch.setattr(supervised, "CHECKPOINT_SECONDS", trial.since_checkpoint)
    assert trial.step()["should_checkpoint"]
    trial.save_checkpoint(str(tmp_path))
    assert trial.since_checkpoint == 0


def test_a_model_that_raises_is_a_failed_result_with_its_traceback() -> None:
    def broken(shape: tuple[int, ...], classes: int) -> nn.Module:
        raise ZeroDivisionError("mine")

    (result,) = run(make_trial({}, model=broken))
    assert (result["failed"], result["done"], result["validation_accuracy"]) == (1, True, 0)
    assert result["failure"].rstrip().endswith("ZeroDivisionError: mine")


@pytest.mark.parametrize("error", [RuntimeError("enough"), SystemExit("enough")])
def test_a_model_that_raises_while_it_trains_is_one_too(error: BaseException) -> None:
    class Third(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.calls = mlp((1, 8, 8), 10), 0

        def forward(self, inputs: Tensor) -> Tensor:
            self.calls += 1
            if self.calls > 30:
                raise error
            out: Tensor = self.inner(inputs)
            return out

    results = run(make_trial({}, model=lambda shape, classes: Third()))
    assert results[-1]["failed"] == 1
    assert "enough" in results[-1]["failure"]


def test_a_replay_changes_when_the_history_does(tmp_path: Path) -> None:
    history = [{"epoch": 0, "learning_rate": 0.1}, {"epoch": 2, "learning_rate": 0.001}]
    history = [entry | {"momentum": 0.5, "l1": 0.0, "l2": 0.0, "batch_size": 32} for entry in history]
    trial = make_trial({"optimizer": "momentum"}, replay=history)
    trial.step()
    trial.save_checkpoint(str(tmp_path))
    resumed = make_trial({"optimizer": "momentum"}, replay=history)
    resumed.load_checkpoint(str(tmp_path))
    assert [resumed.step()["learning_rate"] for _ in range(2)] == [0.1, 0.001]


def test_trials_share_the_pixels_they_are_given() -> None:
    trial = make_trial({})
    trial.step()
    assert trial.examples.pixels.data_ptr() == TRAIN.pixels.data_ptr()
    (source,) = (training.source for training in trial.trainings)
    assert isinstance(source, Numbered)
    assert source.examples is trial.examples


def test_a_users_network_is_given_contiguous_images_of_several_channels() -> None:
    class Viewing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4 * 64, 10)

        def forward(self, images: Tensor) -> Tensor:
            assert images.view(len(images), -1).shape == (len(images), 3 * 64)
            logits: Tensor = self.last(self.convolution(images).view(len(images), -1))
            return logits

    colored = TRAIN.pixels.expand(-1, 3, -1, -1).contiguous().numpy()
    trial = make_trial({"learning_rate": 0.01}, model=lambda shape, classes: Viewing(), pixels=colored)
    assert trial.step()["failure"] == ""


class Words(nn.Module):
    """The mean of the embeddings of a sentence's tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.last = nn.Embedding(50, 16), nn.Linear(16, 10)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.last(self.embedding(tokens.long()).mean(dim=1))
        return logits


def test_tokens_reach_the_model_as_they_are(tmp_path: Path) -> None:
    """A float of each number, standardized, is -1, 0 or 1 as a token: that was at chance, a tenth."""
    classes = TRAIN.targets
    order = torch.Generator().manual_seed(0)
    tokens = torch.cat([torch.randint(10, 50, (len(classes), 4), generator=order), classes.unsqueeze(1)], dim=1)
    config = {"learning_rate": 0.05, "batch_size": 32}
    trial = make_trial(config, model=lambda shape, classes: Words(), pixels=tokens.numpy())
    assert run(trial)[-1]["validation_accuracy"] > 0.9
    trial.save_checkpoint(str(tmp_path))
    resumed = make_trial(config, model=lambda shape, classes: Words(), pixels=tokens.numpy())
    resumed.load_checkpoint(str(tmp_path))
    assert resumed.trainings[0].validate() == trial.trainings[0].validate()
    shared = trial.shared | {"study": replace(trial.shared["study"], normalize=False), "pixels": tokens.float().numpy()}
    as_numbers = make_trial(config, **shared)
    assert as_numbers.step()["failure"] == ""
    assert as_numbers.trainings[0].normalize.mean.numel() == 0
