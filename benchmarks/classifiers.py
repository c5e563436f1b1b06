"""Measures every number that docs/benchmarks.md gives about tuning on real images.

    python -m benchmarks.classifiers [digits_mlp fashion_mnist fashion_mnist_pbt fashion_mnist_cnn_grid]

Every run is a separate `tautune` command, which writes into results/measured/; a finished run is not repeated. The
folder benchmarks/results/ keeps each run's trials.csv, run.json, best.json and test.json, and one summary per question.
"""

import json
from typing import Annotated

import typer

from benchmarks.record import keep
from benchmarks.runs import RUNS, Json, spread, tuned
from tautune.records.journal import read_journal

SEEDS = (0, 1, 2)


def epochs_to_reach(name: str, accuracy: float) -> int | None:
    """Returns how many epochs all trials together had trained when the first reached that validation accuracy."""
    reports = (event["reported"] for event in read_journal(RUNS / name) if "result" in event)
    for number, reported in enumerate(reports, 1):
        if reported["validation_accuracy"] >= accuracy:
            return number
    return None


def digits_mlp() -> Json:
    runs = [tuned(f"digits_mlp-{s}", "digits_mlp", "--trials", 20, "--seed", s, refit=True) for s in range(5)]
    return {
        "runs": runs,
        "validation_accuracy": spread(runs, "validation_accuracy"),
        "seconds": spread(runs, "seconds"),
    }


def fashion_mnist() -> Json:
    """Compares the published 3 × 3 grid with what HyperOpt + ASHA find in a fraction of its epochs."""
    grid = tuned("fashion_mnist_grid", "fashion_mnist_grid")
    searches = [tuned(f"fashion_mnist_cnn-{s}", "fashion_mnist_cnn", "--seed", s, refit=True) for s in SEEDS]
    return {
        "grid": grid,
        "searches": searches,
        "epochs_to_the_grids_best": reached(grid, 0.0, [f"fashion_mnist_cnn-{s}" for s in SEEDS]),
        "above_the_grid": [s["validation_accuracy"] - grid["validation_accuracy"] for s in searches],
        "test_accuracy": spread(searches, "test_accuracy"),
    }


def fashion_mnist_pbt() -> Json:
    """Compares a population with as many random configurations left alone, on 10,000 training images.

    A population trains some epochs twice; those left alone get a fifth more epochs each, and so train longer in all.
    """
    common = ("fashion_mnist_pbt", "--examples", 10_000)
    left = ("--scheduler", "none", "--max-epochs", 24)
    populations = [tuned(f"fashion_mnist_pbt-{s}", *common, "--seed", s) for s in SEEDS]
    alone = [tuned(f"fashion_mnist_random-{s}", *common, *left, "--seed", s) for s in SEEDS]
    pairs = zip(populations, alone, strict=True)
    return {
        "populations": populations,
        "alone": alone,
        "difference": [p["validation_accuracy"] - a["validation_accuracy"] for p, a in pairs],
        "population": spread(populations, "validation_accuracy"),
        "random": spread(alone, "validation_accuracy"),
    }


def fashion_mnist_cnn_grid() -> Json:
    """Compares all 243 networks on 10,000 training images with HyperOpt + ASHA over the same space."""
    common = ("fashion_mnist_cnn_grid", "--examples", 10_000)
    search = ("--search", "hyperopt", "--scheduler", "asha", "--trials", SEARCHED)
    grid = tuned("fashion_mnist_cnn_grid", *common)
    searches = [tuned(f"fashion_mnist_cnn_grid-search-{s}", *common, *search, "--seed", s) for s in SEEDS]
    return {
        "grid": grid,
        "searches": searches,
        "epochs_to_the_grids_best_less_0.2_points": reached(
            grid, 0.002, [f"fashion_mnist_cnn_grid-search-{s}" for s in SEEDS]
        ),
        "below_the_grid": [grid["validation_accuracy"] - s["validation_accuracy"] for s in searches],
    }


SEARCHED = 50
"""How many of the 243 configurations the search tries."""
LONG = ("runs", "grid", "searches", "populations", "alone")
QUESTIONS = {f.__name__: f for f in (digits_mlp, fashion_mnist, fashion_mnist_pbt, fashion_mnist_cnn_grid)}


def reached(grid: Json, less: float, names: list[str]) -> Json:
    """Returns each search's epochs until it came within `less` of the grid's best (None: never), and their share."""
    epochs = [epochs_to_reach(name, grid["validation_accuracy"] - less) for name in names]
    share = [count and count / grid["training_epochs"] for count in epochs]
    return {"epochs": epochs, "share_of_the_grids": share}


def main(questions: Annotated[list[str] | None, typer.Argument(help=", ".join(QUESTIONS))] = None) -> None:
    for name in questions or QUESTIONS:
        answer = QUESTIONS[name]()
        keep(name, answer, as_json=False)
        print(json.dumps({name: {k: v for k, v in answer.items() if k not in LONG}}, indent=2))


if __name__ == "__main__":
    typer.run(main)
