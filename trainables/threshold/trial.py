"""The sweep's Ray Tune trainables: train to the minimum, then measure one delay a trial."""

import json
from pathlib import Path
from typing import Any

import torch
from ray import tune

from tautune import search_spaces
from tautune.trainables.theory.problem import Problem
from tautune.trainables.threshold.measurement import Measurement, Settings
from tautune.trainables.threshold.minimum import Descent, Minimum, MinimumNotReached


def _study_problem(config: dict[str, Any]) -> Problem:
    torch.set_num_threads(1)  # trials share the machine; and sums come out the same wherever a trial runs
    return search_spaces.find(config["study"]).problem(config["device"])


class MinimumTrial(tune.Trainable):
    """Trains a study to its minimum; one step is a round of L-BFGS. The last checkpoint holds the minimum.

    Config: study, device, tolerance, budget (gradient evaluations).
    """

    def setup(self, config: dict[str, Any], begun: dict[str, Any] | None = None) -> None:
        self.descent = Descent(_study_problem(config), tolerance=config["tolerance"], budget=config["budget"])
        self.minimum: Minimum | None = None
        self.failure = ""
        if begun:
            self.descent.load_state_dict(begun)

    def step(self) -> dict[str, Any]:
        descent = self.descent
        ended = descent.advance()
        if ended:
            try:
                self.minimum = descent.minimum()
            except MinimumNotReached as error:
                self.failure = str(error)
        return {
            "loss": descent.loss,
            "gradient_norm": descent.gradient_norm,
            "sharpness": self.minimum.sharpness if self.minimum else 0.0,
            "timesteps_total": descent.evaluations,
            "failure": self.failure,
            "done": ended,
        }

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        state = {"descent": self.descent.state_dict(), "minimum": self.minimum and self.minimum.state_dict()}
        torch.save(state, Path(checkpoint_dir) / "minimum.pt")

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        state = torch.load(Path(checkpoint_dir) / "minimum.pt", weights_only=True)
        self.descent.load_state_dict(state["descent"])


class DelayTrial(tune.Trainable):
    """Measures one delay; one step is one learning rate. A result's `record` is the measurement so far, as JSON.

    Config: study, device, settings (the fields of `Settings`). `begun` holds earlier measurements to go on from,
    by (delay, seed).
    """

    def setup(
        self,
        config: dict[str, Any],
        minimum: dict[str, Any] | None = None,
        begun: dict[tuple[int, int], dict[str, Any]] | None = None,
    ) -> None:
        assert minimum is not None
        self.begun = begun or {}
        self.problem = _study_problem(config)
        self.minimum = Minimum(**minimum).to(config["device"])
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Reuses the actor: the data and the network stay, a measurement begins by moving the network."""
        settings = Settings(**new_config["settings"])
        self.measurement = Measurement(self.problem, self.minimum, settings)
        if record := self.begun.get((settings.delay, settings.seed)):
            self.measurement.load_state_dict(record)
        return True

    def step(self) -> dict[str, Any]:
        measurement = self.measurement
        if not measurement.done:
            measurement.advance()
        record = measurement.state_dict()
        last = measurement.search.samples[-1]
        result = {
            "record": json.dumps(record),
            "gradient_evaluations": measurement.gradient_evaluations,
            "learning_rate": last.learning_rate,
            "growth_rate": last.growth,
            "timesteps_total": sum(s.steps for s in measurement.search.samples)
            + sum(d.steps for d in measurement.departures),
            "done": measurement.done,
        }
        if record["threshold"]:
            result["threshold"] = record["threshold"]["learning_rate"]
            result["uncertainty"] = record["threshold"]["uncertainty"]
        if measurement.departures:
            result["learning_rate"] = measurement.departures[-1].learning_rate
            result["steps_to_leave"] = measurement.departures[-1].steps
        return result

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        Path(checkpoint_dir, "record.json").write_text(json.dumps(self.measurement.state_dict()))

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        self.measurement.load_state_dict(json.loads(Path(checkpoint_dir, "record.json").read_text()))
