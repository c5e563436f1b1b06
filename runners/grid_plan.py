"""Prepares a grid: loads its problem, lists its points and finds the missing ones. Nothing here needs Ray."""

from collections.abc import Container
from typing import Any

import torch
from torch import Tensor

from tautune.records.errors import InputError, user_input
from tautune.runners.devices import device_of
from tautune.runners.grid import Grid
from tautune.runners.shared import check_mini_batch
from tautune.runners.study_problem import study_and_problem
from tautune.trainables.grid.point import Course, Point, Task
from tautune.trainables.theory.problem import Problem
from tautune.trainables.theory.sharpness import largest_eigenvalue
from tautune.trainables.threshold.minimum import content_hash

Json = dict[str, Any]
PRECISION = torch.float32
"""Precision in which points are trained, as networks usually are; theory's thresholds use double precision."""


class GridPlan:
    """A grid with its study loaded and checked.

    Raises:
        InputError: the study cannot be used, or does not fit the grid.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.study, problem = study_and_problem(grid.study)
        with user_input():
            self.device = device_of(grid.device)
            check_mini_batch(grid.mini_batch, self.study.name, len(problem))
        self.content = content_hash(problem, tolerance=0.0)
        self.sharpness = _initial_sharpness(problem)
        self.points = grid.points(self.sharpness)
        self.problem = problem.cast(PRECISION)
        storage = torch.bfloat16 if grid.bfloat16_queue else None
        self.course = Course(steps=grid.steps, mini_batch=grid.mini_batch, storage=storage)

    @property
    def configuration(self) -> Json:
        """Returns what two runs in one folder must have in common. Delays, learning rates and seeds may differ."""
        own = {
            "study": self.study.name,
            "content": self.content,
            "device": self.device,
            "precision": str(PRECISION),
        }
        return self.grid.configuration() | own

    @property
    def resources(self) -> dict[str, float]:
        """Returns the resources of each trial."""
        return {"CPU": 1, "GPU": 1} if self.device == "cuda" else {"CPU": 1}

    def missing(self, done: Container[Point]) -> list[Point]:
        """Returns the points that are not in `done`."""
        return [point for point in self.points if point not in done]

    def starts(self, points: list[Point]) -> dict[int, Tensor]:
        """Returns the initial weights [P] of every seed that the points use."""
        return {seed: self.study.start(seed).to(PRECISION) for seed in {point.seed for point in points}}

    def task(self, points: list[Point]) -> Task:
        """Returns everything that training these points needs, except the points themselves."""
        return Task(self.problem, self.starts(points), self.course)


def _initial_sharpness(problem: Problem) -> float:
    """Returns λ at the initial weights. Raises InputError if the loss has no positive curvature there."""
    x = problem.point
    λ = largest_eigenvalue(lambda v: problem.hessian_vector_product(x, v), x, tolerance=1e-4).value
    if not λ > 0:
        raise InputError("the loss has no positive curvature at the initial weights: theory has no threshold there")
    return λ
