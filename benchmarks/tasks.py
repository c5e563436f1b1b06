"""Measures every number that docs/studies.md gives about tasks other than the classification of images.

    python -m benchmarks.tasks [diabetes sunspots python_bytes wordnet] [--seeds 1]

Every run is a separate `tautune` command, which writes into results/measured/; a finished run is not repeated, and one
that was stopped goes on. Beside it stands what one would use without a network, from benchmarks/peers/. The folder
benchmarks/results/ keeps each run's trials.csv, run.json, best.json and test.json, and one summary per study.
"""

import json
from importlib import import_module
from typing import Annotated, Any

import typer

from benchmarks.record import RESULTS, keep
from benchmarks.runs import Json, spread, tuned

SEEDS = 3
STUDIES: dict[str, tuple[str, str, tuple[object, ...]]] = {
    "diabetes": ("rmse", "ridge_regression", ("--folds", 5)),
    "sunspots": ("mae", "linear_forecasts", ()),
    "python_bytes": ("bits_per_byte", "byte_ngrams", ("--max-epochs", 1)),  # three take half an hour
    "wordnet": ("accuracy", "bag_of_words", ()),
}
"""Study → the metric that its trials are compared by, the baseline, and the options of `tautune tune`."""


def measured(name: str, seeds: int) -> Json:
    """Returns the baseline, and for each seed what tuning found and what the one test at the end says."""
    metric, baseline, options = STUDIES[name]
    options = (*options, "--concurrent", 1)  # one trial at a time: the same run again has the same trials
    runs = [tuned(f"{name}-{s}", name, *options, "--seed", s, refit=True, metric=metric) for s in range(seeds)]
    peer: dict[str, Any] = import_module(f"benchmarks.peers.{baseline}").figures()
    scores = (f"validation_{metric}", f"test_{metric}", "seconds")
    return {"baseline": peer, "runs": runs} | {score: spread(runs, score) for score in scores}


def main(
    names: Annotated[list[str] | None, typer.Argument(help=", ".join(STUDIES))] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Tunings of each study.")] = SEEDS,
) -> None:
    for name in names or STUDIES:
        answer = measured(name, seeds)
        keep(name, answer, as_json=False)
        print(json.dumps({name: {key: value for key, value in answer.items() if key != "runs"}}, indent=2))
    print(f"kept in {RESULTS}")


if __name__ == "__main__":
    typer.run(main)
