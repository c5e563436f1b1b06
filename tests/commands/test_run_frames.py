"""The displays of sweeps and grids, frame by frame, and their lines where nothing moves."""

import io
import re
import time
from dataclasses import replace

import pytest
from rich.console import Console

from tautune.analysis.thresholds import Point, Thresholds
from tautune.commands.grid_display import GridDisplay
from tautune.commands.screen import Screen
from tautune.commands.sweep_display import SweepDisplay, delays_table
from tautune.trainables.asynchronous.settings import Workers
from tautune.trainables.theory.momentum import NO_MOMENTUM
from tautune.trainables.threshold.record import Departure, Key, MeasurementRecord, Settings
from tautune.trainables.threshold.search import Sample
from tautune.trainables.threshold.update import Update
from tests.commands.terminal import SIZES, refresh, screen_of

DELAYS = [0, 1, 2, 4, 8, 16]
KEYS = [(delay, 0) for delay in reversed(DELAYS)]


def record(delay: int, *, tried: int, watched: int = 0, done: bool = False) -> MeasurementRecord:
    samples = tuple(Sample(0.1 * number, 0.0, 10, 1) for number in range(1, tried + 1))
    departures = tuple(Departure(0.2, 5, True) for _ in range(watched))
    return MeasurementRecord(settings=Settings(delay=delay), samples=samples, departures=departures, done=done)


def thresholds(*delays: int) -> Thresholds:
    points = [
        Point(delay=d, predicted=0.5, measured=0.5 * (1 - 1e-9), uncertainty=1e-3, gradient_evaluations=99, seeds=1)
        for d in delays
    ]
    return Thresholds(
        study="digits", sharpness=4.0, momentum=NO_MOMENTUM, mini_batch=None, points=tuple(points), escapes=()
    )


@pytest.mark.parametrize(("columns", "lines"), SIZES)
def test_a_sweep_shows_every_delay_and_how_far_it_is(columns: int, lines: int) -> None:
    screen, terminal = screen_of(columns, lines)
    display = SweepDisplay(screen)
    display.begun(KEYS)
    refresh(screen)
    assert "starting the first" in terminal.frame[-1]
    records: dict[Key, MeasurementRecord] = {(16, 0): record(16, tried=8, watched=3, done=True)}
    records[8, 0] = record(8, tried=2)
    display.measured(thresholds(16), DELAYS, records)
    refresh(screen)
    *_, first, second, last, line = terminal.frame
    assert len(terminal.frame) <= lines
    assert first.split()[0] == "4"
    assert first.split()[-1] == "waiting"
    assert second.endswith("▶ 2 tried")
    assert last.split()[0] == "16"
    assert last.endswith("✓ done")
    assert re.search(r"\d 1 of 6 measured · 1 running", line)
    screen.end()
    assert terminal.frame == [""]


def test_many_delays_on_a_short_screen_leave_those_that_are_measured() -> None:
    screen, terminal = screen_of(80, 12)
    display = SweepDisplay(screen)
    delays = list(range(60))
    display.begun([(delay, 0) for delay in delays])
    display.measured(thresholds(), delays, {(delay, 0): record(delay, tried=1) for delay in (58, 59)})
    refresh(screen)
    assert len(terminal.frame) <= 12
    assert [line.split()[0] for line in terminal.frame if "1 tried" in line] == ["58", "59"]
    screen.end()


def test_a_threshold_is_told_when_it_is_certain_and_an_error_of_minus_nothing_is_none() -> None:
    pipe = io.StringIO()
    display = SweepDisplay(Screen(Console(file=pipe), time.monotonic()))
    display.begun(KEYS)
    records = {(16, 0): record(16, tried=8)}
    display.measured(thresholds(16), DELAYS, records)
    display.measured(thresholds(16), DELAYS, {(16, 0): record(16, tried=8, watched=1)})
    (line,) = pipe.getvalue().splitlines()
    assert re.fullmatch(r"\S+ \S+ delay 16: measured 0\.5 ± 0\.001, predicted 0\.5 \(\+0\.000%\) after 99 .*", line)
    display.concluded(thresholds(16), {(16, 0): record(16, tried=8, watched=1)})
    assert "+0.0000%" in pipe.getvalue()
    assert "8 tried, 1 watched" in pipe.getvalue()  # it was stopped before all were
    assert "-0.0" not in pipe.getvalue()


def test_each_training_of_real_workers_is_told_once_in_a_pipe_since_one_takes_long() -> None:
    pipe = io.StringIO()
    display = SweepDisplay(Screen(Console(file=pipe, width=200), time.monotonic()))
    settings = Settings(delay=1, update=Update(workers=Workers(count=2)))
    samples = (Sample(0.25, -1.6, 1e-3, 2000), Sample(0.2, -1e-4, 1e-3, 1500))
    for tried, departures in ((1, ()), (2, ()), (2, (Departure(0.5, 120, True), Departure(0.2, 400, False)))):
        record = MeasurementRecord(settings=settings, samples=samples[:tried], departures=departures)
        display.measured(thresholds(), [1], {(1, 0): record})
    assert [line[line.index("learning") :].strip() for line in pipe.getvalue().splitlines()] == [
        "learning rate 0.25: the distance to the minimum shrinks by 79.81% a step, after 2000 steps",
        "learning rate 0.2: the distance to the minimum neither grows nor shrinks for certain, after 1500 steps",
        "learning rate 0.5: training has left the minimum after 120 steps",
        "learning rate 0.2: training is still at the minimum after 400 steps",
    ]


@pytest.mark.parametrize(("columns", "lines"), SIZES)
def test_a_grids_first_estimate_leaves_out_its_start(columns: int, lines: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        now = 5000.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr("tautune.commands.pace.time", clock)
    screen, terminal = screen_of(columns, lines)
    display = GridDisplay(screen)
    display.begun(100)
    display.doing("measuring how many points train at once")
    refresh(screen)
    assert "measuring how many" in terminal.frame[-1]
    display.trained(10, 2, 16)
    refresh(screen)
    assert "10 of 100 points · 2 div" in terminal.frame[-1]
    assert "left" not in terminal.frame[-1]
    clock.now += 10
    display.trained(30, 2, 16)
    refresh(screen)
    assert "30 of 100 points · ~0:35" in terminal.frame[-1]
    screen.end()


def test_a_grid_in_a_pipe_has_a_line_for_each_tenth() -> None:
    pipe = io.StringIO()
    display = GridDisplay(Screen(Console(file=pipe), time.monotonic()))
    display.begun(100)
    display.doing("starting Ray")
    for done in range(1, 101):
        display.trained(done, 0, 4)
    assert [line.split()[2] for line in pipe.getvalue().splitlines()] == [str(done) for done in range(10, 101, 10)]


def test_two_seeds_of_a_delay_are_one_row() -> None:
    screen, terminal = screen_of(80, 24)
    display = SweepDisplay(screen)
    display.begun([(1, 0), (1, 1)])
    other = record(1, tried=3)
    records = {(1, 0): record(1, tried=8, done=True), (1, 1): replace(other, settings=Settings(delay=1, seed=1))}
    display.measured(thresholds(), [1], records)
    refresh(screen)
    assert terminal.frame[-2].split()[0] == "1"
    assert terminal.frame[-2].endswith("▶ 11 tried")
    screen.end()


@pytest.mark.parametrize(
    ("update", "called"),
    [
        (None, "4"),
        (Update(optimizer="nesterov"), "4"),
        (Update(drawn=((0, 0.5), (8, 0.5))), "0 to 8, 4 on average"),
        (Update(stages=(4, 0)), "4, 0"),
        (Update(workers=Workers(count=5)), "of 5 workers"),
    ],
    ids=str,
)
def test_a_row_is_called_by_its_delays(update: Update | None, called: str) -> None:
    found = Thresholds(
        study="mine", sharpness=1.0, momentum=NO_MOMENTUM, mini_batch=None, points=(), escapes=(), update=update
    )
    table = delays_table(found, [4], {}, Console(width=100))
    assert list(table.columns[0].cells) == [called]
