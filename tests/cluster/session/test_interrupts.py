"""Ctrl-C at the moments at which Python itself would drop it."""

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tautune.cluster.session.signals import interrupt_waits


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
