"""Runs Ray Tune's tuner, and ends it soon after Ctrl-C."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ray import tune

GRACE = 1.5
"""Time in seconds that Ctrl-C gives trials to end: Tune would wait for processes that are starting, often for ten."""
OURS = "TUNE_DISABLE_SIGINT_HANDLER"
"""Tune's variable by which it leaves Ctrl-C to its caller; a session sets it whose Ray ends with it."""


def fit(tuner: tune.Tuner) -> Any:
    """Returns the tuner's results; after Ctrl-C, those that there are, or none."""
    try:
        with _stopping_soon():
            return tuner.fit()
    except KeyboardInterrupt:
        return []


@contextmanager
def _stopping_soon() -> Iterator[None]:
    """Makes Ctrl-C inside stop Tune as its own handler does, and leave it after `GRACE`, or at the next Ctrl-C.

    Tune then writes nothing more, and its trials end with the session's Ray. Every record of ours is on disk by then.
    """
    if os.environ.get(OURS) != "1" or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGUSR1)  # Tune stops at this signal as well
    timer = threading.Timer(GRACE, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))

    def stop(number: int, frame: FrameType | None) -> None:
        of_tune = signal.getsignal(signal.SIGUSR1)
        if timer.ident is not None or of_tune == before or not callable(of_tune):
            raise KeyboardInterrupt
        timer.start()
        of_tune(number, frame)

    usual = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, usual)
        signal.signal(signal.SIGUSR1, before)
