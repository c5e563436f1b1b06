"""Shows a sweep while it runs: a live table on a terminal, a line a finished point elsewhere."""

from collections import Counter
from collections.abc import Iterable

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tautune.analysis.thresholds import Point, Thresholds
from tautune.trainables.threshold.record import MeasurementRecord


class SweepProgress:
    """A context in which `say` and `show` may be called; what is on screen at its end stays there."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._finished: set[int] = set()

    def __enter__(self) -> "SweepProgress":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.update("")
            self._live.stop()

    def say(self, text: str) -> None:
        self.console.print(text, highlight=False)

    def show(
        self, thresholds: Thresholds, delays: list[int], records: dict[tuple[int, int], MeasurementRecord]
    ) -> None:
        """The state of every delay, from the measurements by (delay, seed) so far."""
        if self._live:
            self._live.update(_live_table(thresholds, delays, records))
            return
        for point in thresholds.points:
            own = [r for (delay, _), r in records.items() if delay == point.delay]
            if point.delay not in self._finished and all(r.done for r in own):
                self._finished.add(point.delay)
                self.say(
                    f"delay {point.delay}: measured {point.measured:.6g} ± {point.uncertainty:.1g}, predicted "
                    f"{point.predicted:.6g} ({point.relative_error:+.3%}) after {point.gradient_evaluations} gradients"
                )


def results_table(thresholds: Thresholds) -> Table:
    """What `tautune sweep` prints at its end."""
    table = _empty_table(thresholds)
    for point in thresholds.points:
        table.add_row(*_cells(point))
    return table


def _empty_table(thresholds: Thresholds) -> Table:
    table = Table(title=f"{thresholds.study}: largest stable learning rate (sharpness {thresholds.sharpness:.6g})")
    for heading in ("delay τ", "predicted", "measured", "± uncertainty", "relative error", "gradient evaluations"):
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


def _live_table(thresholds: Thresholds, delays: list[int], records: dict[tuple[int, int], MeasurementRecord]) -> Table:
    table = _empty_table(thresholds)
    table.add_column("state")
    points = {point.delay: point for point in thresholds.points}
    for delay in delays:
        own = [r for (d, _), r in records.items() if d == delay]
        cells = _cells(points[delay]) if delay in points else (str(delay), *[""] * 5)
        table.add_row(*cells, _state(own))
    return table


def _state(records: list[MeasurementRecord]) -> str:
    if not records:
        return "waiting"
    if all(r.done for r in records):
        return "done"
    tried = sum(len(r.samples) for r in records)
    watched = sum(len(r.departures) for r in records)
    return f"{tried} learning rates tried" + (f", {watched} watched leaving" if watched else "")


def show_hosts(hosts: Iterable[str | None], console: Console) -> None:
    """How many trials each host ran; nothing where there was one host."""
    counts = Counter(host for host in hosts if host)
    if len(counts) > 1:
        console.print("trials by host: " + ", ".join(f"{host} {counts[host]}" for host in sorted(counts)))
