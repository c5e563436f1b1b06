"""What a model predicted of the test examples, beside what is true."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tautune.analysis.figure_style import BLUE, FAINT, VERMILLION, new_figure, styled
from tautune.analysis.pages.page import Chart, Table


class Column(NamedTuple):
    """One number of every test example, in the data's own units."""

    true: list[float]
    predicted: list[float]

    @property
    def error(self) -> float:
        """Returns the mean absolute error."""
        return float(np.mean(np.abs(np.subtract(self.true, self.predicted))))


@styled
def pairs(column: Column) -> Chart:
    """Returns the predictions over the true values."""
    figure = new_figure(height=4.6)
    axes = figure.subplots()
    ends = [min(column.true), max(column.true)]
    axes.plot(ends, ends, color=FAINT, linewidth=2.4)
    axes.scatter(column.true, column.predicted, s=14, color=BLUE, alpha=0.7)
    axes.set(xlabel="true", ylabel="predicted")
    return Chart(
        name="predictions",
        title="Predicted beside true",
        says=f"A point is a test example; on the line it is right. Mean absolute error: {column.error:.4g}.",
        figure=figure,
        table=Table(columns=("true", "predicted"), rows=list(zip(*column, strict=True))),
    )


def forecasts(steps: list[Column]) -> list[Chart]:
    """Returns the series with its forecasts, and the error of each step ahead.

    Args:
        steps: the first step ahead of every test example, the second one, and so on; examples are a step apart.
    """
    return [_series(steps), *([_errors(steps)] if len(steps) > 1 else [])]


@styled
def _series(steps: list[Column]) -> Chart:
    last = len(steps)
    figure = new_figure()
    axes = figure.subplots()
    times = np.arange(1, len(steps[0].true) + 1)
    axes.plot(times, steps[0].true, color=FAINT, linewidth=2.8)
    axes.plot(times, steps[0].predicted, color=BLUE)
    said = "Grey: the series. Blue: its forecast one step ahead."
    if last > 1:
        axes.plot(times + last - 1, steps[-1].predicted, "--", color=VERMILLION, linewidth=1.2)
        said += f" Dashed: {last} steps ahead."
    axes.set(xlabel="step of the test", ylabel="value")
    return Chart(
        name="forecasts",
        title="Forecasts of the test",
        says=f"{said} A forecast knows all that came before it.",
        figure=figure,
        table=Table(
            columns=("step", "true", "one step ahead", *([f"{last} steps ahead"] if last > 1 else [])),
            rows=[
                (
                    i + 1,
                    true,
                    ahead,
                    *([steps[-1].predicted[i - last + 1] if i >= last - 1 else None] if last > 1 else []),
                )
                for i, (true, ahead) in enumerate(zip(*steps[0], strict=True))
            ],
        ),
    )


@styled
def _errors(steps: list[Column]) -> Chart:
    figure = new_figure(height=2.8)
    axes = figure.subplots()
    ahead, errors = range(1, len(steps) + 1), [step.error for step in steps]
    axes.bar(ahead, errors, color=BLUE, width=0.6)
    axes.grid(visible=False, axis="x")
    axes.set(xlabel="steps ahead", ylabel="mean absolute error")
    return Chart(
        name="error-by-step",
        title="Error by how far ahead",
        says="The mean absolute error of each step of the forecast, in the data's own units.",
        figure=figure,
        table=Table(
            columns=("steps ahead", "mean absolute error"),
            rows=[(n, s.error) for n, s in zip(ahead, steps, strict=True)],
        ),
    )
