"""SIGTERM as Ctrl-C: what `timeout`, SLURM and systemd send ends a run in its own words, with exit code 130."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

END = 0
"""What is no signal's number, and ends the thread that hears them."""


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Makes SIGTERM do inside what SIGINT does, also where SIGINT is ignored, as under nohup.

    Only the main thread receives signals; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, usual)


@contextmanager
def heard_at_once(hear: Callable[[], None]) -> Iterator[None]:
    """Calls `hear` as soon as SIGINT or SIGTERM arrives, in a thread of its own, whoever handles the signal and when.

    The main thread handles it only once it is back in Python, from the middle of an import or out of Ray.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def listen() -> None:
        while END not in (numbers := os.read(reading, 64)):
            if {signal.SIGINT, signal.SIGTERM} & set(numbers):
                hear()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.write(writing, bytes([END]))  # not its end, which a process that was forked inside may hold open
        thread.join()
        os.close(writing)
        os.close(reading)


@contextmanager
def interrupt_waits() -> Iterator[None]:
    """Keeps Ctrl-C waiting inside, and then does what it usually does.

    While it starts a process, Python drops what a handler raises in the hooks around the fork, and the run would go on.
    """
    usual = signal.getsignal(signal.SIGINT)
    if not callable(usual) or threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda signum, frame: waiting.append((signum, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if waiting:
            usual(*waiting[0])


def interrupt(signum: int, frame: FrameType | None) -> None:
    """Handles SIGTERM by what handles SIGINT at that moment: Tune's own handler while it runs."""
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):
        handler(signal.SIGINT, frame)
    else:
        raise KeyboardInterrupt
