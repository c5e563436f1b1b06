"""Runs parts of a benchmark one after another, none of which costs the others their figures."""

import gc
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

Json = dict[str, Any]
LIMIT = 500.0
"""Seconds of all sections together: with the imports before them, they take less than nine minutes."""


class Skipped(Exception):
    """Raised by a section that cannot be run here; the message says why."""


def carried_out(
    sections: Mapping[str, Callable[[], Json]],
    note: Callable[[Json], object] = lambda figures: None,
    *,
    limit: float = LIMIT,
) -> Json:
    """Returns the figures of each section by its name, with the seconds it took.

    Under `failed` and `skipped` is why a section has none.

    Args:
        note: is told, after each section, all that there is.
        limit: seconds of all of them together.
    """
    figures: Json = {"seconds": {}, "failed": {}, "skipped": {}}
    end = time.monotonic() + limit
    for name, section in sections.items():
        begun = time.monotonic()
        try:
            with _at_most(end - begun):
                figures[name] = section()
        except Skipped as reason:
            figures["skipped"][name] = str(reason)
        except TimeoutError:
            figures["skipped"][name] = f"the {limit:g} s of all sections were over"
        except Exception as error:  # noqa: BLE001 - whatever a device raises, the other sections may still run
            figures["failed"][name] = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:300]}"
        figures["seconds"][name] = time.monotonic() - begun
        if torch.cuda.is_available():
            gc.collect()
            torch.cuda.empty_cache()  # of what a section held, and one that failed
        note(figures)
    return figures


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raises TimeoutError inside once these seconds are over; a timer that was set before goes on afterwards."""
    if seconds <= 0:
        raise TimeoutError

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left, interval)
        signal.signal(signal.SIGALRM, before)
