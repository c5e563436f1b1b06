"""A probe of a study, at its initial weights or at a checkpoint's. What the user asks for is checked without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tautune.records.errors import user_input
from tautune.runners.devices import DEVICES, device_of
from tautune.runners.named_study import check_named_study, study_name
from tautune.runners.shared import check, check_mini_batch, check_types
from tautune.trainables.theory.delays import Delays
from tautune.trainables.theory.momentum import check_momentum
from tautune.trainables.theory.optimizer_names import PRECONDITIONED, default_momentum

if TYPE_CHECKING:
    from tautune.analysis.probe import Probe
    from tautune.search_spaces.stability_study import StabilityStudy
    from tautune.trainables.theory.problem import Problem

Json = dict[str, Any]
OPTIMIZERS = ("sgd", "dampened-momentum", "nesterov", "adam", "adamw", "nadam", "rmsprop")
"""The optimizers that a probe's command can make; in Python any of torch's that theory knows will do."""


@dataclass(frozen=True, kw_only=True)
class StudyProbe:
    """What is asked for.

    Raises:
        ValueError: a value is out of its bounds; the message begins with the parameter's name.
    """

    study: StabilityStudy | str
    """A study, the name of a built-in one, or the path of a file that sets STUDY."""
    checkpoint: Path | None = None
    """A file of torch.save with a model's state dict, and its optimizer's, if there is one."""
    optimizer: str | None = None
    """One of `OPTIMIZERS`; None means the checkpoint's, or else sgd."""
    learning_rate: float | None = None
    """η; None means the checkpoint's."""
    momentum: float | None = None
    """m, or β₁; None means the checkpoint's, or else the optimizer's default."""
    mini_batch: int | None = None
    """Examples in a batch, whose curvature is compared with the other batches'; None means one batch."""
    delays: tuple[Delays, ...] | None = None
    stages: tuple[int, ...] = ()
    device: str = "auto"

    def __post_init__(self) -> None:
        check_types(self, integers=("mini_batch",), numbers=("learning_rate", "momentum"))
        η, name = self.learning_rate, self.optimizer
        check("learning_rate", η, η is None or η > 0, "above 0 and finite")
        check("optimizer", name, name is None or name in OPTIMIZERS, f"one of {', '.join(OPTIMIZERS)}")
        check("device", self.device, self.device in DEVICES, "cpu, cuda or auto")
        if self.momentum is not None:
            check_momentum(self.momentum)
            if self.checkpoint is not None:
                raise ValueError("momentum must be left out beside a checkpoint, which has the optimizer's own")
        check_named_study(self.study, "probe", self.mini_batch)
        if self.checkpoint is not None and not self.checkpoint.is_file():
            raise ValueError(f"there is no checkpoint {self.checkpoint}")
        if self.checkpoint is None and name in PRECONDITIONED:
            raise ValueError(f"optimizer {name} divides by its state, which it has after a step: give a checkpoint")

    def configuration(self) -> Json:
        """Returns what is asked for, as run.json keeps it."""
        return {
            "study": study_name(self.study),
            "checkpoint": None if self.checkpoint is None else str(self.checkpoint),
            "optimizer": self.optimizer,
            "learning_rate": self.learning_rate,
            "momentum": self.momentum,
            "mini_batch": self.mini_batch,
            **asked_delays(self.delays, self.stages),
        }

    def carried_out(self) -> Probe:
        """Returns the conclusions. Raises InputError if study, checkpoint or model cannot be used."""
        from tautune.analysis.probe_conclusion import concluded
        from tautune.runners.probe_checkpoint import load_checkpoint
        from tautune.runners.study_problem import study_and_problem
        from tautune.trainables.curvature.probing import curvature_of
        from tautune.trainables.theory.problem import ProblemParts

        study, problem = study_and_problem(self.study)
        with user_input():
            check_mini_batch(self.mini_batch, study.name, len(problem))
            problem = ProblemParts.of(problem).on(device_of(self.device))
            loaded = None
            if self.checkpoint is not None:
                late = bool(self.delays or self.stages)
                loaded = load_checkpoint(self.checkpoint, problem.model, self.optimizer, late=late)
                problem.model.train()  # batch norm is then as in the training that the checkpoint is of
            optimizer = loaded or self._fresh(problem)
            if self.learning_rate is not None and loaded is not None:
                _scale(loaded, self.learning_rate)
            found = curvature_of(
                problem.model,
                problem.loss,
                self._batches(problem),
                optimizer=optimizer,
                stages=self.stages,
                l2=problem.l2,
            )
            if loaded is None and self.learning_rate is None:
                found = replace(found, learning_rate=None)
            return concluded(found, study=study.name, delays=self.delays, stages=self.stages)

    def _fresh(self, problem: Problem) -> Any:
        """Returns the optimizer before its first step."""
        from tautune.runners.probe_checkpoint import make

        name = self.optimizer or "sgd"
        m = default_momentum(name) if self.momentum is None else self.momentum
        return make(name, problem.parameters, self.learning_rate or 1.0, m)

    def _batches(self, problem: Problem) -> Sequence[Any]:
        size = self.mini_batch or problem.chunk
        return list(zip(problem.inputs.split(size), problem.targets.split(size), strict=True))


def _scale(optimizer: Any, learning_rate: float) -> None:
    """Gives the first group this learning rate, and all others the same multiple of theirs."""
    first = float(optimizer.param_groups[0]["lr"])
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * (float(group["lr"]) / first if first else 1.0)


def asked_delays(delays: Sequence[Delays] | None, stages: Sequence[int]) -> Json:
    """Returns the delays that are asked about, as run.json keeps them: `delays`, or `drawn` ones, or `stages`."""
    every = delays or ()
    drawn = [[d, p] for one in every if one.drawn for d, p in zip(one.steps, one.shares, strict=True)]
    return {"delays": [one.maximum for one in every if one.is_fixed], "drawn": drawn, "stages": list(stages)}
