"""Displays a sweep: a live table on a terminal or one line per finished delay elsewhere, then the final table."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from tautune.analysis.thresholds import Point, Thresholds
from tautune.commands.fitted_table import Column, fitted_table, print_whole
from tautune.commands.pace import Pace, until
from tautune.commands.screen import OnScreen, Screen
from tautune.commands.signs import sign
from tautune.records.storage import typed
from tautune.runners.listeners import Records, SweepListener
from tautune.trainables.theory.optimizer_names import convention
from tautune.trainables.threshold.record import Departure, Key, MeasurementRecord
from tautune.trainables.threshold.search import Sample
from tautune.trainables.threshold.update import Update


class SweepDisplay(OnScreen, SweepListener):
    """Prints what a sweep reports."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen)
        self.pace = Pace()
        self._keys: Sequence[Key] = ()
        self._known: tuple[Thresholds, list[int], Records] | None = None
        self._announced: set[int] = set()
        self._told: Counter[Key] = Counter()

    def begun(self, keys: Sequence[Key]) -> None:
        """Takes in what is to be measured."""
        self._keys = keys
        self.doing("starting the first measurements")

    def measured(self, thresholds: Thresholds, delays: list[int], records: Records) -> None:
        """Shows the state of every delay; a threshold is told once it is certain, whatever is watched after it."""
        self._known = thresholds, delays, dict(records)
        self.pace.did()
        self.screen.doing(self._line, self._rows)
        if self.screen.moves:
            return
        for key, record in records.items():
            if (update := record.settings.update) and update.workers:
                self._tell_trainings(key, record)
        for point in thresholds.points:
            if point.delay not in self._announced:
                self._announced.add(point.delay)
                self.say(
                    f"delay {thresholds.called(point.delay)}: measured {point.measured:.6g} "
                    f"± {point.uncertainty:.1g}, predicted {point.predicted:.6g} ({point.relative_error:+z.3%}) "
                    f"after {point.gradient_evaluations} gradients"
                )

    def _tell_trainings(self, key: Key, record: MeasurementRecord) -> None:
        """Prints each training of real workers: one takes long enough for a reader to wonder whether anything runs."""
        tried = [_tried(sample) for sample in record.samples]
        for line in [*tried, *map(_watched, record.departures)][self._told[key] :]:
            self.say(line)
        self._told[key] = _trainings(record)

    def concluded(self, thresholds: Thresholds, records: Records) -> None:
        """Prints the table of all delays and, if there were several hosts, who measured how many."""
        self.screen.doing("ending Ray")
        if thresholds.points:
            title = f"{thresholds.study}: largest stable learning rate (sharpness {thresholds.sharpness:.6g})"
            delays = [point.delay for point in thresholds.points]
            print_whole(self.console, delays_table(thresholds, delays, records, self.console, title=title))
            if (update := thresholds.update) and (said := convention(update.optimizer, update.m)):
                self.say(said)
            if update and update.is_preconditioned:
                self.say(
                    "the sharpness is that of the preconditioned loss, where v is held: the mean of mini-batches' "
                    "squared gradients at the minimum"
                )
            for point in thresholds.points:
                if point.typical is not None:
                    self.say(_told_apart(point, update))
            show_hosts((record.host for record in records.values()), self.console)

    def ended(self, thresholds: Thresholds) -> None:
        """Prints where the results are and how long the command took."""
        self.screen.end()
        seconds = time.monotonic() - self.screen.started
        assert thresholds.path is not None
        self.say(f"{typed(thresholds.path)}: thresholds.json, thresholds.png")
        self.say(f"it took {seconds:.1f} s, Ray's start included")

    def _line(self) -> str:
        assert self._known
        *_, records = self._known
        wanted = [records.get(key) for key in self._keys]
        done = [record for record in wanted if record and record.done]
        begun = [record for record in wanted if record and not record.done]
        left = ""
        if done:  # the others take as many trainings as those, on average
            usual = sum(map(_trainings, done)) / len(done)
            rest = sum(max(0.0, usual - _trainings(record)) for record in begun)
            left = until(self.pace.seconds_left(rest + usual * (len(wanted) - len(done) - len(begun))))
        rate = self.pace.words("trainings")
        return f"{len(done)} of {len(wanted)} measured{left} · {len(begun)} running{f' · {rate}' if rate else ''}"

    def _rows(self, console: Console, room: int) -> RenderableType:
        assert self._known
        thresholds, delays, records = self._known
        return delays_table(thresholds, delays, records, console, room=room)


def delays_table(
    thresholds: Thresholds,
    delays: Iterable[int],
    records: Records,
    console: Console,
    *,
    title: str = "",
    room: int | None = None,
) -> Table:
    """Returns a row for each delay, or for as many as there is room for; with their states unless all are measured."""
    states = {delay: _state([record for (d, _), record in records.items() if d == delay]) for delay in delays}
    shown = list(states)
    if room is not None:
        shown = sorted(sorted(shown, key=lambda delay: INTEREST.index(states[delay][0]))[: max(1, room - 2)])
    points = {point.delay: point for point in thresholds.points}
    columns = [Column("delay τ", [thresholds.called(delay) for delay in shown], justify="right")]
    for heading, (rank, text) in NUMBERS.items():
        cells = [text(points[delay]) if delay in points else "" for delay in shown]
        if heading == SINGLE and not any(cells):
            continue
        columns.append(Column(heading, cells, rank=rank, justify="right"))
    if any(state != "finished" for state, _ in states.values()):
        told = [states[delay] for delay in shown]
        columns.append(Column("state", [Text.assemble(sign(state, console), f" {words}") for state, words in told]))
    return fitted_table(columns, console, title=title, room=room)


SINGLE = "a single training"
"""The column of thresholds that typical growth has, where delays vary."""
NUMBERS: dict[str, tuple[int, Callable[[Point], str]]] = {
    "predicted": (1, lambda point: f"{point.predicted:.6g}"),
    SINGLE: (2, lambda point: "" if point.typical is None else f"{point.typical:.4g}"),
    "measured": (0, lambda point: f"{point.measured:.6g}"),
    "± uncertainty": (3, lambda point: f"{point.uncertainty:.1g}"),
    "relative error": (2, lambda point: f"{point.relative_error:+z.4%}"),
    "gradient evaluations": (4, lambda point: str(point.gradient_evaluations)),
}
"""The columns of a sweep's table, each with its rank: those of the highest are left out first on a narrow screen."""
INTEREST = ("running", "finished", "interrupted")
"""States in the order in which their rows are kept where there is no room for all of them."""


def show_hosts(hosts: Iterable[str | None], console: Console) -> None:
    """Prints how many trials each host ran, if there was more than one host."""
    counts = Counter(host for host in hosts if host)
    if len(counts) > 1:
        console.print("trials by host: " + ", ".join(f"{host} {counts[host]}" for host in sorted(counts)))


def _told_apart(point: Point, update: Update | None) -> str:
    """Returns why what was measured differs from what theory predicts in the mean, and from what of a single run."""
    assert point.typical is not None
    which = "these ages in their order" if update and update.workers else "such delays"
    return (
        "the predicted learning rate is that of the mean of many trainings, which cancel one another; a single "
        f"training with {which} is stable up to {point.typical:.4g}, which the recursion shows when it is followed "
        f"step by step, and what was measured is {point.measured / point.typical - 1:+z.1%} from that"
    )


def _trainings(record: MeasurementRecord) -> int:
    """Returns the learning rates at which a measurement has trained so far, to find the threshold and above it."""
    return len(record.samples) + len(record.departures)


def _tried(sample: Sample) -> str:
    """Returns what a training beside the minimum has shown of its learning rate."""
    way = f"{'grows' if sample.growth > 0 else 'shrinks'} by {abs(math.expm1(sample.growth)):.2%} a step"
    found = way if sample.decided else "neither grows nor shrinks for certain"
    return f"learning rate {sample.learning_rate:.4g}: the distance to the minimum {found}, after {sample.steps} steps"


def _watched(departure: Departure) -> str:
    """Returns when a training above the threshold has left the minimum."""
    left = "has left the minimum after" if departure.left else "is still at the minimum after"
    return f"learning rate {departure.learning_rate:.4g}: training {left} {departure.steps} steps"


def _state(records: list[MeasurementRecord]) -> tuple[str, str]:
    """Returns the state of a delay: the learning rates that were tried, and the departures above the threshold."""
    if not records:
        return "interrupted", "waiting"
    if all(record.done for record in records):
        return "finished", "done"
    tried = sum(len(record.samples) for record in records)
    watched = sum(len(record.departures) for record in records)
    return "running", f"{tried} tried" + (f", {watched} watched" if watched else "")
