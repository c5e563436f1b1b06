"""Several runs in one figure: a line each, with the run's name at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tautune.analysis.figure_style import label_ends, log_axis, new_figure, series, split, styled
from tautune.analysis.pages.page import Chart, Table
from tautune.analysis.reports.charts.progress import improvements
from tautune.analysis.reports.parts.tuned import Tuned
from tautune.analysis.thresholds import Thresholds

Line = Sequence[tuple[float, float]]


@styled
def best_so_far_of(tunings: Mapping[str, Tuned]) -> Chart | None:
    """Returns the best result so far of each tuning against the epochs spent; None if no folder tells of it."""
    first = next(iter(tunings.values()))
    goal, spent = first.goal, first.spent
    lines: dict[str, Line] = {}
    for label, tuned in tunings.items():
        steps = [(spent, value) for spent, value, _ in improvements(tuned)]
        if steps:
            lines[label] = [*steps, (len(tuned.history.reports), steps[-1][1])]
    if not lines:
        return None
    figure = new_figure()
    axes = figure.subplots()
    ends, colours = [], []
    for place, (label, line) in enumerate(lines.items()):
        style = series(place)
        axes.plot(*split(line), drawstyle="steps-post", color=style["color"])
        axes.plot(*split(line[:-1]), linestyle="none", **style)
        ends.append((*line[-1], label))
        colours.append(style["color"])
    values = [value for line in lines.values() for _, value in line]
    if goal.mode == "min" and min(values) > 0 and max(values) > 10 * min(values):
        log_axis(axes, "y", min(values), max(values))
    axes.set(xlabel=f"{spent}, of all trials together", ylabel=f"best {goal.words} so far", xlim=(0, None))
    figure.draw_without_rendering()
    label_ends(axes, ends, colours)
    return Chart(
        name="best-so-far",
        title=f"Best {goal.words} so far",
        says="A line is a run; at a point it found something better than before.",
        figure=figure,
        table=Table(
            columns=("run", spent, goal.words),
            rows=[(label, *point) for label, line in lines.items() for point in line],
        ),
    )


@styled
def thresholds_of(sweeps: Mapping[str, Thresholds], *, times_sharpness: bool) -> Chart:
    """Returns the largest stable learning rate of each sweep against the delay.

    Args:
        sweeps: by what each is called.
        times_sharpness: multiplies each by its sharpness λ, which brings different networks together.
    """
    lines = {
        label: [(p.delay, p.measured * (found.sharpness if times_sharpness else 1)) for p in found.points]
        for label, found in sweeps.items()
        if found.points
    }
    fixed = all(found.delay_is_fixed for found in sweeps.values())
    varying = "" if fixed else " One whose delays vary is a point at its longest delay."
    figure = new_figure()
    axes = figure.subplots()
    ends, colours = [], []
    for place, (label, line) in enumerate(lines.items()):
        style = series(place)
        axes.plot(*split(line), **style)
        ends.append((*line[-1], label))
        colours.append(style["color"])
    delays = sorted({delay for line in lines.values() for delay, _ in line})
    values = [value for line in lines.values() for _, value in line]
    axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    axes.set_xticks(delays, [str(delay) for delay in delays])
    axes.set_xticks([], minor=True)
    log_axis(axes, "y", min(values), max(values))
    what = "η λ at the stability threshold" if times_sharpness else "largest stable learning rate η"
    axes.set(xlabel="delay τ, steps", ylabel=what)
    figure.draw_without_rendering()
    label_ends(axes, ends, colours)
    return Chart(
        name="thresholds-times-sharpness" if times_sharpness else "thresholds",
        title="The same, times each one's sharpness λ" if times_sharpness else "Largest stable learning rates",
        says="What still lies apart is not due to the networks' curvature but to how gradients become steps."
        if times_sharpness
        else f"A line is a sweep.{varying}",
        figure=figure,
        table=Table(
            columns=("run", "delay τ", "η λ" if times_sharpness else "η"),
            rows=[(label, *point) for label, line in lines.items() for point in line],
        ),
    )
