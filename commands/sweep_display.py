"""Displays a sweep: a live table on a terminal or one line per finished delay elsewhere, then the final table."""

import time
from collections import Counter
from collections.abc import Iterable

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tautune.analysis.thresholds import Point, Thresholds
from tautune.runners.listeners import Records, SweepListener
from tautune.trainables.theory.optimizer_names import convention
from tautune.trainables.threshold.record import MeasurementRecord

HEADINGS = ("delay τ", "predicted", "measured", "± uncertainty", "relative error", "gradient evaluations")


class SweepDisplay(SweepListener):
    """Prints what a sweep reports.

    Args:
        started: `time.monotonic()` at the command's start, from which its duration is computed.
    """

    def __init__(self, console: Console, started: float) -> None:
        self.console, self.started = console, started
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._finished: set[int] = set()

    def __enter__(self) -> "SweepDisplay":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end_live()

    def say(self, text: str) -> None:
        """Prints one line."""
        self.console.print(text, highlight=False, soft_wrap=True)

    def measured(self, thresholds: Thresholds, delays: list[int], records: Records) -> None:
        """Shows the state of every delay."""
        if self._live:
            self._live.update(_live_table(thresholds, delays, records))
            return
        for point in thresholds.points:
            own = [record for (delay, _), record in records.items() if delay == point.delay]
            if point.delay not in self._finished and all(record.done for record in own):
                self._finished.add(point.delay)
                self.say(
                    f"delay {point.delay}: measured {point.measured:.6g} ± {point.uncertainty:.1g}, predicted "
                    f"{point.predicted:.6g} ({point.relative_error:+.3%}) after {point.gradient_evaluations} gradients"
                )

    def concluded(self, thresholds: Thresholds, records: Records) -> None:
        """Prints the table of all delays and, if there were several hosts, who measured how many."""
        self._end_live()
        if thresholds.points:
            self.console.print(thresholds_table(thresholds))
            if (update := thresholds.update) and (said := convention(update.optimizer, update.m)):
                self.say(said)
            show_hosts((record.host for record in records.values()), self.console)

    def ended(self, thresholds: Thresholds) -> None:
        """Prints where the results are and how long the command took."""
        seconds = time.monotonic() - self.started
        self.say(f"{thresholds.path}: thresholds.json, thresholds.png; {seconds:.1f} s, Ray's start included")

    def _end_live(self) -> None:
        if self._live:
            self._live.update("")
            self._live.stop()


def thresholds_table(thresholds: Thresholds) -> Table:
    """Returns the table that `tautune sweep` prints at its end."""
    table = _empty_table(thresholds)
    for point in thresholds.points:
        table.add_row(*_cells(point))
    return table


def show_hosts(hosts: Iterable[str | None], console: Console) -> None:
    """Prints how many trials each host ran, if there was more than one host."""
    counts = Counter(host for host in hosts if host)
    if len(counts) > 1:
        console.print("trials by host: " + ", ".join(f"{host} {counts[host]}" for host in sorted(counts)))


def _empty_table(thresholds: Thresholds) -> Table:
    table = Table(title=f"{thresholds.study}: largest stable learning rate (sharpness {thresholds.sharpness:.6g})")
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    return table


def _cells(point: Point) -> tuple[str, ...]:
    return (
        str(point.delay),
        f"{point.predicted:.6g}",
        f"{point.measured:.6g}",
        f"{point.uncertainty:.1g}",
        f"{point.relative_error:+.4%}",
        str(point.gradient_evaluations),
    )


def _live_table(thresholds: Thresholds, delays: list[int], records: Records) -> Table:
    table = _empty_table(thresholds)
    table.add_column("state")
    points = {point.delay: point for point in thresholds.points}
    for delay in delays:
        own = [record for (d, _), record in records.items() if d == delay]
        cells = _cells(points[delay]) if delay in points else (str(delay), *[""] * (len(HEADINGS) - 1))
        table.add_row(*cells, _state(own))
    return table


def _state(records: list[MeasurementRecord]) -> str:
    if not records:
        return "waiting"
    if all(record.done for record in records):
        return "done"
    tried = sum(len(record.samples) for record in records)
    watched = sum(len(record.departures) for record in records)
    return f"{tried} learning rates tried" + (f", {watched} departures watched" if watched else "")
