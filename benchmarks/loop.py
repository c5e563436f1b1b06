"""Times 20 trials of a user's own loop: by tautune, and by Ray Tune alone with the same search.

    python -m benchmarks.loop [--json] [--repetitions 3] [--trials 20]

The loop trains an MLP on scikit-learn's digits for some seconds and reports 20 times. The programs run in turn, each is
timed from its start to its end, and both may use every core.
"""

import tempfile
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from ray import tune
from rich.console import Console
from sklearn.datasets import load_digits
from torch import nn

from benchmarks.record import keep
from benchmarks.timing import compared, in_turn, run_module
from tautune import LoopStudy

METRIC, REPORTS, CONCURRENT = "loss", 20, 2
SPACE = {"learning_rate": tune.loguniform(1e-4, 1e-1), "width": tune.choice([64, 128])}


def train(config: dict[str, Any]) -> None:
    torch.manual_seed(0)
    images, digits = (torch.tensor(part) for part in load_digits(return_X_y=True))
    images = images.float() / 16
    model = nn.Sequential(nn.Linear(64, config["width"]), nn.ReLU(), nn.Linear(config["width"], 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=config["learning_rate"])
    for _ in range(REPORTS):
        for batch in torch.randperm(len(images)).split(16):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images[batch]), digits[batch])
            loss.backward()
            optimizer.step()
        tune.report({METRIC: loss.item()})


STUDY = LoopStudy(
    name="loop",
    description="an MLP on scikit-learn's digits",
    train=train,
    space=SPACE,
    metric=METRIC,
    mode="min",
    scheduler="none",
    max_reports=REPORTS,
)


def main(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    repetitions: Annotated[int, typer.Option(min=1, help="Runs of each program.")] = 3,
    trials: Annotated[int, typer.Option(min=3, help="Trials of a run.")] = 20,
) -> None:
    """Time the trials."""
    with tempfile.TemporaryDirectory() as name:
        places = iter(range(10_000))

        def ours() -> float:
            options = ("--trials", trials, "--concurrent", CONCURRENT, "--output", Path(name) / str(next(places)))
            return run_module("tautune", "tune", __file__, *options)

        def peer() -> float:
            return run_module("benchmarks.peers.ray_loop", trials, name)

        def peer_at_its_best() -> float:
            return run_module("benchmarks.peers.ray_loop", trials, name, "--reuse-actors")

        programs = {"tautune": ours, "ray_tune": peer, "ray_tune_reusing_actors": peer_at_its_best}
        figures = compared(in_turn(programs, repetitions))
    keep("loop", figures | {"trials": trials}, as_json=as_json)
    if not as_json:
        ratios = figures["ratios"]
        Console().print(
            f"loop: Ray Tune alone takes {ratios['ray_tune']:.3f} times as long, and "
            f"{ratios['ray_tune_reusing_actors']:.3f} times where it reuses its actors",
            highlight=False,
        )


if __name__ == "__main__":
    typer.run(main)
