"""The figures of a sweep's page, a panel each; what is drawn in them is in `threshold_figure.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tautune.analysis.delay_axis import delay_axis
from tautune.analysis.figure_style import (
    BLUE,
    FAINT,
    HEIGHT,
    QUIET,
    label_ends,
    log_axis,
    new_figure,
    series,
    split,
    styled,
)
from tautune.analysis.pages.page import Chart, Table
from tautune.analysis.point_labels import label_points
from tautune.analysis.threshold_figure import (
    OTHER_THEORIES,
    bar_of,
    draw_error,
    draw_escapes,
    draw_inverse,
    escapes_by_point,
    theory,
)
from tautune.analysis.thresholds import Thresholds
from tautune.analysis.verdicts import error_in_percent, theorys_worth
from tautune.trainables.threshold.record import MeasurementRecord


@styled
def rates(thresholds: Thresholds) -> Chart:
    """Returns the largest stable learning rate against the delay."""
    figure = new_figure()
    axes = figure.subplots()
    points = thresholds.points
    delays, predicted = theory(thresholds)
    axes.plot(delays, predicted, color=FAINT, linewidth=2.4)
    bars = [point.uncertainty for point in points]
    axes.errorbar([p.delay for p in points], [p.measured for p in points], yerr=bars, fmt="o", color=BLUE, capsize=3)
    delay_axis(axes, [point.delay for point in points])
    every = [*(p.measured for p in points), *predicted]
    log_axis(axes, "y", min(every), max(every))
    axes.set(ylabel="largest stable learning rate η", xlim=(-0.15, None))
    label_points(axes, [(point.delay, point.measured, f"{point.measured:.3g}") for point in points])
    return Chart(
        name="rates",
        title="The largest stable learning rate at each delay",
        says=f"Points are measured; the line is theory's at the sharpness λ = {thresholds.sharpness:.5g}. Below the "
        "line training stays at the minimum, above it training leaves. Where a bar cannot be seen, it is smaller than "
        "its point.",
        figure=figure,
        table=points_table(thresholds),
    )


def points_table(thresholds: Thresholds) -> Table:
    """Returns a row for each threshold: theory's, the measured one, and what it cost."""
    columns = ["delay τ", "predicted η", "measured η", "± uncertainty", "error, %", "gradients", "seeds"]
    rows: list[tuple[str | float | None, ...]] = [
        (
            *(
                p.delay if thresholds.delay_is_fixed else thresholds.called(p.delay),
                p.predicted,
                p.measured,
                p.uncertainty,
            ),
            *(error_in_percent(p), p.gradient_evaluations, p.seeds),
        )
        for p in thresholds.points
    ]
    for name, heading in OTHER_THEORIES.items():
        if any(getattr(point, name) for point in thresholds.points):
            columns.append(heading)
            rows = [(*row, getattr(point, name)) for row, point in zip(rows, thresholds.points, strict=True)]
    return Table(columns=columns, rows=rows)


@styled
def inverse(thresholds: Thresholds) -> Chart:
    """Returns 1/η against 2τ+1."""
    fit = thresholds.fit()
    said = f"The straight line through the points has R² = {fit['r_squared']:.6f}." if fit else ""
    update = thresholds.update
    plain = (
        (update.optimizer, update.m, update.remedy) == ("sgd", 0, None) if update else thresholds.momentum.value == 0
    )
    straight = "At long delays theory's 1/η is λ (2τ+1)/π, and it is near that from τ = 1 on. " if plain else ""
    return Chart(
        name="inverse",
        title="1/η is a straight line in 2τ+1" if plain else "1/η against 2τ+1",
        says=f"{straight}{said}" or "Points are measured; the line is theory's.",
        figure=_one(draw_inverse, thresholds),
        table=Table(
            columns=("2τ+1", "1/η measured", "1/η predicted"),
            rows=[(2 * p.delay + 1, 1 / p.measured, 1 / p.predicted) for p in thresholds.points],
        ),
    )


@styled
def error(thresholds: Thresholds) -> Chart:
    """Returns the error of theory at each delay, with its bar named."""
    return Chart(
        name="error",
        title=theorys_worth(thresholds).capitalize(),
        says="Points are the best estimates: measured η divided by theory's, minus 1. A bar says how well each is "
        f"known: {bar_of(thresholds)} to either side.",
        figure=_one(draw_error, thresholds, height=2.6),
        table=Table(
            columns=("delay τ", "error, %", "± uncertainty, %"),
            rows=[(p.delay, error_in_percent(p), 100 * p.uncertainty / p.predicted) for p in thresholds.points],
        ),
    )


@styled
def escapes(thresholds: Thresholds) -> list[Chart]:
    """Returns how soon training leaves the minimum: over η, and over η divided by the threshold."""
    if not escapes_by_point(thresholds):
        return []
    measured = {point.delay: point.measured for point in thresholds.points}
    table = Table(
        columns=("delay τ", "seed", "η", "η / threshold", "epochs", "left"),
        rows=[
            (e.delay, e.seed, e.learning_rate, e.learning_rate / measured[e.delay], e.epochs, e.left)
            for e in thresholds.escapes
            if e.delay in measured
        ],
    )
    plain = Chart(
        name="escapes",
        title="How soon training leaves the minimum",
        says="Training begins a millionth of the weights' norm beside the minimum, and has left once it is a hundred "
        "times as far away.",
        figure=_one(draw_escapes, thresholds),
        table=table,
    )

    def collapsed(axes: Axes, found: Thresholds) -> None:
        draw_escapes(axes, found, collapsed=True)

    together = Chart(
        name="escapes-collapsed",
        title="The same, in units of the threshold and of the delay",
        says="η is divided by the measured threshold, and the epochs by 2τ+1, half an oscillation's length in steps: "
        "the curves of all delays come together. Without delay nothing oscillates so, and the curve may lie apart.",
        figure=_one(collapsed, thresholds),
    )
    return [plain, together] if len(measured) > 1 else [plain]


@styled
def brackets(records: Sequence[MeasurementRecord]) -> Chart | None:
    """Returns how each search closed in: the learning rates that it tried, divided by where it ended."""
    shown = [r for r in records if r.samples and r.threshold and r.settings.seed == 0]
    if not shown:
        return None
    figure = new_figure()
    axes = figure.subplots()
    ends, colours, rows = [], [], []
    for place, record in enumerate(shown):
        assert record.threshold
        style = series(place)
        tried = [(i, s.learning_rate / record.threshold.learning_rate) for i, s in enumerate(record.samples, start=1)]
        axes.plot(*split(tried), color=style["color"], linewidth=1)
        for grew, filled in ((True, style["color"]), (False, "none")):
            some = [xy for xy, sample in zip(tried, record.samples, strict=True) if (sample.growth > 0) is grew]
            axes.scatter(
                *split(some), s=22, marker=style["marker"], facecolor=filled, edgecolor=style["color"], zorder=3
            )
        ends.append((*tried[-1], f"τ = {record.settings.delay}"))
        colours.append(style["color"])
        rows += [
            (record.settings.delay, i, s.learning_rate, ratio, s.growth, s.error, s.steps)
            for (i, ratio), s in zip(tried, record.samples, strict=True)
        ]
    axes.axhline(1, color=QUIET, linewidth=0.8, zorder=1)
    axes.set(xlabel="learning rate tried, in order", ylabel="η / measured threshold")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(shown) > 1:
        label_ends(axes, ends, colours)
    return Chart(
        name="brackets",
        title="How the searches closed in",
        says="A point is a learning rate that was tried: filled where training left the minimum, open where it stayed. "
        "The threshold lies between the last of each.",
        figure=figure,
        table=Table(columns=("delay τ", "try", "η", "η / threshold", "growth a step", "± growth", "steps"), rows=rows),
    )


@styled
def cost(thresholds: Thresholds) -> Chart:
    """Returns what each threshold cost."""
    points = thresholds.points
    figure = new_figure(height=3.0)
    axes = figure.subplots()
    bars = axes.bar([str(p.delay) for p in points], [p.gradient_evaluations for p in points], color=BLUE, width=0.6)
    axes.bar_label(bars, [f"{p.gradient_evaluations:,}" for p in points], padding=2)
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.15)
    axes.set(xlabel="delay τ, steps", ylabel="gradients of the whole data")
    return Chart(
        name="cost",
        title="What it cost",
        says=f"{sum(p.gradient_evaluations for p in points):,} gradients in all, without the descent to the minimum "
        "and the departures.",
        figure=figure,
    )


def _one(draw: Callable[[Axes, Thresholds], None], thresholds: Thresholds, height: float = HEIGHT) -> Figure:
    figure = new_figure(height=height)
    draw(figure.subplots(), thresholds)
    return figure
