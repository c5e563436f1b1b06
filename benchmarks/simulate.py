"""Compares tautune's searches with HyperOpt alone and Optuna alone, on a table of 243 trained networks.

    python -m benchmarks.simulate [--json] [--repeats 50]

All of them choose among the networks of benchmarks/results/fashion_mnist_cnn_grid, one training at a time, for the
simulated time in which 32 of the networks would be trained whole. Each has as many runs as there are repeats. tautune
suggests and stops as `tautune tune` does. The others are used as their documentation uses them: the number of epochs is
a choice like the others, and a training of 5 epochs costs what it has cost. Optuna is tried with its successive halving
too; then every training is one of 20 epochs, which is pruned.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from joblib import Parallel, delayed
from rich.console import Console

from benchmarks.peers import hyperopt_alone, optuna_alone
from benchmarks.peers.hyperopt_alone import OutOfTime
from benchmarks.record import RESULTS, keep
from tautune.analysis.regret import Method, Regret, Run
from tautune.runners.simulation.run_table import read_run_table
from tautune.runners.simulation.simulation import Simulation, simulate
from tautune.runners.simulation.table import Table

GRID = RESULTS / "fashion_mnist_cnn_grid"
ALONE = ("HyperOpt alone", "Optuna alone", "Optuna alone, pruned")
OURS = Method("hyperopt", "asha")
Json = dict[str, Any]


class Worker:
    """One simulated worker, on which a library alone trains one configuration after another."""

    def __init__(self, table: Table, until: float) -> None:
        self.known = {_key(training.config): training for training in table.trainings}
        self.fixed = {name: c.values[0] for name, c in table.columns.items() if c.kind == "value"}
        self.until, self.now, self.trials = until, 0.0, 0
        self.better: list[tuple[float, float]] = []

    def train(self, config: Json, pruned: Callable[[float, float], bool] = lambda value, epoch: False) -> float:
        """Returns the last value of a training. Raises OutOfTime where the time ends."""
        begun, self.trials = self.now, self.trials + 1
        value = 0.0
        for report in self.known[_key(config | self.fixed)].curve:
            self.now = begun + report.time
            if self.now > self.until:
                raise OutOfTime
            value = report.value
            if not self.better or value > self.better[-1][1]:
                self.better.append((self.now, value))
            if pruned(value, report.epoch):
                break
        return value


def alone(table: Table, name: str, seed: int, until: float) -> Run:
    """Returns one run of a library alone."""
    worker, choices = Worker(table, until), {n: list(c.values) for n, c in table.columns.items() if c.kind == "choice"}
    if name == "HyperOpt alone":
        hyperopt_alone.search(choices, worker.train, seed)
    else:
        pruned = name.endswith("pruned")
        longest = {"epochs": [table.longest]} if pruned else {}
        optuna_alone.search(choices | longest, worker.train, seed, pruned=pruned)
    times, values = zip(*worker.better, strict=True)
    return Run(method=Method(name, "none"), seed=seed, trials=worker.trials, times=times, values=values)


def compared(table: Table, repeats: int) -> Regret:
    """Returns tautune's methods and the libraries alone, on the same table for the same time."""
    wanted = Simulation(
        searches=("random", "hyperopt", "optuna-tpe"), schedulers=("none", "asha"), workers=1, repeats=repeats
    )
    ours, until = simulate(table, wanted), wanted.until(table)
    jobs = [delayed(alone)(table, name, seed, until) for name in ALONE for seed in range(repeats)]
    runs = (*ours.runs, *Parallel(n_jobs=-1, batch_size=4)(jobs))
    return replace(ours, runs=runs)


def _key(config: Json) -> str:
    return repr(sorted(config.items()))


def main(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each method.")] = 50,
    figure: Annotated[Path | None, typer.Option(help="Where to write the figure.")] = None,
) -> None:
    """Compare them."""
    regret = compared(read_run_table(GRID, None), repeats)
    shares = np.array([0.125, 0.25, 0.5, 1.0])
    medians = {str(m): regret.of(m, shares * regret.until)[1].tolist() for m in regret.methods}
    figures: Json = {
        "times_seconds": (shares * regret.until).tolist(),
        "median_regret": medians,
        "methods": regret.rows(),
    }
    for name in ALONE[:2]:
        worse = regret.of(OURS)[1] > regret.of(Method(name, "none"))[1] + 1e-12
        where = regret.times[worse].tolist()
        figures[f"worse_than_{name}"] = {"share": float(worse.mean()), "from_to": where[:1] + where[-1:]}
    keep("simulate", figures, as_json=as_json)
    if figure:
        regret.plot().savefig(figure, dpi=130)
    if not as_json:
        for name, own in medians.items():
            Console().print(f"simulate: {name}: " + ", ".join(f"{value:.4f}" for value in own), highlight=False)


if __name__ == "__main__":
    typer.run(main)
