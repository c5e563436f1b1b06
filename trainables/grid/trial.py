"""A Tune trainable that trains many points of a grid in one trial. It imports little, so that trials start fast."""

import time
from typing import Any

import torch
from ray import tune

from tautune.trainables.grid.plan import Plan, TooManyPoints, plan, stacks, train
from tautune.trainables.grid.point import Outcome, Point, Task
from tautune.trainables.raised import ends_with_what_it_raises
from tautune.trainables.theory.problem import ProblemParts

REPORT_SECONDS = 2.0
"""Shortest training time in seconds between two reports: a killed run loses this much, and one stack more."""


class GridTrial(tune.Trainable):
    """Trains the points first … last-1 stack by stack; one step is one or several stacks.

    In a result, `rows` are pairs (number of the point, `Outcome`), `measured` holds the seconds of a point's step by
    the number of points trained at once, and `failure` is a message if the points do not fit into memory. A trial has
    no checkpoint: all it measured is in its results.

    The config holds `bounds` (first, last). `tune.with_parameters` supplies the rest, which the trials of a node share:
    `points` (an array of `POINTS`), `problem` (`ProblemParts`), `starts` (numpy arrays by seed), `course`, `device`,
    `stackable`, `at_once` (None to measure it) and `memory_share` (the fraction of the device's memory for a trial).
    """

    def setup(self, config: dict[str, Any], *, problem: ProblemParts, device: str, **shared: Any) -> None:
        torch.set_num_threads(1)  # trials share the machine
        self.shared = shared
        starts = {seed: torch.tensor(x).to(device) for seed, x in shared["starts"].items()}
        self.task = Task(problem.on(device), starts, shared["course"])
        self.plan: Plan | None = None
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Reuses the actor with its data, its network and the plan that it measured."""
        self.next, last = new_config["bounds"]
        self.points = [Point.of(record) for record in self.shared["points"][self.next : last]]
        self.stacks: list[list[Point]] = []
        return True

    @ends_with_what_it_raises
    def step(self) -> dict[str, Any]:
        if not self.stacks:
            try:
                self._divide()
            except TooManyPoints as error:
                return {"rows": [], "failure": str(error), "done": True}
        assert self.plan is not None
        begun, first = time.perf_counter(), self.next
        outcomes: list[Outcome] = []
        while self.stacks and (not outcomes or time.perf_counter() - begun < REPORT_SECONDS):
            outcomes += train(self.task, self.stacks.pop(0))
        self.next += len(outcomes)
        return {
            "rows": list(enumerate(outcomes, start=first)),
            "at_once": self.plan.at_once,
            "measured": dict(self.plan.seconds),
            "failure": "",
            "done": not self.stacks,
        }

    def _divide(self) -> None:
        names = ("at_once", "stackable")
        chosen = {name: self.shared[name] for name in names}
        self.plan = self.plan or plan(self.task, self.points, **chosen, share=self.shared["memory_share"])
        self.stacks = stacks(self.task, self.points, self.plan)
