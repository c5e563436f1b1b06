"""Runs Ray Tune's tuner, ends it soon after Ctrl-C, and tells in one line what stopped it."""

import errno
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ray import tune

from tautune.records.errors import InputError, RunFailed
from tautune.records.storage import reason

OF_THE_STORAGE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOENT, errno.EACCES, errno.ESTALE}
"""What a disk says that is full, read-only, broken, or gone."""
GRACE = 1.5
"""Time in seconds that Ctrl-C gives trials to end: Tune would wait for processes that are starting, often for ten."""
OURS = "TUNE_DISABLE_SIGINT_HANDLER"
"""Tune's variable by which it leaves Ctrl-C to its caller; a session sets it whose Ray ends with it."""


def fit(tuner: tune.Tuner) -> Any:
    """Returns the tuner's results; after Ctrl-C, those that there are, or none.

    Raises:
        InputError, RunFailed: what a callback of ours raised, of which Tune makes a traceback; or the storage refused
            to hold Tune's own files.
    """
    try:
        with _stopping_soon():
            return tuner.fit()
    except KeyboardInterrupt:
        return []
    except Exception as error:
        raise _reason(error) from None


def _reason(error: Exception) -> Exception:
    """Returns what was raised first: an error of ours, or one of the storage's in our words; else the error itself."""
    first: BaseException | None = error
    while first is not None:
        if isinstance(first, InputError | RunFailed):
            return first
        if isinstance(first, OSError) and first.errno in OF_THE_STORAGE:
            return RunFailed(f"Ray Tune cannot keep its files: {reason(first)}")
        first = first.__cause__ or first.__context__
    return error


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
