"""What Ray Tune's schedulers see of a trial and of the controller. Which part they look at is private in Ray.

What a later Ray looks at besides is told in one line, and the schedulers that need less still work.
"""

from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

from ray.tune.experiment import Trial

from tautune.records.errors import RunFailed
from tautune.runners.simulation.table import Training

PENDING, RUNNING, PAUSED, TERMINATED = Trial.PENDING, Trial.RUNNING, Trial.PAUSED, Trial.TERMINATED


class _StandIn:
    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise RunFailed(f"this version of Ray's scheduler asks for {name!r}, which is not simulated; use none or asha")


@dataclass(eq=False)
class SimulatedTrial(_StandIn):
    """A trial that replays a training."""

    trial_id: str
    training: Training
    status: str = PENDING
    reported: int = 0
    """Number of reports until now."""
    is_saving: bool = False
    last_result: dict[str, Any] = field(default_factory=dict)


class _Stops(Protocol):
    def stop(self, trial: SimulatedTrial) -> None: ...


class Controller(_StandIn):
    """Tune's controller, as schedulers see it."""

    def __init__(self, clock: _Stops, trials: list[SimulatedTrial]) -> None:
        self._clock, self._trials = clock, trials

    def get_trials(self) -> list[SimulatedTrial]:
        """Returns the trials that have not ended."""
        return self._trials

    def get_live_trials(self) -> list[SimulatedTrial]:
        """Returns the same."""
        return self._trials

    def stop_trial(self, trial: SimulatedTrial) -> None:
        """Ends a trial that another one's result has made superfluous."""
        self._clock.stop(trial)
