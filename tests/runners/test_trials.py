"""The record of trials: which one is the best, what each is called, and what a folder keeps of it."""

from pathlib import Path
from typing import Any

import pytest

from tautune.records.errors import InputError
from tautune.runners.folding import Folding
from tautune.runners.trial_rows import read_rows, sorted_rows
from tautune.runners.trials import Trials, name_of
from tautune.runners.tuning_journal import events_of, has_unfinished
from tautune.trainables.goal import ACCURACY


def result(accuracy: float, loss: float, epochs: int, **more: Any) -> dict[str, Any]:
    plain = {"validation_accuracy_deviation": 0.0, "training_accuracy": 0.9, "training_loss": 0.1, "hostname": "here"}
    ended = {"diverged": 0, "failed": 0, "failure": "", "diverged_step": -1, "time_total_s": 1.0, "history": []}
    scores = {"validation_accuracy": accuracy, "validation_loss": loss, "epochs": epochs}
    return plain | ended | scores | more


def begin(folder: Path) -> Trials:
    return Trials(folder, ["units"], total=4, goal=ACCURACY)


def test_a_trials_best_epoch_is_the_one_of_the_lowest_loss_among_equal_accuracies(tmp_path: Path) -> None:
    trials = begin(tmp_path)
    for epoch, (accuracy, loss) in enumerate([(0.8, 0.5), (0.9, 0.3), (0.9, 0.2), (0.9, 0.4), (0.9, 0.2)], start=1):
        trials.report("a", 1, {"units": 8}, result(accuracy, loss, epoch))
    row = trials.rows["a"]
    assert (row["epochs"], row["validation_loss"], row["epochs_trained"], row["epochs_run"]) == (3, 0.2, 5, 5)


def test_of_equal_accuracies_the_lower_loss_is_the_best_trial_and_then_the_fewer_epochs(tmp_path: Path) -> None:
    trials = begin(tmp_path)
    for number, (name, loss, epochs) in enumerate(
        [("a", 0.3, 1), ("b", 0.2, 9), ("c", 0.2, 5), ("d", 0.2, 5)], start=1
    ):
        trials.report(name, number, {"units": 8}, result(0.97, loss, epochs))
    assert [row["trial"] for row in trials.ranked()] == ["c", "d", "b", "a"]
    trials.report("e", 5, {"units": 8}, result(0.0, 1e3, 1, diverged=1))
    assert trials.ranked()[-1]["trial"] == "e"
    best = trials.best()
    assert best
    assert best["trial"] == "c"


def test_a_number_is_given_once_whatever_became_of_the_trial(tmp_path: Path) -> None:
    trials = begin(tmp_path)
    assert [trials.next_number() for _ in range(3)] == [1, 2, 3]
    (tmp_path / "trials" / "04").mkdir(parents=True)  # it began, and the machine was lost before it reported
    resumed = begin(tmp_path)
    assert resumed.next_number() == 5
    resumed.took(9)
    assert resumed.next_number() == 10


def test_rows_of_an_earlier_version_which_kept_no_journal_are_taken_over(tmp_path: Path) -> None:
    trials = begin(tmp_path)
    for name, accuracy in (("173bdd74", 0.9), ("12345678", 0.8)):
        trials.report(name, None, {"units": 8}, result(accuracy, 0.3, 1))
    trials.end("173bdd74", finished=True)
    trials.write()
    before = read_rows(tmp_path)
    events = events_of(tmp_path)
    assert has_unfinished(events)
    folding = Folding(begin(tmp_path))
    for event in events:
        folding.apply(event)
    assert folding.trials.ranked() == before
    assert [event["begin"] for event in folding.unfinished] == ["12345678"]
    assert folding.trials.next_number() == 3
    assert sorted(name_of(row) for row in before) == ["12345678", "173bdd74"]


def test_a_failure_is_kept_under_the_trials_number(tmp_path: Path) -> None:
    trials = begin(tmp_path)
    trials.report(
        "a",
        7,
        {"units": 8},
        result(0.0, 1e3, 0, failed=1, failure="Traceback (most recent call last):\nValueError: no\n"),
    )
    assert (tmp_path / "failures" / "07.txt").read_text().endswith("ValueError: no\n")
    assert trials.rows["a"]["failure"] == "ValueError: no"
    assert trials.best() is None
    assert not trials.nothing_works
    for name in "bc":
        trials.report(name, 8, {}, result(0.0, 1e3, 0, failed=1))
    assert trials.nothing_works


def test_rows_are_sorted_by_any_column() -> None:
    rows = [
        {"number": n, "config": {"units": u, "kind": k}, "validation_loss": loss, "state": "finished"}
        for n, u, k, loss in ((1, 8, "b", 0.3), (2, 16, "a", 0.1), (3, 4, None, 0.2))
    ]
    assert [r["config"]["units"] for r in sorted_rows(rows, "-units")] == [16, 8, 4]
    assert [r["config"]["kind"] for r in sorted_rows(rows, "kind")] == ["a", "b", None]
    assert [r["number"] for r in sorted_rows(rows, "-number")] == [3, 2, 1]
    with pytest.raises(InputError, match="there is no column 'unit'; did you mean units"):
        sorted_rows(rows, "unit")
