"""TensorBoard's view of a tuning, without Ray: what is written of each report, and what a run that goes on adds."""

import json
from pathlib import Path
from typing import Any

import pytest
from ray import tune
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from tautune.records.event_files import BOARD
from tautune.records.journal import Event
from tautune.records.storage import Folder
from tautune.runners.folding import Folding
from tautune.runners.trials import Trials
from tautune.runners.tuning_board import TuningBoard
from tautune.runners.tuning_verdict import after_the_last_trial
from tautune.search_spaces.space import as_text
from tautune.trainables.goal import ACCURACY, Goal
from tests.runners.boards import ages_shown
from tests.runners.test_trials import result

CONFIGURATION = {
    "study": "digits <mlp>",
    "space": {"units": as_text(tune.choice([8, 16])), "learning_rate": as_text(tune.loguniform(1e-3, 1))},
    "scheduler": "asha",
}
CONFIGS = ({"units": 8, "learning_rate": 0.1}, {"units": 16, "learning_rate": 0.01})
ACCURACIES = ((0.2, 0.9, 0.5), (0.4, 0.3, 0.95))


def events_of(trial: int) -> list[Event]:
    name, config = "ab"[trial], CONFIGS[trial]
    begin: Event = {"begin": name, "number": trial + 1, "experiment": "trials", "config": config}
    results: list[Event] = [
        {"result": name, "reported": result(accuracy, 1 - accuracy, epoch), "hyperparameters": config}
        for epoch, accuracy in enumerate(ACCURACIES[trial], start=1)
    ]
    return [begin, *results, {"end": name, "told": None, "error": False}]


def replayed(folder: Folder, events: list[Event], goal: Goal = ACCURACY) -> tuple[TuningBoard, Trials]:
    """Returns the board and the table of a process that found these events in the journal."""
    board, trials = TuningBoard(folder, CONFIGURATION, goal), Trials(folder, [], total=2, goal=goal)
    board.begin(trials)
    folding = Folding(trials, board)
    for event in events:
        folding.apply(event)
    return board, trials


def steps_of(folder: Path, name: str, tag: str = "1 validation/accuracy") -> list[tuple[int, float]]:
    points = EventAccumulator(str(folder / BOARD / name)).Reload().Scalars(tag)
    return [(point.step, round(point.value, 6)) for point in points]


NAMES = ("01 η=0.1 units=8", "02 η=1e-2 units=16")


def test_names_tags_and_their_order(tmp_path: Path) -> None:
    board, trials = replayed(tmp_path, [*events_of(0), *events_of(1)])
    board.close(trials)
    assert sorted(place.name for place in (tmp_path / BOARD).iterdir()) == [*NAMES, "study"]
    tags = EventAccumulator(str(tmp_path / BOARD / NAMES[0])).Reload().Tags()["scalars"]
    assert sorted(tags)[:2] == ["1 validation/accuracy", "1 validation/loss"]  # the first screen
    groups = sorted({tag.split("/")[0] for tag in tags})
    assert groups == ["1 validation", "2 best so far", "3 training", "5 progress"]
    assert "1 validation/accuracy_deviation" not in tags  # of one fold there is none
    assert steps_of(tmp_path, NAMES[0]) == [(1, 0.2), (2, 0.9), (3, 0.5)]
    assert steps_of(tmp_path, NAMES[0], "2 best so far/best_accuracy") == [(1, 0.2), (2, 0.9), (3, 0.9)]
    assert steps_of(tmp_path, NAMES[0], "2 best so far/best_epoch") == [(1, 1.0), (2, 2.0), (3, 2.0)]
    assert steps_of(tmp_path, NAMES[0], "5 progress/epochs_trained")[-1] == (3, 3.0)


@pytest.mark.parametrize("known", range(9))
def test_a_run_that_goes_on_adds_what_is_missing_and_nothing_twice(known: int, tmp_path: Path) -> None:
    events = [*events_of(0), *events_of(1)]
    replayed(tmp_path, events[:known])
    board, trials = replayed(tmp_path, events)
    board.close(trials)
    for trial, name in enumerate(NAMES):
        assert steps_of(tmp_path, name) == list(enumerate(ACCURACIES[trial], start=1))


def test_a_board_that_was_ahead_of_its_journal_is_not_told_again(tmp_path: Path) -> None:
    """As after a power cut: what the journal has lost is trained again, and is the same."""
    events = events_of(0)
    replayed(tmp_path, events)
    board, trials = replayed(tmp_path, events[:2])
    for event in events[2:4]:
        row = trials.report("a", 1, CONFIGS[0], event["reported"])
        board.reported(1, CONFIGS[0], event["reported"], row)
    assert steps_of(tmp_path, NAMES[0]) == list(enumerate(ACCURACIES[0], start=1))


def test_hparams_hold_the_best_epoch_and_how_a_trial_ended(tmp_path: Path) -> None:
    board, trials = replayed(tmp_path, events_of(0))
    trials.report("b", 2, CONFIGS[1], bad := result(0.0, 1e3, 1, diverged=1))
    board.reported(2, CONFIGS[1], bad, trials.rows["b"])
    for row in trials.rows.values():
        board.ended(row, trials)
    board.close(trials)
    statuses = []
    for name in NAMES:
        content = EventAccumulator(str(tmp_path / BOARD / name)).Reload().summary_metadata
        end = HParamsPluginData.FromString(content["_hparams_/session_end_info"].plugin_data.content)
        statuses.append(end.session_end_info.status)
    assert statuses == [1, 2]  # success, failure
    content = EventAccumulator(str(tmp_path / BOARD / "study")).Reload().summary_metadata
    told = HParamsPluginData.FromString(content["_hparams_/experiment"].plugin_data.content).experiment
    last = {info.display_name: steps_of(tmp_path, NAMES[0], info.name.tag)[-1][1] for info in told.metric_infos}
    row = trials.rows["a"]
    assert last["best_accuracy"] == row["validation_accuracy"] == 0.9
    assert (last["best_epoch"], last["epochs_trained"], last["diverged"]) == (row["epochs"], row["epochs_trained"], 0)


def test_the_verdict_is_that_of_the_best_trial_and_its_words_are_no_markup(tmp_path: Path) -> None:
    board, trials = replayed(tmp_path, [*events_of(0), *events_of(1)])
    board.close(trials)
    texts = EventAccumulator(str(tmp_path / BOARD / "study")).Reload().Tensors("verdict")
    said = texts[-1].tensor_proto.string_val[0].decode()
    assert said.startswith("**digits &#60;mlp&#62;**: validation accuracy **0.95** at epoch 3 of 3 (2 of 2 trials: 2 ")
    assert "The best trial is 02 η=1e-2 units=16" in said
    assert "| learning&#95;rate | 0.01 |" in said
    assert f"\n    tautune refit {tmp_path}\n" in said


def test_a_loop_shows_what_it_reports_by_its_names(tmp_path: Path) -> None:
    goal = Goal("reward", "max", unit="reports", others=(("cost", "min"),))
    reported: dict[str, Any] = result(0.0, 0.0, 1) | {"scores": {"reward": 3.0, "cost": 2.0, "a 'b' <script>": 1.0}}
    board, trials = TuningBoard(tmp_path, CONFIGURATION | {"metric": "reward"}, goal), Trials(tmp_path, [], 1, goal)
    board.reported(1, CONFIGS[0], reported, trials.report("a", 1, CONFIGS[0], reported))
    board.close(trials)
    tags = EventAccumulator(str(tmp_path / BOARD / NAMES[0])).Reload().Tags()["scalars"]
    assert sorted(tags)[:5] == [
        *("1 goal/cost", "1 goal/reward", "2 best so far/best_cost", "2 best so far/best_epoch"),
        "2 best so far/best_reward",
    ]
    assert "4 reported/a 'b' <script>" in tags
    verdict = EventAccumulator(str(tmp_path / BOARD / "study")).Reload().Tensors("verdict")[-1]
    assert b"tautune resume" in (said := verdict.tensor_proto.string_val[0])  # since it is not over
    assert b"tautune extend" not in said
    json.dumps(tags)


def test_a_loop_is_not_refitted_next() -> None:
    assert after_the_last_trial(CONFIGURATION | {"metric": "reward", "mode": "max"}, "out")[0][0] == "extend"


def late(epoch: int, *ages: int, **more: Any) -> dict[str, Any]:
    """Returns the report of an epoch whose gradients had these ages."""
    return result(0.5, 0.5, epoch) | {"delays": [(step, 0, age, step, step) for step, age in enumerate(ages)]} | more


def test_the_ages_of_workers_gradients_are_a_histogram_of_each_epoch(tmp_path: Path) -> None:
    """Those that an epoch applied, and not those of epochs that were trained again before it."""
    board, trials = replayed(tmp_path, [])
    for reported in (late(1, 0, 1, 3, 3, 3), late(2, 3, 3, delays_made_again=[(0, 0, 9, 0, 0)])):
        board.reported(1, CONFIGS[0], reported, trials.report("a", 1, CONFIGS[0], reported))
    board.close(trials)
    assert ages_shown(tmp_path, "01") == [(1, {0: 1, 1: 1, 3: 3}), (2, {3: 2})]


def test_epochs_that_are_trained_again_in_the_same_run_take_the_place_of_the_earlier_ones(tmp_path: Path) -> None:
    """As when the host of a trial is lost, and Ray Tune begins it anew from its last checkpoint."""
    board, trials = replayed(tmp_path, [])
    for reported in (late(1, 0), late(2, 1), late(3, 2), late(2, 4), late(3, 5), late(4, 6)):
        board.reported(1, CONFIGS[0], reported, trials.report("a", 1, CONFIGS[0], reported))
    board.close(trials)
    assert ages_shown(tmp_path, "01") == [(1, {0: 1}), (2, {4: 1}), (3, {5: 1}), (4, {6: 1})]
    assert [step for step, _ in steps_of(tmp_path, NAMES[0])] == [1, 2, 3, 4]
