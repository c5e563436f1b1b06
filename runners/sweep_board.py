"""TensorBoard's view of a sweep while it runs: how each delay's bracket closes in, and the way to the minimum."""

from typing import Any

from ray import tune

from tautune.records.event_files import open_events
from tautune.records.storage import Folder
from tautune.records.summaries import event, scalars
from tautune.trainables.threshold.record import MeasurementRecord

BRACKET, ESCAPE, DESCENT = "2 bracket by tries", "3 escape by tries", "4 descent by gradient evaluations"
MARK = b" by "
"""What every record of these groups has in it."""


class SweepBoard(tune.Callback):
    """Writes each learning rate that a measurement tried, once: a measurement that goes on has the earlier ones."""

    def __init__(self, folder: Folder) -> None:
        self.events = open_events(folder, MARK)

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks into a file, from which this one is never loaded

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Any, **info: Any) -> None:
        """Adds what the board lacks of a measurement, or a round of the descent."""
        if "record" in result:
            self._show_measurement(result["record"])
        elif result["timesteps_total"] > self.events.steps.get("minimum", 0):
            numbers = {f"{DESCENT}/{name}": result[name] for name in ("gradient_norm", "loss")}
            self.events.append("minimum", [event(scalars(numbers), result["timesteps_total"])])

    def _show_measurement(self, record: MeasurementRecord) -> None:
        seed = f" seed={record.settings.seed}" if record.settings.varies else ""
        name = f"τ={record.settings.delay:02d}{seed}"
        tried = [{f"{BRACKET}/η": s.learning_rate, f"{BRACKET}/growth rate": s.growth} for s in record.samples]
        left = [{f"{ESCAPE}/η": d.learning_rate, f"{ESCAPE}/steps to leave": d.steps} for d in record.departures]
        steps = [*enumerate(tried, 1), *enumerate(left, 1)]
        shown = self.events.reports.get(name, 0)
        self.events.append(name, [event(scalars(numbers), step) for step, numbers in steps[shown:]])
        self.events.reports[name] = max(shown, len(steps))

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        """Writes what waits."""
        self.events.close()
