"""Draws the picture of each example into docs/gallery/, from runs that are made where a folder has none yet.

    python -m docs.gallery_pictures FOLDER [NAME …]

FOLDER keeps the runs. The runs take some ten minutes on two cores; a picture is drawn in a second.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

import tautune
from examples import forecasting, optimizers_quadratic, streaming
from tautune._tuned import predict, refit, resume
from tautune.analysis.figure_style import BLUE, FAINT, MAP, ORANGE, VERMILLION, new_figure, series, styled
from tautune.analysis.reports.charts import progress, space
from tautune.analysis.reports.parts.tuned import read_tuned
from tautune.cluster.session.session import IN_TUNING, ray_session
from tautune.runners.tables import Table

ROOT = Path(__file__).parents[1]
PICTURES = Path(__file__).parent / "gallery"
DOTS_PER_INCH = 110
"""A page of ten pictures is to load quickly."""


def run(name: str, folder: Path, **options: Any) -> Path:
    """Returns the folder of an example's run, which is made if it is not there or was stopped."""
    place, example = folder / name, str(ROOT / f"examples/{name}.py")
    if name == "own_minimum":
        tautune.sweep(example, output=place, **options)
    elif not (place / "run.json").exists():
        tautune.tune(example, output=place, **options)
    else:
        resume(place)
    return place


def refitted(name: str, folder: Path) -> Path:
    """Returns the folder of an example's run, with the best configuration trained on all that is not for the test."""
    place = run(name, folder)
    if not (place / "model.pt").exists():
        refit(place)
    return place


def told(place: Path, file: Path, name: str) -> list[dict[str, Any]]:
    """Returns the rows that an example's model says of a file."""
    table = predict(place, [file], study=ROOT / f"examples/{name}.py")
    assert isinstance(table, Table)
    return table.as_dicts()


def own_minimum(folder: Path) -> Figure:
    """Draws theory's line and the thresholds of a convolutional network."""
    place = run("own_minimum", folder, delays=[0, 2, 8], departures=False)
    return tautune.load(place).plot()


def optimizers(_: Path) -> Figure:
    """Draws the way of a method over the quadratic, with gradients in time and one step late."""
    figure = new_figure(8.0, 3.2)
    x1, x2 = np.meshgrid(np.linspace(-5.5, 2.5, 200), np.linspace(-3, 3, 200))
    for axes, method in zip(figure.subplots(1, 2, sharey=True), ("GD η=0.4", "momentum β=0.5 η=0.6"), strict=True):
        axes.contour(x1, x2, 0.1 * x1**2 + 2 * x2**2, levels=12, colors=FAINT, linewidths=0.7)
        for delay in (0, 1):
            way = np.array([optimizers_quadratic.descend(method, delay=delay, steps=n) for n in range(12)])
            axes.plot(*way.T, **series(delay), markersize=4, label=f"τ = {delay}")
        axes.set(title=method, xlabel="x₁", xlim=(-5.5, 2.5), ylim=(-3, 3))
    figure.axes[0].set_ylabel("x₂")
    axes.legend(loc="upper right")
    return figure


def forecast(folder: Path) -> Figure:
    """Draws what the refitted GRU says about the steps behind a window of the test part."""
    place = refitted("forecasting", folder)
    steps = forecasting.data().test[:, 0].double()
    figure = new_figure(8.0, 3.2)
    axes = figure.subplots()
    axes.plot(steps[:300], color=FAINT, label="the series")
    for begin in range(40, 280, 40):
        seen = folder / "window.npy"
        np.save(seen, steps[begin - 40 : begin].numpy())
        values = [row["x"] for row in told(place, seen, "forecasting")]
        axes.plot(
            range(begin, begin + len(values)), values, color=VERMILLION, label="forecast" if begin == 40 else None
        )
    axes.set(xlabel="seconds of the test part", ylabel="x", title="Ten steps ahead, of a chaotic series")
    axes.legend(loc="lower right")
    return figure


def pendulums(folder: Path) -> Figure:
    """Draws pictures of the test part, with the true angle and that which the refitted network reads."""
    place = refitted("streaming", folder)
    examples = [streaming.Pendulums(20_000, 400)[i] for i in range(6)]
    pictures = folder / "pictures.npy"
    np.save(pictures, torch.stack([picture for picture, _ in examples]).numpy())
    read = [row["angle"] for row in told(place, pictures, "streaming")]
    figure = new_figure(8.0, 1.9)
    for axes, (picture, angle), seen in zip(figure.subplots(1, 6), examples, read, strict=True):
        axes.imshow(picture[0], cmap="gray", origin="lower", extent=(-1, 1, -1, 1))
        for value, color in ((angle.item(), BLUE), (seen, ORANGE)):
            axes.plot([0, np.sin(value)], [0, np.cos(value)], color=color)
        axes.set(title=f"{angle:.2f}, read {seen:.2f}", xticks=[], yticks=[])
        axes.title.set_fontsize(8)
    return figure


def hypergradients(folder: Path) -> Figure:
    """Draws where the starts of the search by gradients went, over two of the hyperparameters."""
    rows = tautune.load(run("hypergradients", folder, trials=24)).trials.sort_values("number")
    figure = new_figure(8.0, 3.4)
    axes = figure.subplots()
    across = dict(x=rows["config/learning_rate"], y=rows["config/momentum"])
    drawn = axes.scatter(**across, c=rows["validation_loss"].rank(), cmap=f"{MAP}_r", s=40)
    for number, x, y in zip(rows["number"], across["x"], across["y"], strict=True):
        axes.annotate(str(number), (x, y), xytext=(4, 4), textcoords="offset points", fontsize=7)
    axes.set(xscale="log", xlabel="learning rate", ylabel="momentum", title="Trials by their number")
    figure.colorbar(drawn, label="rank of the validation loss")
    return figure


def chart_of(name: str, chart: Callable[[Any], Any]) -> Callable[[Path], Figure]:
    """Returns a function that draws one of a report's figures."""

    def drawn(folder: Path) -> Figure:
        figure: Figure = chart(read_tuned(run(name, folder))).figure
        return figure

    return drawn


DRAWN: dict[str, Callable[[Path], Figure]] = {
    "own_minimum": own_minimum,
    "optimizers_quadratic": optimizers,
    "breast_cancer": chart_of("breast_cancer", space.parallel_coordinates),
    "text": chart_of("text", space.slices),
    "forecasting": forecast,
    "streaming": pendulums,
    "hypergradients": hypergradients,
    "own_loop": chart_of("own_loop", progress.learning_curves),
    "lightning_loop": chart_of("lightning_loop", progress.best_so_far),
    "huggingface_loop": chart_of("huggingface_loop", progress.learning_curves),
}
"""The examples with what draws their pictures."""


@styled
def draw(folder: Path, names: list[str]) -> None:
    """Draws the pictures of these examples."""
    folder.mkdir(parents=True, exist_ok=True)
    PICTURES.mkdir(exist_ok=True)
    for name in names:
        print(name, flush=True)
        DRAWN[name](folder.resolve()).savefig(PICTURES / f"{name}.png", dpi=DOTS_PER_INCH)


if __name__ == "__main__":
    with ray_session(in_workers=IN_TUNING):  # one for all runs
        draw(Path(sys.argv[1]), sys.argv[2:] or list(DRAWN))
