"""Finished trials that are trained further: as if they had been asked to train so long at once."""

import json
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ray import tune

from tautune import LoopStudy
from tautune._tune import tune as tautune_tune
from tautune._tuned import extend, refit, resume
from tautune.records.errors import InputError, Interrupted
from tautune.records.journal import Event
from tautune.runners.folding import Folding
from tautune.runners.longer import choose_longer
from tautune.runners.trials import Trials
from tautune.runners.tuning_checks import Options, check_more
from tautune.runners.tuning_job import make_tuning
from tautune.runners.tuning_journal import has_unfinished
from tautune.runners.tuning_listener import TuningListener
from tautune.search_spaces.tuning_study import TuningStudy
from tests.runners.test_replay import killed
from tests.runners.test_trials import begin, result
from tests.runners.tunings import SMALL, rows_of, run, trajectories


def reported(accuracy: float, epochs: int, **more: Any) -> Event:
    return result(accuracy, 0.1, epochs, **{"finished": 0} | more)


def events(config: dict[str, Any], epochs: int = 3, **last: Any) -> Iterator[Event]:
    """Yields the events of a trial that ends after some epochs."""
    yield {"begin": "a", "number": 1, "experiment": "trials", "config": config}
    for epoch in range(1, epochs + 1):
        own = {"finished": 1} | last if epoch == epochs else {}
        yield {"result": "a", "reported": reported(epoch / 10, epoch, **own), "hyperparameters": config}
    yield {"end": "a", "told": None, "error": False}


def test_a_lengthened_trial_is_unfinished_until_it_ends_again(tmp_path: Path) -> None:
    first = list(events({"units": 8}))
    assert not has_unfinished(first)
    longer: Event = {"longer": "a", "by": 2, "experiment": "trials-2"}
    assert has_unfinished([*first, longer])
    assert not has_unfinished([*first, longer, first[-1]])
    folding = Folding(begin(tmp_path))
    for event in (*first, longer, longer):
        folding.apply(event)
    assert [event["experiment"] for event in folding.unfinished] == ["trials-2"]
    assert folding.longer == {"a": 4}
    row = folding.trials.rows["a"]
    assert (row["state"], row["epochs"], row["validation_accuracy"]) == ("running", 3, 0.3)


@pytest.mark.parametrize("bad", [{"diverged": 1, "diverged_step": 70}, {"failed": 1, "failure": "ValueError: no"}])
def test_what_a_trial_had_reached_is_not_lost_where_it_diverges_or_fails_then(
    bad: dict[str, Any], tmp_path: Path
) -> None:
    folding = Folding(begin(tmp_path))
    for event in (*events({"units": 8}), {"longer": "a", "by": 9, "experiment": "trials-2"}):
        folding.apply(event)
    folding.apply({"result": "a", "reported": reported(0.0, 4, finished=1, **bad)})
    folding.apply({"end": "a", "told": None, "error": False})
    row = folding.trials.rows["a"]
    assert (row["state"], row["epochs"], row["epochs_trained"], row["validation_accuracy"]) == ("finished", 3, 4, 0.3)
    assert folding.trials.best() == row
    with pytest.raises(InputError, match="trial 01 stays as it is: it diverged or failed when it was trained longer"):
        choose_longer(tuning(), tmp_path, [*events({"units": 8}), *again(bad)], 5)


def again(bad: dict[str, Any]) -> Iterator[Event]:
    yield {"longer": "a", "by": 9, "experiment": "trials-2"}
    yield {"result": "a", "reported": reported(0.0, 4, finished=1, **bad)}
    yield {"end": "a", "told": None, "error": False}


def tuning(**options: Any) -> Any:
    whole = {"name": "s", "description": "", "data": "digits", "model": "mlp", "space": {"units": tune.choice([8, 16])}}
    return make_tuning(TuningStudy(**whole | options), Options(max_epochs=3, search="random", scheduler="none"))


def test_what_cannot_go_on_is_named_with_its_reason(tmp_path: Path) -> None:
    cosine = tuning(space={"units": tune.choice([8]), "schedule": "cosine"})
    for study, told, message in (
        (tuning(), events({"units": 8}, 2), "its patience ended after 2 epochs"),
        (cosine, events({"units": 8, "schedule": "cosine"}), "its learning-rate schedule is laid out over its epochs"),
        (tuning(), events({"units": 8}, finished=0), "none has finished"),
        (replace(tuning(), scheduler="pbt", study=mutable()), events({"units": 8}), "a population made it"),
    ):
        with pytest.raises(InputError, match=f"has no trial that can train longer: .*{message}"):
            choose_longer(study, tmp_path, told, 5)
    longer = choose_longer(tuning(), tmp_path, events({"units": 8}), 5)
    assert longer.trials == ("a",)
    assert longer.notes == ("trial 01 trains epochs 1 to 3 once more first: its last checkpoint is none",)


def mutable() -> TuningStudy:
    space = {"learning_rate": tune.uniform(0.1, 0.2)}
    return TuningStudy(name="s", description="", data="digits", model="mlp", space=space)


def endless(config: dict[str, Any]) -> None:
    """A loop that goes on for as long as it may; half of them end by themselves."""
    loss = 10.0
    for step in range(1000 if config["kind"] == "long" else 2):
        loss *= config["factor"]
        tune.report({"loss": loss, "step": step})


ENDLESS = LoopStudy(
    name="endless",
    description="",
    train=endless,
    space={"factor": tune.choice([0.5, 0.8]), "kind": tune.choice(["long", "short"])},
    metric="loss",
    mode="min",
    max_reports=3,
    search="grid",
    scheduler="none",
)


@pytest.mark.parametrize(("trials", "longer"), [(None, None), (3, 3)])
def test_an_extension_is_by_trials_or_by_epochs(trials: int | None, longer: int | None) -> None:
    with pytest.raises(InputError, match="extend needs either trials"):
        check_more(trials, longer)
    with pytest.raises(InputError, match="longer must be an integer of at least 1, not 0"):
        check_more(None, 0)


class Stopping(TuningListener):
    """Stops a run as Ctrl-C does, just before the first trial."""

    def run_began(self, trials: Trials, varying: Sequence[str]) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # Tune leaves its own behind
        signal.raise_signal(signal.SIGINT)


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_classifier_that_trains_longer_ends_as_if_it_had_been_asked_to_at_once(tmp_path: Path) -> None:
    folder, whole = tmp_path / "out", tmp_path / "whole"
    run(SMALL, "random", "none", folder, trials=2, max_epochs=2, concurrent=1)
    with pytest.raises(Interrupted, match=f"`tautune resume {folder}` goes on with it"):
        extend(folder, longer=3, study=SMALL, progress=Stopping())
    result = resume(folder, study=SMALL)
    run(SMALL, "random", "none", whole, trials=2, max_epochs=5, concurrent=1)
    assert trajectories(rows_of(folder)) == trajectories(rows_of(whole))
    assert result.best["epochs"] > 2
    assert refit(folder, study=SMALL)["epochs"] == result.best["epochs"]
    for moment in (14, 17):  # the second trial has trained one epoch more, and the first one as well
        cut = killed(folder, tmp_path / f"{moment}", moment)
        resume(cut, study=SMALL)
        assert trajectories(rows_of(cut)) == trajectories(rows_of(folder))
    more = extend(folder, 1, study=SMALL)  # of the first length
    assert sorted(more.trials["epochs_trained"]) == [2, 5, 5]


@pytest.mark.process
@pytest.mark.usefixtures("local_ray")
def test_a_loop_trains_longer_unless_it_ends_by_itself(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    tautune_tune(ENDLESS, output=folder)
    assert sorted(row["epochs_trained"] for row in rows_of(folder)) == ["2", "2", "3", "3"]
    extend(folder, longer=4, study=ENDLESS)
    for row in rows_of(folder):
        reports = 7 if row["config/kind"] == "long" else 2
        assert (row["epochs_trained"], row["state"]) == (str(reports), "finished")
        assert float(row["loss"]) == pytest.approx(10 * float(row["config/factor"]) ** reports)
    assert len(rows_of(folder)) == 4
    last = json.loads((folder / "run.json").read_text())["runs"][-1]
    assert last["longer"] == 4
    assert "finished" in last
