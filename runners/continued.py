"""A trial that continues one of an earlier process: who it is, and from where it goes on."""

from dataclasses import dataclass
from typing import Any

from tautune.trainables.continuing import CONTINUES


@dataclass(frozen=True)
class Unfinished:
    """A trial that had begun when its run was stopped."""

    trial: str
    """Its id, which it had in the process that began it."""
    number: int
    config: dict[str, Any]
    """What the search had suggested, or what a population had made of it."""
    epochs: int = 0
    """Epochs that it had reported."""
    seconds: float = 0.0
    """Seconds that it had trained."""
    checkpoint: str | None = None
    """Folder of its last whole checkpoint."""
    longer: int = 0
    """Epochs by which it was lengthened."""


def without_start(config: dict[str, Any]) -> dict[str, Any]:
    """Returns the configuration as the search suggested it."""
    return {name: value for name, value in config.items() if name != CONTINUES}


class Identities:
    """The ids that trials of this process have in the journal: those of an earlier process keep theirs."""

    def __init__(self) -> None:
        self.earlier: dict[str, str] = {}
        self.numbers: dict[str, int] = {}
        self.seconds: dict[str, float] = {}

    def __call__(self, trial_id: str) -> str:
        """Returns the id in the journal."""
        return self.earlier.get(trial_id, trial_id)
