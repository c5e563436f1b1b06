"""Ctrl-C during a run of Tune: Tune is asked to end, and left when it does not."""

import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tautune.cluster.session.fit import GRACE, OURS, fit


class Tuner:
    """Ends when `_setup_signal_catching` of Tune would have it end, or hangs as it does while its actors start."""

    def __init__(self, *, hangs: bool) -> None:
        self.hangs, self.asked = hangs, False

    def fit(self) -> list[str]:
        def ask(*_: Any) -> None:
            self.asked = True

        signal.signal(signal.SIGUSR1, ask)
        signal.raise_signal(signal.SIGINT)
        end = time.monotonic() + 60
        while self.hangs and time.monotonic() < end:
            time.sleep(0.01)
        return ["what there is"]


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(OURS, "1")
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGUSR1)]
    yield
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGUSR1)] == before


def test_what_tune_has_when_it_ends_in_time_is_returned() -> None:
    tuner = Tuner(hangs=False)
    assert fit(tuner) == ["what there is"]
    assert tuner.asked


def test_a_tune_that_does_not_end_is_left() -> None:
    tuner, begun = Tuner(hangs=True), time.monotonic()
    assert fit(tuner) == []
    assert tuner.asked
    assert GRACE <= time.monotonic() - begun < 30


def test_ctrl_c_before_tune_listens_ends_at_once() -> None:
    class Early(Tuner):
        def fit(self) -> list[str]:
            signal.raise_signal(signal.SIGINT)
            return ["went on"]

    assert fit(Early(hangs=False)) == []
