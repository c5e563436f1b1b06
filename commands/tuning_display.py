"""Shows a tuning and a refit while they run: a live table on a terminal, a line for each finished trial elsewhere."""

import time
from collections.abc import Sequence

from rich.console import Console, RenderableType

from tautune.analysis.trial_names import trial_name
from tautune.commands.fitted_table import headings_height, print_whole, print_words
from tautune.commands.pace import Pace, until
from tautune.commands.screen import OnScreen, Screen, clock
from tautune.commands.signs import counted, sparkline, states_line
from tautune.commands.sweep_display import show_hosts
from tautune.commands.tuning_tables import as_score, shared_words, trials_table, when_heading
from tautune.records.storage import Folder, typed
from tautune.runners.trials import BAD, Json, Trials, failure_file, marked, name_of
from tautune.runners.tuning_listener import TuningListener

SHOWN = 5
"""Configurations in the table at the end: what fits on any screen beside the lines below it."""


RANK_SHARE = 20
"""Pause between two rankings as a multiple of the time that one takes: of thousands of trials, none a frame."""


class TuningDisplay(OnScreen, TuningListener):
    """Prints on the screen's console; what is there at the end of the run stays."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen)
        self.pace, self.varying, self._bests = Pace(), list[str](), list[float]()
        self._trials: Trials | None = None
        self._running, self._rank_again = 0, 0.0
        self._ranked: list[Json] = []
        self._budget_ends: float | None = None

    def run_began(self, trials: Trials, varying: Sequence[str]) -> None:
        self._trials, self.varying = trials, list(varying)
        self.doing("starting the first trials")

    def trial_reported(self, trials: Trials, *, running: int, seconds_left: float | None) -> None:
        self.pace.did()
        self._running = running
        self._budget_ends = None if seconds_left is None else time.monotonic() + seconds_left
        best = trials.best() if self.screen.moves else None
        if best and (not self._bests or self._bests[-1] != best[trials.goal.metric]):
            self._bests.append(best[trials.goal.metric])
        self.screen.doing(self._line, self._rows)

    def trial_ended(self, trials: Trials, row: Json) -> None:
        if self.screen.moves and row["state"] != "failed":
            return
        goal, name = trials.goal, trial_name(name_of(row), row["config"], self.varying)
        if row["state"] == "failed":
            outcome = f"failed: {row.get('failure', '')} ({failure_file(trials.folder, row)})"
        else:
            state = "diverged: " if row["state"] == "diverged" else ""
            of = f"{goal.unit.removesuffix('s')} {row['epochs']} of {row['epochs_trained']}"
            outcome = f"{state}{goal.words} {as_score(row, goal)} at {of}"
        best = trials.best()
        so_far = f"; best so far {as_score(best, goal)} (trial {name_of(best)})" if best else ""
        self.say(f"{trials.ended} of {trials.total}: trial {name}: {outcome}{so_far}")

    def run_ended(self, trials: Trials) -> None:
        rows, goal, best = marked(trials.ranked(), trials.goal), trials.goal, trials.best()
        self.screen.doing("ending Ray")
        if best:
            first = next(row for row in rows if row["trial"] == best["trial"])
            title = f"best of {counted(len(rows), 'trials')}"
            table = trials_table(rows[:SHOWN], goal, self.varying, self.console, best=first, title=title)
            print_whole(self.console, table)
            if words := shared_words(rows, self.varying):
                print_words(self.console, words, style="dim")
            show_hosts((row.get("host") for row in rows), self.console)
        if rows:
            print_words(self.console, states_line((row["state"] for row in rows), self.console))
        if best:
            name = trial_name(name_of(best), best["config"], self.varying)
            at = f"{goal.unit.removesuffix('s')} {best['epochs']} of {best['epochs_trained']}"
            self._tell(f"best: {goal.words} {as_score(best, goal)} at {at}\n  trial {name}")

    def concluded(self, folder: Folder, files: str, seconds: float) -> None:
        self.say(f"{typed(folder)}: {files}")
        self.say(f"it took {seconds:.1f} s, Ray's start included")

    def epoch_ended(self, epoch: int, epochs: int, training_loss: float) -> None:
        line = f"epoch {epoch} of {epochs}: training loss {training_loss:.4f}"
        if not self.screen.moves:
            self.say(line)
            return
        self.pace.did()
        self.doing(line + until(self.pace.seconds_left(epochs - epoch)))

    def _tell(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, highlight=False, markup=False)

    def _line(self) -> str:
        """Returns how far the run is, the most important first: a narrow screen shows the beginning."""
        trials = self._trials
        assert trials
        rows = list(trials.rows.values())
        ended = sum(row["state"] not in ("running", "interrupted") for row in rows)
        budget = ""
        if self._budget_ends is not None:
            budget = f" · {clock(max(0.0, self._budget_ends - time.monotonic()))} of the budget left"
        best = ""
        if self._bests:
            value = as_score({trials.goal.metric: self._bests[-1]}, trials.goal)
            best = f" · best {value} {sparkline(self._bests, self.console)}".rstrip()
        rate = self.pace.words(trials.goal.unit)
        left = until(self._seconds_to_go(rows, trials.total))
        return f"{ended} of {trials.total}{left} · {self._running} running{best}{f' · {rate}' if rate else ''}{budget}"

    def _seconds_to_go(self, rows: list[Json], total: int) -> float | None:
        """Returns the seconds until all trials have ended, if they take as many epochs as those that have."""
        ended = [row["epochs_trained"] for row in rows if row["state"] not in (*BAD, "running", "interrupted")]
        if not ended:
            return None
        usual = sum(ended) / len(ended)
        going = sum(max(0.0, usual - row["epochs_trained"]) for row in rows if row["state"] == "running")
        return self.pace.seconds_left(going + usual * max(0, total - len(rows)))

    def _rows(self, console: Console, room: int) -> RenderableType:
        """Returns the best trials and those that run, as many as there is room for."""
        trials = self._trials
        assert trials
        begun = time.monotonic()
        if begun >= self._rank_again:
            self._ranked = trials.ranked()
            self._rank_again = time.monotonic() + RANK_SHARE * (time.monotonic() - begun)
        rows = self._ranked
        best = rows[0] if rows and rows[0]["state"] not in BAD and trials.goal.is_feasible(rows[0]) else None
        headings = (trials.goal.words, when_heading(trials.goal), *dict(trials.goal.others))
        room_for_rows = max(1, room - headings_height(*headings))
        running = [row for row in rows if row["state"] == "running" and row is not best]
        first = [*([best] if best else []), *running][:room_for_rows]
        chosen = {id(row) for row in first}
        others = [row for row in rows[: room_for_rows + len(first)] if id(row) not in chosen]
        chosen |= {id(row) for row in others[: room_for_rows - len(first)]}
        kept = [row for row in rows if id(row) in chosen]
        return trials_table(kept, trials.goal, self.varying, console, best=best, room=room)
