"""A process that dies again and again is one trial's result, and ends a sweep; the memory monitor is played by hand."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import ray
import torch
from ray import tune
from torch import Tensor, nn

import tautune
from tautune import LoopStudy
from tautune._tuning_result import TuningResult
from tautune.cluster.session.session import RETRIES
from tautune.records.errors import RunFailed
from tautune.runners.giving_up import TRIES, FailedTrial, GivingUp
from tautune.runners.loop_refit import answer_of
from tautune.trainables.continuing import CONTINUES


def is_killed(config: dict[str, Any]) -> None:
    for step in range(3):
        if step == config["dies_at"]:
            os.kill(os.getpid(), signal.SIGKILL)
        tune.report({"loss": config["dies_at"] + step})


class Killed(tune.Trainable):
    """A class that names its attributes as it likes, also as we might."""

    def setup(self, config: dict[str, Any]) -> None:
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.config, self.reports, self.last, self.start, self.study = new_config, 0, "text", True, None
        if self.config["dies_at"] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return True

    def _next(self) -> int:
        self.reports += 1
        return self.reports

    def step(self) -> dict[str, Any]:
        if self._next() == self.config["dies_at"]:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"loss": self.config["dies_at"] + self.reports, "done": self.reports == 3}


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("loop", [is_killed, Killed])
def test_a_killed_process_is_a_failed_trial(loop: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = LoopStudy(
        name="killed",
        description="",
        train=loop,
        space={"dies_at": tune.choice([2, 0, 10, 11])},
        metric="loss",
        mode="min",
    )
    with pytest.raises(RunFailed, match="^ProcessLost: its process died 3 times .*\ntautune: 2 of 4 trials failed"):
        tautune.tune(study, search="grid", scheduler="none", concurrent=1, output=tmp_path / "out")
    result = tautune.load(tmp_path / "out")
    assert isinstance(result, TuningResult)
    states = result.trials.set_index("config/dies_at")["state"].to_dict()
    assert states == {0: "failed", 2: "failed", 10: "finished", 11: "finished"}
    assert result.best["config"]["dies_at"] == 10
    assert "raylet" not in capsys.readouterr().out  # which must stay JSON where that was asked for


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_sweep_ends_in_one_line(tmp_path: Path) -> None:
    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        if os.getpid() != driver:
            os.kill(os.getpid(), signal.SIGKILL)
        return nn.functional.mse_loss(outputs, targets)

    driver = os.getpid()
    inputs = torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    study = tautune.StabilityStudy(
        name="killed", data=lambda: (inputs, inputs.sum(dim=1, keepdim=True)), model=lambda: nn.Linear(3, 1), loss=loss
    )
    with pytest.raises(RunFailed, match=r"^the training to the minimum failed: ProcessLost: its process died 3 times"):
        tautune.sweep(study, delays=[0], output=tmp_path / "out")


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_the_refit_of_a_loop_is_tried_three_times_and_not_for_ever(tmp_path: Path) -> None:
    def dies() -> None:
        with (tmp_path / "tries").open("a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(RunFailed, match="^the refit failed: ProcessLost: its process died 3 times"):
        answer_of(ray.remote(max_retries=0)(dies))
    assert (tmp_path / "tries").read_text() == "xxx"


class Tried:
    """What the callback sees of a trial of Ray Tune's."""

    def __init__(self, folder: Path) -> None:
        self.trial_id, self.local_path, self.error_file = "a", str(folder / "07"), str(folder / "error.txt")
        self.config: dict[str, Any] = {"rate": 1}
        self.last_result: dict[str, Any] = {}
        self.num_failures = 0

    def dies(self, callback: GivingUp, message: str) -> None:
        self.num_failures += 1
        with Path(self.error_file).open("a") as file:
            file.write(f"Failure # {self.num_failures} (occurred at noon)\n{message}\n")
        callback.on_trial_recover(0, [], self)

    def set_config(self, config: dict[str, Any]) -> None:
        self.config = config


def test_a_trial_that_comes_further_is_tried_again_and_so_is_one_whose_host_is_lost(tmp_path: Path) -> None:
    trial, callback = Tried(tmp_path), FailedTrial()
    for report in (1, 2):
        for _ in range(TRIES - 1):
            trial.dies(callback, "The actor died unexpectedly before finishing this task.")
        callback.on_trial_result(0, [], trial, {"training_iteration": report})
    for _ in range(TRIES):
        trial.dies(callback, "The actor died because its node has died. Node Id: 1")
    assert trial.config == {"rate": 1}


def test_what_is_short_of_memory_says_so_and_ends_the_run_if_it_cannot_even_say_so(tmp_path: Path) -> None:
    trial, callback = Tried(tmp_path), FailedTrial()
    trial.config[CONTINUES] = {"checkpoint": "folder", "epochs": 4, "longer": 2}
    trial.last_result = {"epochs": 5}
    message = "Task was killed due to the node running low on memory.\nMemory on the node was 22.1GB / 23.0GB"
    for _ in range(TRIES):
        trial.dies(callback, message)
    failure = trial.config[CONTINUES].pop("failure")
    assert failure.startswith("OutOfMemory: Ray ended its process 3 times")
    assert trial.config == {"rate": 1, CONTINUES: {"checkpoint": "folder", "epochs": 5, "longer": 2}}
    for _ in range(RETRIES - TRIES - 1):
        trial.dies(callback, message)
    with pytest.raises(RunFailed, match="^trial 07 failed: OutOfMemory: Ray ended its process 10 times"):
        trial.dies(callback, message)


def test_an_error_that_is_none_of_these_is_told_as_it_is(tmp_path: Path) -> None:
    trial, callback = Tried(tmp_path), GivingUp(lambda trial: "the refit")
    for _ in range(TRIES - 1):
        trial.dies(callback, "Traceback:\nOSError: the disk is gone")
    with pytest.raises(RunFailed, match="^the refit failed: OSError: the disk is gone$"):
        trial.dies(callback, "Traceback:\nOSError: the disk is gone")
