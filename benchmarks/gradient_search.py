"""Counts the gradients after which a search has the validation loss that is the best of 64 random configurations.

    python -m benchmarks.gradient_search [digits diabetes digits_layers] [--json] [--seeds 3]

Short trainings of 60 steps with the full batch, of an MLP on scikit-learn's digits and on its diabetes data, are
searched for the learning rate, the momentum and L2: by hypergradients, by HyperOpt's TPE and at random. `digits_layers`
has an L2 for each of four layers. A training costs its steps. A training that is differentiated costs three times as
much: each gradient, and a product of its Hessian with a vector, which costs as much as two. The seeds are of the
weights, of the splits and of the searches. A run of `tautune tune` trains each configuration once more, in its trial,
which is not counted. The search's rules were settled on with the seeds from 3 on.
"""

import itertools
import json
import math
import statistics
from typing import Annotated, Any

import torch
import typer
from ray import tune
from rich.console import Console
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from benchmarks.record import keep
from benchmarks.runs import RUNS
from tautune import Data, TuningStudy
from tautune.records.files import write_json
from tautune.runners.searches import make_search
from tautune.runners.slope import Slopes, make_slope
from tautune.runners.tuning_checks import Options
from tautune.runners.tuning_data import load_data, make_splits
from tautune.runners.tuning_job import make_tuning
from tautune.trainables.goal import Goal
from tautune.trainables.supervised.hypergradient import PASSES, Hypergradient, hypergradient

STEPS, RANDOM = 60, 64
QUARTER = RANDOM // 4
STUDIES = ("digits", "diabetes", "digits_layers")
SEARCHES = ("random", "hyperopt", "gradient")
GOAL = Goal("validation_loss", "min")
Json = dict[str, Any]


def diabetes() -> Data:
    found = load_diabetes(scaled=False)
    inputs, targets = torch.tensor(found.data).float(), torch.tensor(found.target).float()
    a, b, c, d = train_test_split(inputs, targets, test_size=0.2, random_state=0)
    return Data(training=(a, c), test=(b, d))


def study(name: str) -> TuningStudy:
    by_layer = name == "digits_layers"
    penalties = [f"l2_{number}" for number in range(1, 5)] if by_layer else ["l2"]
    return TuningStudy(
        name=name,
        description="a short training with the full batch",
        data=diabetes if name == "diabetes" else "digits",
        model="mlp",
        task="regression" if name == "diabetes" else "classification",
        space={
            "learning_rate": tune.loguniform(1e-3, 1.0),
            "momentum": tune.uniform(0.5, 0.999),
            **{penalty: tune.loguniform(1e-6, 1.0) for penalty in penalties},
            "optimizer": "nesterov",
            "batch_size": 2000,
            "layers": 3 if by_layer else 1,
            "units": (32, 32, 32) if by_layer else 32,
            "activation": "tanh",
        },
        max_epochs=STEPS,
    )


class Counted:
    """The trainings of a study, with what each cost.

    A training costs its steps, also where it diverged before its end; differentiated, `PASSES` times as much.
    """

    def __init__(self, slopes: Slopes) -> None:
        self.slopes, self.cost = slopes, 0
        self.losses: list[float] = []
        self.known: list[int] = []
        """The cost in trainings at which each loss is known: that of its derivatives comes after it."""

    def __call__(self, config: Json, *, below: float = math.inf) -> Hypergradient:
        found = self.slopes(config, below=below)
        self.add(found.loss, PASSES if found.gradient else 1)
        return found

    def trained(self, config: Json) -> float:
        """Returns the loss alone."""
        loss = hypergradient(self.slopes.training(config), {}).loss
        self.add(loss, 1)
        return loss

    def add(self, loss: float, cost: int) -> None:
        self.losses.append(loss)
        self.known.append(self.cost + 1)
        self.cost += cost

    def until(self, goal: float) -> int | None:
        """Returns the cost until a loss was at most `goal`; None if none was."""
        return next((cost for loss, cost in zip(self.losses, self.known, strict=True) if loss <= goal), None)

    def best_after(self, cost: int) -> float:
        """Returns the lowest loss that is known then."""
        return min(loss for loss, known in zip(self.losses, self.known, strict=True) if known <= cost)


def searched(name: str, search: str, seed: int, slopes: Slopes) -> Counted:
    """Returns what a search trained, until it had cost `RANDOM` trainings."""
    counted = Counted(slopes)
    found = make_search(search, study(name).space, GOAL, seed=seed, trials=RANDOM, slope=counted)
    for number in itertools.count():
        config = found.suggest(str(number))
        if counted.cost >= RANDOM:
            return counted
        if search != "gradient":  # which trains by itself, at its next suggestion
            told = {"validation_loss": min(counted.trained(config), 1e3), "training_iteration": STEPS}
            found.on_trial_complete(str(number), told)
    raise AssertionError


def compared(name: str, seed: int) -> Json:
    """Returns what each search costs with one seed."""
    tuning = make_tuning(study(name), Options(search="gradient", seed=seed, split_seed=seed))
    data = load_data(study(name), None)
    slopes = make_slope(tuning, data, make_splits(tuning, data))
    assert isinstance(slopes, Slopes)
    runs = {search: searched(name, search, seed, slopes) for search in SEARCHES}
    goal = min(runs["random"].losses)
    return {
        "best_of_random": goal,
        "cost": {search: run.until(goal) for search, run in runs.items()},
        "best_after_a_quarter": {search: run.best_after(QUARTER) for search, run in runs.items()},
        "best_after_all": {search: run.best_after(RANDOM) for search, run in runs.items()},
        "losses": {
            search: [loss if math.isfinite(loss) else None for loss in run.losses] for search, run in runs.items()
        },
        "known": runs["gradient"].known,
    }


def remembered(name: str, seed: int) -> Json:
    """Returns the same, and keeps it: what was done is not done again."""
    file = RUNS / "gradient_search" / f"{name}-{seed}.json"
    if not file.exists():
        found = compared(name, seed)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, found)
    known: Json = json.loads(file.read_text())
    return known


def summed_up(runs: list[Json]) -> Json:
    """Returns how many seeds reached the best of random search within a quarter, and the medians over all seeds."""
    found: Json = {}
    for search in SEARCHES:
        costs = [run["cost"][search] for run in runs]
        found[search] = {
            "seeds": len(runs),
            "within_a_quarter": sum(cost is not None and cost <= QUARTER for cost in costs),
            "median_cost": statistics.median(math.inf if cost is None else cost for cost in costs),
            **{
                f"median_ratio_{when}": statistics.median(
                    run[f"best_{when}"][search] / run["best_of_random"] for run in runs
                )
                for when in ("after_a_quarter", "after_all")
            },
        }
        if found[search]["median_cost"] == math.inf:
            found[search]["median_cost"] = None  # most of them never did
    return found


def main(
    names: Annotated[list[str] | None, typer.Argument(help=", ".join(STUDIES))] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds.")] = 3,
) -> None:
    """Count them."""
    torch.set_num_threads(1)
    runs = {name: [remembered(name, seed) for seed in range(seeds)] for name in names or STUDIES}
    summary = {name: summed_up(found) for name, found in runs.items()}
    figures: Json = {"steps": STEPS, "random_configurations": RANDOM, "seeds": seeds, "summary": summary, "runs": runs}
    keep("gradient_search", figures, as_json=as_json)
    if not as_json:
        for name, found in summary.items():
            for search, row in found.items():
                Console().print(f"gradient_search: {name}: {search}: {row}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
