"""When and on which host each trial trained."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.collections import LineCollection

from tautune.analysis.figure_style import FAINT, LABEL_GAP, mark_trials, new_figure, styled
from tautune.analysis.pages.page import Chart, Table
from tautune.analysis.reports.parts.tuned import Tuned


class Span(NamedTuple):
    """A time in which a trial trained, in seconds from the first trial's beginning."""

    trial: str
    host: str
    begin: float
    end: float


def spans(tuned: Tuned) -> list[Span]:
    """Returns when trials trained, in the order of their beginnings; none if the folder does not tell.

    A report came at a time and took a while; reports that follow each other without a pause are one span.
    """
    found: dict[str, list[Span]] = {}
    last: dict[str, float] = {}
    for report in tuned.history.reports:
        if report.at is None:
            return []
        took = max(report.seconds - last.get(report.trial, 0.0), 0.0)
        last[report.trial] = report.seconds
        begin, own = report.at - took, found.setdefault(report.trial, [])
        if own and own[-1].host == report.host and begin - own[-1].end <= max(1.0, took):
            own[-1] = own[-1]._replace(end=report.at)
        else:
            own.append(Span(report.trial, report.host, begin, report.at))
    every = sorted((span for own in found.values() for span in own), key=lambda span: span.begin)
    first = every[0].begin if every else 0.0
    return [span._replace(begin=span.begin - first, end=span.end - first) for span in every]


def lanes(some: list[Span]) -> list[int]:
    """Returns a lane for each span, in which no other one is at its time; as few lanes as there are spans at once."""
    free: list[float] = []
    found = []
    for span in some:
        lane = next((i for i, end in enumerate(free) if end <= span.begin + 1e-9), len(free))
        free[lane : lane + 1] = [span.end]
        found.append(lane)
    return found


@styled
def time_line(tuned: Tuned) -> Chart | None:
    """Returns the trials over time, a lane for each that trains at once, by host; None if the folder has no times."""
    every = spans(tuned)
    if not every:
        return None
    drawn, hosts, top = _placed(every)
    height = min(7.0, 1.1 + 0.24 * top)
    figure = new_figure(height=height)
    axes = figure.subplots()
    lane_points = 72 * (height - 0.8) / top
    lines = LineCollection(
        [[(span.begin, lane), (max(span.end, span.begin + 1e-3), lane)] for span, lane in drawn],
        colors=FAINT,
        linewidths=0.75 * lane_points,
        capstyle="butt",
    )
    mark_trials(axes.add_collection(lines), [span.trial for span, _ in drawn])
    best = {row["trial"]: tuned.style(row) for row in tuned.best}
    end = max(span.end for span in every)
    for span, lane in drawn:
        if span.trial in best:
            colour, marker = best[span.trial]
            mark = axes.scatter(span.begin, lane, color=colour, marker=marker, s=30, zorder=3, clip_on=False)
            mark_trials(mark, [span.trial])
        if span.end - span.begin > end / 25 and lane_points > LABEL_GAP:
            number = tuned.names.get(span.trial, span.trial).split()[0]
            axes.annotate(number, (span.begin, lane), (6, 0), textcoords="offset points", fontsize=7, va="center")
    axes.set_yticks([lane for lane, _ in hosts], [host for _, host in hosts])
    axes.set(ylim=(top - 0.4, -0.8), xlim=(0, end), xlabel="seconds since the first trial began")
    axes.grid(visible=False, axis="y")
    rows = [(tuned.names.get(s.trial, s.trial), s.host, round(s.begin, 3), round(s.end, 3)) for s in every]
    return Chart(
        name="time-line",
        title="When and where each trial trained",
        says="A bar is a trial while it trains, with its number where there is room; a lane holds one at a time."
        + (" The best have their colours and shapes." if best else ""),
        figure=figure,
        table=Table(columns=("trial", "host", "begin, s", "end, s"), rows=rows, trials=[s.trial for s in every]),
    )


def _placed(every: list[Span]) -> tuple[list[tuple[Span, int]], list[tuple[float, str]], int]:
    """Returns each span with its lane, the hosts with the middle of their lanes, and the number of lanes."""
    top, hosts = 0, []
    drawn: list[tuple[Span, int]] = []
    for host in dict.fromkeys(span.host for span in every):
        own = [span for span in every if span.host == host]
        placed = lanes(own)
        drawn += [(span, top + lane) for span, lane in zip(own, placed, strict=True)]
        hosts.append((top + max(placed) / 2, host or "unknown"))
        top += max(placed) + 2
    return drawn, hosts, top - 1
