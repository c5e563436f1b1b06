"""Shows a tuning and a refit while they run: a live table on a terminal, a line for each finished trial elsewhere."""

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tautune.commands.sweep_display import show_hosts
from tautune.commands.tuning_tables import as_score, results_table
from tautune.runners.trials import Json, Trials, failure_file, name_of
from tautune.runners.tuning_listener import TuningListener

SHOWN = 5
"""Configurations in the table: what fits on any screen beside the lines of the shell."""


class TuningDisplay(TuningListener):
    """Prints on `console`; what is there at the end of the run stays."""

    def __init__(self, console: Console, *, started: float | None = None) -> None:
        super().__init__(started=started)
        self.console = console
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None

    def say(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, highlight=False, markup=False)

    def run_began(self, trials: Trials) -> None:
        if self._live:
            self._live.start()

    def trial_reported(self, trials: Trials, *, running: int, seconds_left: float | None) -> None:
        if self._live:
            self._live.update(_live_table(trials, running, seconds_left))

    def trial_ended(self, trials: Trials, row: Json) -> None:
        if self._live:
            return
        state = "" if row["state"] in ("finished", "stopped") else f" {row['state']}"
        best, goal = trials.best(), trials.goal
        best_text = f"; best so far {as_score(best, goal)} (trial {name_of(best)})" if best else ""
        count = row["epochs_trained"]
        unit = goal.unit if count != 1 else goal.unit.removesuffix("s")
        score = f" {goal.words} {as_score(row, goal)}"
        why = ""
        if row["state"] == "failed":  # whose score is only the study's penalty
            score, why = "", f": {row['failure']} ({failure_file(trials.folder, row)})"
        self.say(
            f"{trials.ended} of {trials.total}: trial {name_of(row)}{state}{score} after {count} {unit}{why}{best_text}"
        )

    def run_ended(self, trials: Trials) -> None:
        if self._live:
            self._live.update("")
            self._live.stop()
        if trials.best():
            self.console.print(results_table(trials.ranked(), trials.goal, top=SHOWN))
            show_hosts((row.get("host") for row in trials.rows.values()), self.console)

    def epoch_ended(self, epoch: int, epochs: int, training_loss: float) -> None:
        self.say(f"epoch {epoch} of {epochs}: training loss {training_loss:.4f}")


def _live_table(trials: Trials, running: int, seconds_left: float | None) -> Table:
    table = results_table(trials.ranked(), trials.goal, top=SHOWN)
    left = "" if seconds_left is None else f", {seconds_left:.0f} s left"
    table.caption = f"{running} running, {trials.ended} of {trials.total} trials ended{left}"
    return table
