"""Draws the picture of each example into docs/gallery/, with the example's own network, data and loop, without Ray.

    python -m docs.gallery_pictures [NAME …]

A picture shows one or a few trainings of an example, which take seconds; a tuning of it has more of them.
"""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

import tautune
from examples import optimizers_quadratic, own_minimum, streaming
from tautune.analysis.figure_style import BLUE, FAINT, MAP, ORANGE, VERMILLION, log_axis, new_figure, series, styled
from tautune.runners.slope import Slopes
from tautune.runners.tuning_checks import Options
from tautune.runners.tuning_data import load_data, make_splits
from tautune.runners.tuning_job import make_tuning
from tautune.search_spaces import find_tuning
from tautune.search_spaces.task_data import AnyData
from tautune.trainables.supervised.hypergradient import hypergradient
from tautune.trainables.supervised.sources import source_of_test
from tautune.trainables.supervised.supervised_training import SupervisedTraining
from tautune.trainables.supervised.training import outputs_of

EXAMPLES = Path(__file__).parents[1] / "examples"
PICTURES = Path(__file__).parent / "gallery"
DOTS_PER_INCH = 110
"""A page of ten pictures is to load quickly."""
DELAYS = (0, 4, 16)
REPORTS = 9
"""How many reports of a loop are drawn."""


def training_of(name: str, config: dict[str, Any]) -> tuple[SupervisedTraining, AnyData]:
    """Returns a training of an example as a trial has it, before it begins, and the example's data."""
    tuning = make_tuning(str(EXAMPLES / f"{name}.py"), Options())
    data = load_data(tuning.study, None)  # type: ignore[arg-type]
    whole = tuning.study.hyperparameters(config)
    return Slopes(tuning, data, make_splits(tuning, data)).training(whole), data


def trained(name: str, config: dict[str, Any], epochs: int = 9) -> tuple[Tensor, Tensor, AnyData]:
    """Returns what a training of an example says of the test part, in the targets' scale, and what is there."""
    training, data = training_of(name, config)
    for _ in range(epochs):
        training.train_epoch()
    test = source_of_test(data, window=config.get("window")).validation()
    pairs = list(outputs_of(training.model, test, training.normalize))
    outputs, targets = (torch.cat(part) for part in zip(*pairs, strict=True))
    return training.scale.undone(training.task.shaped(outputs, targets)), targets, data


def own_minimum_picture() -> Figure:
    """Draws theory's line and the thresholds of a convolutional network."""
    study = own_minimum.STUDY
    images, digits = own_minimum.data()
    torch.manual_seed(0)
    model = own_minimum.model().double()
    return tautune.measure_thresholds(model, study.loss, images.double(), digits, delays=[0, 2, 8], l2=0.01).plot()


def optimizers() -> Figure:
    """Draws the way of a method over the quadratic, with gradients in time and one step late."""
    figure = new_figure(8.0, 3.2)
    panels = figure.subplots(1, 2, sharey=True)
    x1, x2 = np.meshgrid(np.linspace(-5.5, 2.5, 200), np.linspace(-3, 3, 200))
    for axes, method in zip(panels, ("GD η=0.4", "momentum β=0.5 η=0.6"), strict=True):
        axes.contour(x1, x2, 0.1 * x1**2 + 2 * x2**2, levels=12, colors=FAINT, linewidths=0.7)
        for delay in (0, 1):
            way = np.array([optimizers_quadratic.descend(method, delay=delay, steps=n) for n in range(12)])
            axes.plot(*way.T, **series(delay), label=f"τ = {delay}")
        axes.set(title=method, xlabel="x₁", xlim=(-5.5, 2.5), ylim=(-3, 3))
    panels[0].set_ylabel("x₂")
    panels[1].legend(loc="upper right")
    return figure


def optimizers_late() -> Figure:
    """Draws how three optimizers train the residual network, four steps late and in time."""
    figure = new_figure(8.0, 3.2)
    panels = figure.subplots(1, 2, sharey=True)
    drawn: list[Any] = []
    for axes, delay in zip(panels, (0, 4), strict=True):
        for place, optimizer in enumerate(("adam", "nesterov", "shifted-momentum")):
            own = {"optimizer": optimizer, "learning_rate": 0.003 if optimizer == "adam" else 0.05, "momentum": 0.9}
            rest = {"delay": delay, "batch_size": 32, "width": 32, "blocks": 2, "l2": 1e-4}
            training, _ = training_of("breast_cancer", own | rest)
            losses = np.array([training.train_epoch().loss for _ in range(15)])
            losses[(np.nan_to_num(losses, nan=np.inf) > 10).cumsum() > 0] = np.nan  # diverged from there on
            axes.plot(range(1, 16), losses, **series(place), label=optimizer)
            drawn.append(losses)
        axes.set(title=f"τ = {delay}", xlabel="epoch")
    log_axis(panels[0], "y", float(np.nanmin(drawn)), float(np.nanmax(drawn)))
    panels[0].set_ylabel("training loss")
    panels[1].legend()
    return figure


def parts_of_scipy() -> Figure:
    """Draws which part of SciPy the docstrings of the test are told to be of."""
    outputs, targets, data = trained("text", {"learning_rate": 0.02, "width": 32, "dropout": 0.2})
    names = getattr(data, "class_names")  # noqa: B009 - of a Data
    told = np.zeros((len(names), len(names)))
    np.add.at(told, (targets.numpy(), outputs.argmax(1).numpy()), 1)
    figure = new_figure(5.2, 4.2)
    axes = figure.subplots()
    drawn = axes.imshow(told / told.sum(axis=1, keepdims=True), cmap=MAP, vmin=0, vmax=1)
    axes.set(xticks=range(len(names)), yticks=range(len(names)), yticklabels=names, xlabel="told", ylabel="true")
    axes.set_xticklabels(names, rotation=45, ha="right")
    axes.grid(visible=False)
    figure.colorbar(drawn, label="share of the true part")
    return figure


def forecast() -> Figure:
    """Draws what the GRU says about the steps behind some windows of the test part."""
    config = {"delay": 4, "learning_rate": 0.01, "window": 30, "units": 32}
    outputs, targets, data = trained("forecasting", config, epochs=27)
    steps = data.held_out[:, 0].numpy()  # type: ignore[union-attr,index]
    figure = new_figure(8.0, 3.2)
    axes = figure.subplots()
    axes.plot(steps[:300], color=FAINT, label="the series")
    horizon = len(targets[0])
    for begin in range(0, 300 - horizon, 2 * horizon):
        assert targets[begin].flatten()[0] == steps[begin]
        said = outputs[begin].flatten().numpy()
        axes.plot(range(begin, begin + horizon), said, color=VERMILLION, label=None if begin else "forecasts")
    axes.set(xlabel="seconds of the test part", ylabel="x", title="Ten steps ahead")
    axes.legend(loc="lower right")
    return figure


def pendulums() -> Figure:
    """Draws pictures of the test part, with the true angle and that which the network reads."""
    outputs, _, _ = trained("streaming", {"delay": 2, "learning_rate": 0.003, "channels": 8}, epochs=4)
    figure = new_figure(8.0, 1.9)
    for number, axes in enumerate(figure.subplots(1, 6)):
        picture, angle = streaming.Pendulums(20_000, 400)[number]
        read = outputs[number].item()
        axes.imshow(picture[0], cmap="gray", origin="lower", extent=(-1, 1, -1, 1))
        for value, color in ((angle.item(), BLUE), (read, ORANGE)):
            axes.plot([0, np.sin(value)], [0, np.cos(value)], color=color)
        axes.set(title=f"{angle:.2f}, read {read:.2f}", xticks=[], yticks=[], xlim=(-1, 1), ylim=(-1, 1))
        axes.title.set_fontsize(8)
    return figure


def slopes() -> Figure:
    """Draws the validation loss over the learning rate, with the slope that a hypergradient says it has."""
    rates = np.geomspace(0.01, 0.25, 8)
    found = []
    for η in rates:
        training, _ = training_of(
            "hypergradients", {"learning_rate": float(η), "momentum": 0.8, "l2_1": 1e-4, "l2_2": 1e-4}
        )
        found.append(hypergradient(training, {"learning_rate": float(η)}))
    figure = new_figure(8.0, 3.2)
    axes = figure.subplots()
    axes.plot(rates, [each.loss for each in found], **series(0), linewidth=0.7)
    for η, each in zip(rates, found, strict=True):
        near = η * np.array([0.85, 1.18])
        axes.plot(near, each.loss + each.gradient["learning_rate"] * (near - η), color=VERMILLION, linewidth=2.5)
    log_axis(axes, "x", rates[0], rates[-1])
    axes.set(xlabel="learning rate", ylabel="validation loss after 60 steps")
    return figure


class Ended(Exception):
    """A loop has reported what was asked for."""


def reports_of(name: str, config: dict[str, Any]) -> list[float]:
    """Returns the metric of the first reports of an example's loop, which is called as Ray Tune would call it."""
    study: Any = find_tuning(str(EXAMPLES / f"{name}.py"))
    found: list[float] = []

    def take(metrics: dict[str, float], checkpoint: Any = None) -> None:
        found.append(metrics[study.metric])
        if len(found) == REPORTS:
            raise Ended

    with patch("ray.tune.report", take), patch("ray.tune.get_checkpoint", lambda: None), contextlib.suppress(Ended):
        study.train(config)
    return found


def late(name: str, **config: Any) -> Callable[[], Figure]:
    """Returns a function that draws how a loop trains at several delays, with the same learning rate."""

    def drawn() -> Figure:
        study: Any = find_tuning(str(EXAMPLES / f"{name}.py"))
        figure = new_figure(8.0, 3.0)
        axes = figure.subplots()
        for place, delay in enumerate(DELAYS):
            reports = reports_of(name, config | {"delay": delay})
            axes.plot(range(1, len(reports) + 1), reports, **series(place), label=f"τ = {delay}")
        axes.set(xlabel="epoch", ylabel=f"validation {study.metric}")
        axes.legend()
        return figure

    return drawn


DRAWN: dict[str, Callable[[], Figure]] = {
    "own_minimum": own_minimum_picture,
    "optimizers_quadratic": optimizers,
    "breast_cancer": optimizers_late,
    "text": parts_of_scipy,
    "forecasting": forecast,
    "streaming": pendulums,
    "hypergradients": slopes,
    "own_loop": late("own_loop", learning_rate=0.03, width=16),
    "lightning_loop": late("lightning_loop", learning_rate=0.02, width=32),
    "huggingface_loop": late("huggingface_loop", learning_rate=0.003, width=16),
}
"""The examples with what draws their pictures."""


@styled
def draw(names: list[str]) -> None:
    """Draws the pictures of these examples."""
    PICTURES.mkdir(exist_ok=True)
    for name in names:
        DRAWN[name]().savefig(PICTURES / f"{name}.png", dpi=DOTS_PER_INCH)


if __name__ == "__main__":
    draw(sys.argv[1:] or list(DRAWN))
