"""A Tune trainable that trains several runs of one optimizer together and follows their sharpness."""

from typing import Any

import torch
from ray import tune

from tautune.trainables.edge.following import Following, Sample
from tautune.trainables.edge.runs import Run, Runs
from tautune.trainables.raised import ends_with_what_it_raises
from tautune.trainables.theory.problem import ProblemParts


class EdgeTrial(tune.Trainable):
    """Trains the runs first … last-1; a step of the trial goes to the next look.

    In a result, `samples` are what was seen there. A trial has no checkpoint: all it saw is in its results, and one
    that is started anew sees the same again.

    The config holds `bounds` (first, last). `tune.with_parameters` supplies the rest, which the trials of a node share:
    `runs`, `problem` (`ProblemParts`), `starts` (numpy arrays by seed), `optimizer`, `decay`, `steps`, `every`,
    `stacked` and `device`.
    """

    def setup(self, config: dict[str, Any], *, problem: ProblemParts, **shared: Any) -> None:
        torch.set_num_threads(1)  # trials share the machine
        self.shared = shared
        self.problem = problem.on(shared["device"])
        self.problem.model.eval()
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Reuses the actor with its data and its network."""
        first, last = new_config["bounds"]
        runs = [Run(*run) for run in self.shared["runs"][first:last]]
        trainings = Runs(
            self.problem,
            runs,
            [torch.tensor(self.shared["starts"][run.seed]) for run in runs],
            optimizer=self.shared["optimizer"],
            decay=self.shared["decay"],
            stacked=self.shared["stacked"],
        )
        self.following = Following(trainings, every=self.shared["every"])
        return True

    @ends_with_what_it_raises
    def step(self) -> dict[str, Any]:
        samples: list[Sample] = self.following.advance()
        trainings = self.following.trainings
        return {
            "samples": [tuple(sample) for sample in samples],
            "done": trainings.time >= self.shared["steps"] or not trainings.alive,
        }
