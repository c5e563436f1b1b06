"""The first tenth of a second of a command: it shows that it has begun, and hears Ctrl-C, before its modules are in."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tautune.cluster.session.signals import heard_at_once, sigterm_as_interrupt
from tautune.commands import screen

WORKING = (
    *("sweep", "grid", "tune", "resume", "extend", "refit", "predict"),
    *("simulate", "edge", "probe", "report", "compare", "doctor"),
)
"""The commands that take longer than their user's first doubt."""


@contextmanager
def shown_from_the_start(arguments: Sequence[str]) -> Iterator[None]:
    """Shows, while a command that takes long runs inside, that it does."""
    if not arguments or arguments[0] not in WORKING or "--help" in arguments:
        yield
        return
    with sigterm_as_interrupt(), heard_at_once(screen.stopping):
        screen.begin(stderr="--json" in arguments)
        try:
            yield
        finally:
            screen.end()
