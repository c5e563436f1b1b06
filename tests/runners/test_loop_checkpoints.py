"""What loops keep: checkpoints of functions and classes, here and in a bucket, and going on from them."""

import json
import math
import random
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from ray import tune

import tautune
from tautune import LoopStudy
from tautune._tuned import refit, resume
from tautune.records.errors import InputError
from tautune.records.journal import read_journal
from tautune.runners.trial_callback import TrialCallback
from tautune.search_spaces import find_tuning
from tests import s3_server
from tests.runners.test_replay import killed
from tests.runners.tunings import rows_of, trajectories

pytestmark = [pytest.mark.process, pytest.mark.timeout(400), pytest.mark.usefixtures("local_ray")]
OWN_LOOP = Path(__file__).parents[2] / "examples/own_loop.py"


class Counting(tune.Trainable):
    """A class, as some users have it, with a checkpoint of the kind that Ray Tune pickles."""

    def setup(self, config: dict[str, Any]) -> None:
        self.rate, self.value = config["rate"], 0.0

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        self.value += self.rate
        return {"value": self.value}

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        return {"value": self.value}

    def load_checkpoint(self, checkpoint: Any) -> None:
        self.value = checkpoint["value"]


class Unpicklable(Counting):
    """One whose checkpoint cannot be written."""

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        return {"value": lambda: self.value, "lock": sys._getframe()}


COUNTING = LoopStudy(
    name="counting",
    description="",
    train=Counting,
    space={"rate": tune.uniform(0.0, 1.0)},
    metric="value",
    mode="max",
    trials=4,
    max_reports=20,
)


@pytest.mark.parametrize("scheduler", ["none", "pbt"])
def test_a_class_is_tuned_and_a_population_takes_over_its_checkpoints(scheduler: str, tmp_path: Path) -> None:
    result = tautune.tune(COUNTING, search="random", scheduler=scheduler, output=tmp_path / "out")
    rows = result.trials
    assert set(rows["state"]) == {"finished"}
    assert set(rows["epochs_trained"]) == {20}
    if scheduler == "none":
        assert rows["value"].to_list() == pytest.approx((20 * rows["config/rate"]).to_list())


class Unbuildable(Counting):
    """One that some configurations do not let begin."""

    def setup(self, config: dict[str, Any]) -> None:
        if config["rate"] > 0.5:
            raise ValueError("too fast")
        super().setup(config)


def test_a_class_that_raises_in_its_setup_is_a_failed_trial_and_the_others_go_on(tmp_path: Path) -> None:
    study = replace(COUNTING, train=Unbuildable, space={"rate": tune.choice([0.1, 0.9, 0.2, 0.8, 0.3])})
    with pytest.raises(tautune.RunFailed, match="2 of 5 trials failed"):
        tautune.tune(study, search="grid", scheduler="none", output=tmp_path / "out")
    rows = [json.loads(line) for line in (tmp_path / "out/trials.jsonl").read_text().splitlines()]
    assert {row["config"]["rate"]: row["state"] for row in rows} == {
        0.1: "finished",
        0.2: "finished",
        0.3: "finished",
        0.8: "failed",
        0.9: "failed",
    }


def from_a_checkpoint(config: dict[str, Any]) -> None:
    """Counts on from its checkpoint, and reports where it began."""
    last, begun = tune.get_checkpoint(), 0
    if last:
        with last.as_directory() as folder:
            begun = int((Path(folder) / "count").read_text())
    for count in range(begun + 1, 41):
        time.sleep(0.2)
        with TemporaryDirectory() as folder:
            (Path(folder) / "count").write_text(str(count))
            tune.report({"count": count, "begun": begun}, checkpoint=tune.Checkpoint.from_directory(folder))


def test_in_a_bucket_too_a_loop_goes_on_from_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = {"rate": tune.uniform(0.0, 1.0)}
    study = LoopStudy(
        name="counts", description="", train=from_a_checkpoint, space=space, metric="count", mode="max", max_reports=40
    )
    output = f"s3://{s3_server.BUCKET}/out"
    with s3_server.s3_server(tmp_path):
        enough = property(lambda callback: 0.0 if _reports(callback) > 5 else 1.0)
        with monkeypatch.context() as patch:
            patch.setattr(TrialCallback, "seconds_left", enough)
            tautune.tune(study, search="random", scheduler="none", trials=1, time_budget=300, output=output)
        resume(output, study=study, trust=True)
        (row,) = tautune.load(output).trials.to_dict("records")
    assert row["epochs_trained"] == row["epochs_run"] == 40  # no report twice
    assert row["begun"] > 5


def _reports(callback: TrialCallback) -> int:
    return max((row["epochs_trained"] for row in callback.trials.rows.values()), default=0)


def test_a_checkpoint_that_cannot_be_pickled_is_one_failed_trial(tmp_path: Path) -> None:
    study = replace(COUNTING, train=Unpicklable)
    with pytest.raises(tautune.RunFailed, match="trials failed"):
        tautune.tune(study, search="random", scheduler="pbt", output=tmp_path / "out")
    states = {json.loads(line)["state"] for line in (tmp_path / "out/trials.jsonl").read_text().splitlines()}
    assert "failed" in states


def test_an_interrupted_loop_ends_with_the_rows_of_the_unbroken_one(tmp_path: Path) -> None:
    """The example of a loop with a delay: the gradients under way are in its checkpoint."""
    study = find_tuning(str(OWN_LOOP))
    assert isinstance(study, LoopStudy)
    whole = tmp_path / "whole"
    tautune.tune(study, trials=5, max_epochs=9, concurrent=1, output=whole)
    expected = trajectories(rows_of(whole))
    for moment in random.Random(0).sample(range(1, len(read_journal(whole))), 2):
        folder = killed(whole, tmp_path / f"{moment}", moment)
        resume(folder, study=study)
        assert trajectories(rows_of(folder)) == expected, f"killed after {moment} events"
    with pytest.raises(InputError, match="does not say how"):
        refit(whole)
    told = replace(study, refit=lambda config, folder: {"test_error": config["learning_rate"]})
    assert refit(whole, study=told)["test_error"] > 0
    broken = replace(study, refit=lambda config, folder: {"test_error": math.nan})
    with pytest.raises(tautune.RunFailed, match="must return a dict of finite numbers"):
        refit(whole, study=broken, again=True)
