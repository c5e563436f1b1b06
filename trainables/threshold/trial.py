"""The Ray Tune trainables of a sweep: one trains to the minimum, the other measures one delay per trial."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ray import tune
from threadpoolctl import threadpool_limits

from tautune.trainables.asynchronous.replay import DELAYS
from tautune.trainables.raised import ends_with_what_it_raises
from tautune.trainables.theory.problem import Problem, ProblemParts
from tautune.trainables.threshold.descent import Descent, MinimumNotReached
from tautune.trainables.threshold.measurement import Measurement
from tautune.trainables.threshold.minimum import Minimum
from tautune.trainables.threshold.record import Key, MeasurementRecord, Settings


def _on(device: str, parts: ProblemParts) -> Problem:
    torch.set_num_threads(1)  # trials share the machine, and sums come out the same on every machine
    threadpool_limits(1)  # SciPy's too, whatever OMP_NUM_THREADS was when this process imported it
    return parts.on(device)


class MinimumTrial(tune.Trainable):
    """Trains a problem to its minimum; one step is one round of the descent. The last checkpoint holds the minimum.

    The config holds tolerance and budget (gradient evaluations). `tune.with_parameters` supplies `problem`, `device`
    and `begun`, the state of an earlier descent from which to continue.
    """

    def setup(
        self, config: dict[str, Any], *, problem: ProblemParts, device: str, begun: dict[str, Any] | None = None
    ) -> None:
        self.descent = Descent(_on(device, problem), tolerance=config["tolerance"], budget=config["budget"])
        self.minimum: Minimum | None = None
        self.failure = ""
        if begun:
            self.descent.load_state_dict(begun)

    @ends_with_what_it_raises
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
    """Measures one delay; one step is one learning rate. A result's `record` is the `MeasurementRecord` so far.

    The config holds the measurement's delay and seed. `tune.with_parameters` supplies `problem`, `device`, `minimum`
    (its `state_dict`) and, by (delay, seed), the `settings` of every measurement and the records already `begun`.
    """

    def setup(
        self,
        config: dict[str, Any],
        *,
        problem: ProblemParts,
        device: str,
        minimum: dict[str, Any],
        settings: Mapping[Key, Settings],
        begun: Mapping[Key, MeasurementRecord],
    ) -> None:
        self.settings, self.begun = settings, begun
        self.problem = _on(device, problem)
        self.minimum = Minimum(**minimum).to(device)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Reuses the actor with its data and network; every measurement first sets the network's parameters."""
        self.cleanup()
        key = new_config["measurement"]["delay"], new_config["measurement"]["seed"]
        self.measurement = Measurement(self.problem, self.minimum, self.settings[key])
        if record := self.begun.get(key):
            self.measurement.load(record)
        return True

    def cleanup(self) -> None:
        """Ends the workers, if there are any."""
        if hasattr(self, "measurement"):
            self.measurement.close()

    @ends_with_what_it_raises
    def step(self) -> dict[str, Any]:
        if not self.measurement.done:
            self.measurement.advance()
        record = self.measurement.record()
        last = record.samples[-1]
        result = {
            "record": record,
            "gradient_evaluations": record.gradient_evaluations,
            "learning_rate": last.learning_rate,
            "growth_rate": last.growth,
            "timesteps_total": sum(s.steps for s in record.samples) + sum(d.steps for d in record.departures),
            "done": record.done,
        }
        if rows := self.measurement.reported():
            result[DELAYS] = rows
        if record.threshold:
            result["threshold"] = record.threshold.learning_rate
            result["uncertainty"] = record.threshold.uncertainty
        if record.departures:
            result["learning_rate"] = record.departures[-1].learning_rate
            result["steps_to_leave"] = record.departures[-1].steps
        return result

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        Path(checkpoint_dir, "record.json").write_text(json.dumps(self.measurement.record().as_json()))

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        record = json.loads(Path(checkpoint_dir, "record.json").read_text())
        self.measurement.load(MeasurementRecord.from_json(record))
