"""A tuning's display, frame by frame, on terminals of several sizes, and its lines where there is none."""

import io
import re
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tautune.commands.next_steps import after_tuning, print_next_steps
from tautune.commands.screen import Screen
from tautune.commands.tuning_display import TuningDisplay
from tautune.runners.trials import Trials
from tautune.trainables.goal import ACCURACY, Goal
from tests.commands.terminal import SIZES, Terminal, refresh, screen_of
from tests.runners.test_trials import result

VARYING = ["optimizer", "learning_rate", "batch_size", "attention_dropout", "label_smoothing", "warmup_share"]
TRIALS = 30


def config_of(number: int) -> dict[str, Any]:
    optimizer = "nesterov" if number % 3 else "adam"
    own = {"attention_dropout": number / 100, "label_smoothing": 0.1, "warmup_share": 0.05 * number}
    return {"optimizer": optimizer, "learning_rate": 0.045 / number, "batch_size": 16 * number, "layers": 2} | own


def finish(display: TuningDisplay, trials: Trials, numbers: range, *, epochs: int = 3) -> None:
    """Lets trials report and end; each is at its best in its last epoch but one."""
    for number in numbers:
        for epoch in range(1, epochs + 1):
            accuracy = 0.5 + number / 100 + (0.01 if epoch == epochs - 1 else 0.0)
            trials.report(str(number), number, config_of(number), result(accuracy, 0.4, epoch))
            display.trial_reported(trials, running=2, seconds_left=None)
        row = trials.end(str(number), finished=number % 2 == 0)
        assert row
        display.trial_ended(trials, row)


def begin(folder: Path, columns: int, lines: int) -> tuple[TuningDisplay, Trials, Screen, Terminal]:
    screen, terminal = screen_of(columns, lines)
    trials, display = Trials(folder, VARYING, TRIALS, ACCURACY), TuningDisplay(screen)
    display.run_began(trials, VARYING)
    return display, trials, screen, terminal


@pytest.mark.parametrize(("columns", "lines"), SIZES)
def test_progress_stays_on_the_screen_below_one_line_a_trial(columns: int, lines: int, tmp_path: Path) -> None:
    display, trials, screen, terminal = begin(tmp_path, columns, lines)
    refresh(screen)
    assert "starting the first trials" in terminal.frame[-1]
    finish(display, trials, range(1, 28))
    for number in (28, 29):
        trials.report(str(number), number, config_of(number), result(0.4, 0.9, 1))
    display.trial_reported(trials, running=2, seconds_left=None)
    refresh(screen)
    assert len(terminal.frame) <= lines
    assert terminal.scrolled == 0
    rows = [line for line in terminal.frame if re.match(r"[✓■▶] \d\d ", line)]
    assert len(rows) == min(29, lines - 4)  # two lines of headings, the line below, and an empty one
    assert rows[0].startswith("■ 27 ")
    assert "0.7800 ★" in rows[0]
    assert [row[:4] for row in rows[-2:]] == ["▶ 28", "▶ 29"]  # the worst, which run
    assert re.match(r". 0:0\d 27 of 30 · ", terminal.frame[-1])
    if columns > 40:
        assert "2 of 3" in rows[0]
        assert "best 0.7800 ▁" in terminal.frame[-1]
    screen.end()


def test_each_hyperparameter_that_varies_has_its_column_on_a_wide_screen(tmp_path: Path) -> None:
    display, trials, screen, terminal = begin(tmp_path, 120, 40)
    finish(display, trials, range(1, 4))
    refresh(screen)
    headings = " ".join(terminal.frame[:2]).split()
    assert [name for name in headings if name in ("optim", "η", "bs", "ad", "ls", "ws")] == [
        *("optim", "η", "bs", "ad", "ls", "ws")
    ]
    screen.end()


def test_time_left_is_what_trials_that_ended_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        now = 1000.0

        def monotonic(self) -> float:
            self.now += 0.5
            return self.now

    display, trials, screen, terminal = begin(tmp_path, 80, 24)
    monkeypatch.setattr("tautune.commands.pace.time", Clock())
    finish(display, trials, range(1, 11))
    refresh(screen)
    # 30 epochs in half a second each, and twenty trials of three epochs are left; asking takes half a second too
    assert "10 of 30 · ~0:29 left" in terminal.frame[-1]
    assert "2 epochs/s" in terminal.frame[-1]
    screen.end()


def test_the_end_tells_states_and_the_best_with_its_epoch(tmp_path: Path) -> None:
    display, trials, screen, terminal = begin(tmp_path, 80, 24)
    finish(display, trials, range(1, 7))
    trials.report("7", 7, config_of(7), result(0.0, 1e6, 1, diverged=1))
    display.run_ended(trials)
    screen.end()
    text = "\n".join(terminal.frame)
    assert "7 trials: ✓ 3 finished, ■ 3 stopped early, ↗ 1 diverged" in text
    assert re.search(r"best: validation accuracy 0\.5700 at epoch 2 of 3\n  trial 06 adam η=7\.5e-3 bs=96 ", text)
    assert "all: layers 2" in text


def test_a_pipe_gets_a_line_a_trial_with_its_time(tmp_path: Path) -> None:
    pipe = io.StringIO()
    display = TuningDisplay(Screen(Console(file=pipe), time.monotonic()))
    trials = Trials(tmp_path, VARYING, TRIALS, ACCURACY)
    display.run_began(trials, VARYING)
    finish(display, trials, range(1, 3))
    display.run_ended(trials)
    first, second, *table = pipe.getvalue().splitlines()
    name = r"trial 01 nesterov η=4\.5e-2 bs=16 .*"
    assert re.fullmatch(rf"\S+ \S+ 1 of 30: {name}: validation accuracy 0\.5200 at epoch 2 of 3; best .*", first)
    assert second.endswith("best so far 0.5300 (trial 02)")
    assert any("0.5300 ★" in line and "2 of 3" in line for line in table)
    assert not set(pipe.getvalue()) & set("│┃━─\x1b\r")


def test_reports_of_a_loop_are_called_so(tmp_path: Path) -> None:
    pipe = io.StringIO()
    display = TuningDisplay(Screen(Console(file=pipe), time.monotonic()))
    trials = Trials(tmp_path, ["a"], 1, Goal("reward", "max", unit="reports"))
    display.run_began(trials, ["a"])
    row = {"epochs": 1, "diverged": 0, "failed": 0, "failure": "", "diverged_step": -1, "history": []}
    told = row | {"scores": {"reward": 3.0}, "reward": 3.0, "time_total_s": 1.0, "hostname": "here"}
    trials.report("1", 1, {"a": 1}, told)
    ended = trials.end("1", finished=True)
    assert ended
    display.trial_ended(trials, ended)
    assert "reward 3 at report 1 of 1" in pipe.getvalue()


@pytest.mark.parametrize(
    ("more", "steps"),
    [
        ({"search": "hyperopt"}, ["refit", "extend", "results", "board"]),
        ({"search": "grid"}, ["refit", "results", "board"]),
        ({"search": "random", "metric": "reward", "mode": "max"}, ["extend", "results", "board"]),
    ],
)
def test_the_next_steps_are_those_that_can_be_taken(
    more: dict[str, str], steps: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tautune.commands.next_steps.read_tuning", lambda folder: {"configuration": more})
    monkeypatch.chdir(tmp_path)
    screen, terminal = screen_of(20, 40)
    print_next_steps(after_tuning(tmp_path / "a run"), screen.console)
    text = terminal.getvalue().splitlines()
    assert text[0] == "next:"
    assert [line.split()[1] for line in text[1:]] == steps
    assert text[-1] == "  tautune board 'a run'"  # unbroken on a screen of any width
