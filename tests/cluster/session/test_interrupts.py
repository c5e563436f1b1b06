"""Ctrl-C at the moments at which Python itself would drop it."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest

from tautune.cluster.session.signals import heard_at_once, interrupt_waits


@pytest.fixture(autouse=True)
def usual_handler() -> Iterator[None]:
    """Handles SIGINT as Python does, whatever a test before has left."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_in_a_hook_around_a_fork_is_not_lost() -> None:
    armed = [True]

    def hook() -> None:
        if armed:
            armed.clear()
            signal.raise_signal(signal.SIGINT)

    os.register_at_fork(after_in_parent=hook)
    started = []
    with pytest.raises(KeyboardInterrupt), interrupt_waits():
        started.append(subprocess.Popen(["true"], preexec_fn=os.getpgrp))  # hooks run where there is a preexec_fn
    assert not armed
    assert started[0].wait() == 0


def test_ctrl_c_waits_only_inside() -> None:
    usual = signal.getsignal(signal.SIGINT)
    with interrupt_waits():
        pass
    assert signal.getsignal(signal.SIGINT) is usual


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_heard_in_a_thread_whatever_handles_it(number: signal.Signals) -> None:
    heard, threads = threading.Event(), threading.active_count()
    usual = signal.signal(number, lambda *_: None)
    other = signal.signal(signal.SIGUSR2, lambda *_: None)
    try:
        with heard_at_once(heard.set):
            os.kill(os.getpid(), signal.SIGUSR2)  # which is none of its business
            assert not heard.wait(0.05)
            os.kill(os.getpid(), number)
            assert heard.wait(10)
    finally:
        signal.signal(number, usual)
        signal.signal(signal.SIGUSR2, other)
    assert signal.set_wakeup_fd(-1) == -1
    assert threading.active_count() == threads
