"""What `tautune threshold` and `tautune advise` print."""

import json
from pathlib import Path
from typing import Any

import pytest

from tautune.trainables.theory.loop import TrainingLoop
from tests.commands.test_commands import run

Capture = pytest.CaptureFixture[str]


def answer(monkeypatch: pytest.MonkeyPatch, capsys: Capture, command: str) -> dict[str, Any]:
    assert run(monkeypatch, *command.split(), "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_thresholds_are_in_the_learning_rate_of_torch_and_at_unit_gain(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    found = answer(monkeypatch, capsys, "threshold --optimizer nesterov --momentum 0.9 --delay 0 --sharpness 2")
    assert found["threshold_at_unit_gain"] == pytest.approx(13.5714, abs=5e-5)
    assert found["threshold"] == pytest.approx(1.35714, abs=5e-6)
    assert found["max_stable_learning_rate"] == pytest.approx(found["threshold"] / 2)
    assert found["angle"] == pytest.approx(3.14159, abs=1e-5)
    assert (found["optimizer"], found["momentum"], found["delay"]) == ("nesterov", 0.9, 0)


@pytest.mark.parametrize(
    ("options", "threshold"),
    [
        ("--optimizer adamw --beta1 0.9 --delay 8", 0.13942),
        ("--optimizer adam --delay 1", 1.0),
        ("--optimizer rmsprop --delay 8", 0.184537),
        ("--optimizer sgd --momentum 0.9 --delay 4", 0.026498),
        ("--optimizer dampened-momentum --momentum 0.9 --delay 4", 0.26498),
        ("--optimizer nadam --delay 4", 0.3265),
        ("--optimizer shifted-momentum --delay 4", 0.48729),
        ("--optimizer spike-compensation --delay 4", 0.4833),
        ("--optimizer adam --delay 4 --remedy predict:4", 0.4942),
        ("--delay 4 --momentum 0.9 --remedy predict:4", 0.4942),
        ("--optimizer 1.9,-0.9/1,-0.9 --delay 4", 0.03265),
        ("--delay-shares " + ",".join(f"{d}:{1 / 9}" for d in range(9)), 0.54277),
        ("--stages 0,1,2,3,4,5,6,7,8", 0.54277),
        ("--stages 4,4 --shares 0.3,0.7 --momentum 0.9 --shifted", 0.48729),
    ],
)
def test_tables(options: str, threshold: float, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    found = answer(monkeypatch, capsys, f"threshold {options}")
    assert found["threshold"] == pytest.approx(threshold, rel=2e-4)


def test_noise_of_the_curvature(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    found = answer(monkeypatch, capsys, "threshold --delay 4 --curvature-noise 1")
    assert found["mean_square_threshold"] == pytest.approx(0.28463, abs=5e-6)
    assert found["threshold"] == pytest.approx(0.347296, abs=5e-7)


def test_a_recorded_trace(monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path) -> None:
    table = tmp_path / "trace.csv"
    table.write_text("step,delay,worker\n" + "".join(f"{step},{step % 9},a\n" for step in range(900)))
    found = answer(monkeypatch, capsys, f"threshold --delays-from {table}")
    assert found["threshold"] == pytest.approx(0.54277, abs=5e-6)
    assert (found["mean_delay"], found["largest_delay"]) == (pytest.approx(4), 8)


def test_whole_numbers_of_a_trace_may_be_floats(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    table = tmp_path / "trace.csv"
    table.write_text("delay\n1.0\n3.\n 12.00 \n")
    found = answer(monkeypatch, capsys, f"threshold --delays-from {table}")
    assert (found["mean_delay"], found["largest_delay"]) == (pytest.approx(16 / 3), 12)


def test_what_is_never_unstable_is_null(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    found = answer(monkeypatch, capsys, "threshold --delay 8 --optimizer 1,1/2,0 --remedy compensate:1")
    assert found["threshold"] == pytest.approx(TrainingLoop("1,1/2,0", 8, "compensate:1").threshold)
    assert run(monkeypatch, "threshold", "--delay", "8", "--optimizer", "adamw") == 0
    assert "preconditioned" in capsys.readouterr().out


def test_without_new_options_the_answer_is_that_of_the_closed_form(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    found = answer(monkeypatch, capsys, "threshold --delay 8 --momentum 0.9")
    assert list(found) == ["delay", "momentum", "shifted", "threshold", "linear_approximation"]


def test_advice_ranks_every_optimizer_and_remedy(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    rows = answer(monkeypatch, capsys, "advise --delay 8 --sharpness 2")["rows"]
    assert len(rows) == 27
    largest = [(row["warning"] is not None, -row["threshold_at_unit_gain"]) for row in rows]
    assert largest == sorted(largest)  # the largest first, those with a warning last
    assert [row["rank_by_threshold"] for row in rows] == list(range(1, 28))
    by_decay = sorted(rows, key=lambda row: row["rank_by_decay"])
    decays = [(row["warning"] is not None, row["decay"]) for row in by_decay]
    assert decays == sorted(decays)
    for row in rows:
        assert row["max_stable_learning_rate"] == pytest.approx(row["threshold"] / 2)
        assert 0 < row["best_step"] < row["threshold"]
        assert row["memory"]["queue"] == 8


def test_random_delays_are_told_with_their_mean_square(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    found = answer(monkeypatch, capsys, "threshold --delay-shares 0:0.5,20:0.5")
    assert found["mean_square_threshold"] < found["threshold"]
    monkeypatch.setenv("COLUMNS", "80")
    options = ("--delay-shares", "0:0.5,20:0.5", "--optimizer", "spike-compensation")
    assert run(monkeypatch, "advise", *options) == 0
    table, _, code = capsys.readouterr().out.partition("\n#")
    assert max(map(len, table.splitlines())) <= 80
    lines = [line.split() for line in table.splitlines()[2:5]]
    order = [(line[0].endswith("!"), -float(line[3])) for line in lines]
    assert order == sorted(order)
    assert "SpikeCompensatedSGD takes 0.1 of it" in table
    assert "delay=recorded" in code
    assert "recorded, in the code, is a list of a run's delays" in table


def test_advice_as_a_table_fits_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(monkeypatch, "advise", "--delay", "8") == 0
    table, _, code = capsys.readouterr().out.partition("\n#")
    assert max(map(len, table.splitlines())) <= 80
    assert "spike-compensation predict:8" in table
    assert "! 11-19: supposes that half of the exact curvature is known" in table
    assert "predicting lowers the threshold from 0.207 to 0.166 (predict:3: 0.257)" in table
    assert "GradientQueue(optimizer, delay=8)" in code
    assert run(monkeypatch, "advise", "--delay", "8", "--optimizer", "nesterov", "--sort", "decay") == 0
    assert capsys.readouterr().out.count("nesterov=True") == 3
