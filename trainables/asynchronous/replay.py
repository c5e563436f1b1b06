"""What an asynchronous run did, as the delays of a `GradientQueue` that does the same."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

DELAYS = "delays"
"""Where a trial reports which gradients its epoch applied, each with what `WRITTEN` names."""
MADE_AGAIN = "delays_made_again"
"""Where it reports those of earlier epochs, which were reported by a process that ended, and were trained again."""
WRITTEN = ("step", "worker", "age", "gradient", "batch")
"""The columns of delays.csv."""


class Applied(Protocol):
    """A gradient that was applied; `Row` says what its numbers are."""

    @property
    def step(self) -> int: ...
    @property
    def age(self) -> int: ...
    @property
    def gradient(self) -> int: ...
    @property
    def batch(self) -> int: ...


def applied_in(result: Mapping[str, Any]) -> list[Any]:
    """Returns all the gradients that a report tells of, in the order in which they were applied."""
    return [*result.get(MADE_AGAIN, ()), *result.get(DELAYS, ())]


class Recorded(NamedTuple):
    """How a queue repeats a run: give `delays` to a `GradientQueue`, and make its steps with these batches in turn."""

    delays: list[int]
    """Of each of the queue's steps. In the first N-1, N workers' first gradients are computed and none is applied."""
    batches: list[int]
    """Number of the batch of each of the queue's steps."""


def queue_delays(rows: Iterable[Applied], *, workers: int) -> Recorded:
    """Returns how a queue repeats what N workers did: gradient k is computed at the queue's step k.

    Update t is made at the queue's step t + N-1 and applies gradient k, which is then t + N-1 - k steps old. That is
    the age that was recorded, except among the N first gradients: they were all computed at the first weights.

    Args:
        rows: the gradients in the order in which they were applied, from the first.
        workers: N.

    Raises:
        ValueError: a queue cannot repeat that: an update applied several gradients or is missing, or workers were lost
            or gradients dropped, so that others had to be computed.
    """
    delays, batch_of = [workers - 1] * (workers - 1), {}
    for t, row in enumerate(rows):
        if row.step != t:
            reason = "applies several gradients" if row.step < t else "is missing"
            raise ValueError(f"update {min(row.step, t)} {reason}, which a queue cannot repeat")
        if max(0, row.gradient - workers + 1) != t - row.age:
            raise ValueError(
                f"update {t} applied gradient {row.gradient} of age {row.age}, which {workers} workers give only after "
                "one was lost or a gradient was dropped; a queue cannot repeat that"
            )
        delays.append(t + workers - 1 - row.gradient)
        batch_of[row.gradient] = row.batch
    return Recorded(delays, [batch_of.get(k, k) for k in range(len(delays))])
