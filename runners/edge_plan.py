"""Prepares trainings that are followed to their edge: loads the problem, lists the runs and finds the missing ones."""

from collections.abc import Iterable
from typing import Any

import torch

from tautune.records.errors import InputError, user_input
from tautune.runners.devices import device_of
from tautune.runners.edge import ADAPTIVE_RATE, SHARPENING, Edge
from tautune.runners.study_problem import study_and_problem
from tautune.trainables.edge.following import Sample
from tautune.trainables.edge.names import loop_of
from tautune.trainables.edge.runs import Run
from tautune.trainables.theory.sharpness import largest_eigenvalue
from tautune.trainables.threshold.minimum import content_hash

Json = dict[str, Any]
PRECISION = torch.float32


class EdgePlan:
    """The settings with their study loaded and checked.

    Raises:
        InputError: the study cannot be used.
    """

    def __init__(self, edge: Edge) -> None:
        self.edge = edge
        self.study, problem = study_and_problem(edge.study)
        with user_input():
            self.device = device_of(edge.device)
        self.content = content_hash(problem, tolerance=0.0)
        x = problem.point
        self.sharpness = largest_eigenvalue(lambda v: problem.hessian_vector_product(x, v), x, tolerance=1e-4).value
        """λ at the initial weights, of the loss itself."""
        if not self.sharpness > 0:
            raise InputError(
                "the loss has no positive curvature at the initial weights: it does not say where to begin"
            )
        self.problem = problem.cast(PRECISION)

    @property
    def configuration(self) -> Json:
        """Returns what two runs in one folder must have in common. Delays, learning rates and seeds may differ."""
        own = {"study": self.study.name, "content": self.content, "precision": str(PRECISION)}
        return self.edge.configuration() | own | {"sharpness": self.sharpness}

    @property
    def runs(self) -> list[Run]:
        """Returns all trainings, those of one delay together."""
        return [
            Run(delay, rate, seed)
            for delay in sorted(set(self.edge.delays))
            for rate in self._rates(delay)
            for seed in range(self.edge.seeds)
        ]

    def missing(self, samples: Iterable[Sample]) -> list[Run]:
        """Returns the trainings that have not come to their end in `samples`."""
        last = self.edge.every * (self.edge.steps // self.edge.every)
        ended = {sample.run for sample in samples if sample.diverged or sample.step >= last}
        return [run for run in self.runs if run not in ended]

    def _rates(self, delay: int) -> tuple[float, ...]:
        if self.edge.learning_rates:
            return self.edge.learning_rates
        if self.edge.divides:
            return (ADAPTIVE_RATE,)
        edge = SHARPENING * self.sharpness
        return (float(f"{loop_of(self.edge.optimizer, delay).threshold / edge:.6g}"),)
