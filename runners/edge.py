"""Trainings that are followed to their delay's edge of stability: what the user asks for, without Ray or torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tautune.runners.devices import DEVICES
from tautune.runners.named_study import check_named_study, is_built_in, known_name, study_name
from tautune.runners.shared import check, check_delays, check_types
from tautune.trainables.edge.names import ADAPTIVE, EDGE_OPTIMIZERS
from tautune.trainables.theory.stability import LARGEST_RATE

if TYPE_CHECKING:
    from tautune.search_spaces.stability_study import StabilityStudy

Json = dict[str, Any]
IN_WORKERS = ("tautune.trainables.edge.trial",)
"""Modules that the trials' processes import before there is a trial."""
EDGE_DELAYS = (0, 1, 2, 4, 8)
SHARPENING = 1.5
"""By which factor the sharpness must grow, from its start, until it is at the edge of the default learning rates: most
networks sharpen further than that, and the sooner it is reached the better it shows."""
ADAPTIVE_RATE = 0.002
"""Learning rate of optimizers that divide by an average of squares: their sharpness follows from it."""
DECAY = 0.999
"""β₂ and α, as Adam has it."""
LOOKS = 100
"""How often the sharpness is looked at."""


@dataclass(frozen=True, kw_only=True)
class Edge:
    """The settings.

    Raises:
        ValueError: a value is out of its bounds; the message begins with the parameter's name.
    """

    study: StabilityStudy | str
    """A study, the name of a built-in one, or the path of a file that sets STUDY."""
    optimizer: str = "sgd"
    """sgd, momentum, adam, rmsprop or nadam."""
    delays: tuple[int, ...] = EDGE_DELAYS
    """τ, in optimizer steps."""
    learning_rates: tuple[float, ...] = ()
    """At every delay. Without any, each delay has one at which the edge lies at `SHARPENING` times the sharpness of the
    start, or 0.002 for the optimizers that divide."""
    steps: int = 4000
    """Optimizer steps of each training, on the full batch."""
    seeds: int = 3
    """Trainings at each delay and learning rate, each with its own initial weights."""
    decay: float = DECAY
    """β₂ of those that divide by an average of squares."""
    device: str = "auto"

    def __post_init__(self) -> None:
        check_types(self, integers=("steps", "seeds"), numbers=("decay",))
        check("optimizer", self.optimizer, self.optimizer in EDGE_OPTIMIZERS, f"one of {', '.join(EDGE_OPTIMIZERS)}")
        check_delays(self.delays)
        check("steps", self.steps, LOOKS <= self.steps <= 10**9, f"at least {LOOKS}")
        check("seeds", self.seeds, 1 <= self.seeds <= 10**6, "at least 1")
        check("decay", self.decay, 0 <= self.decay < 1, "at least 0 and below 1")
        if self.decay != DECAY and not self.divides:
            raise ValueError(f"decay is for {', '.join(ADAPTIVE)}; {self.optimizer} has none")
        check("device", self.device, self.device in DEVICES, "cpu, cuda or auto")
        if not all(0 < rate <= LARGEST_RATE for rate in self.learning_rates):
            listed = ", ".join(f"{rate:g}" for rate in self.learning_rates)
            raise ValueError(f"learning_rates must be above 0 and at most {LARGEST_RATE:g}, not {listed}")
        check_named_study(self.study, "edge", None)

    @property
    def name(self) -> str:
        """Returns the study's name, or the name of its file."""
        return study_name(self.study)

    @property
    def folder_name(self) -> str:
        """Returns the default name of the results folder."""
        return f"edge-{self.name}-{self.optimizer}"

    @property
    def divides(self) -> bool:
        """Returns whether the optimizer divides by an average of squares."""
        return self.optimizer in ADAPTIVE

    @property
    def every(self) -> int:
        """Returns the steps between two looks."""
        return self.steps // LOOKS

    @property
    def is_sure(self) -> bool:
        """Returns whether every check has passed without torch, so that nothing can still be refused."""
        return is_built_in(self.study) and self.device != "cuda"

    def configuration(self) -> Json:
        """Returns what two runs in one folder must have in common, as far as it is known without torch."""
        return {
            **known_name(self.study),
            "optimizer": self.optimizer,
            "steps": self.steps,
            **({"decay": self.decay} if self.divides else {}),
        }
