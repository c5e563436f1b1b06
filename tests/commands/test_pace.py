"""The pace of a run, and the time that is left."""

import pytest

from tautune.commands import pace as module
from tautune.commands.pace import Pace, until


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_the_time_before_the_first_piece_of_work_does_not_count(clock: Clock) -> None:
    pace = Pace()
    assert pace.seconds_left(10) is None
    clock.now = 2000.0
    pace.did(100)  # Ray's start, and a measurement, came before
    assert (pace.rate, pace.seconds_left(100), pace.words("points")) == (None, None, "")
    clock.now = 2010.0
    pace.did(50)
    assert pace.rate == pytest.approx(5)
    assert pace.seconds_left(100) == pytest.approx(20)
    clock.now = 2015.0
    assert pace.seconds_left(100) == pytest.approx(15)  # it goes down between two pieces of work
    assert until(pace.seconds_left(100)) == " · ~0:15 left"
    clock.now = 2100.0
    assert pace.seconds_left(100) == 0


def test_a_slow_pace_is_told_by_the_minute(clock: Clock) -> None:
    pace = Pace()
    pace.did()
    clock.now = 30.0
    pace.did()
    assert pace.words("epochs") == "2 epochs/min"
    clock.now = 30.1
    pace.did(299)
    assert pace.words("epochs") == "9.97 epochs/s"


def test_nothing_left_takes_no_time_that_is_worth_a_word(clock: Clock) -> None:
    pace = Pace()
    pace.did()
    clock.now = 1.0
    pace.did()
    assert until(pace.seconds_left(0)) == ""
