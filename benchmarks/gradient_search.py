"""Counts the gradients after which a search has the validation loss that is the best of 64 random configurations.

    python -m benchmarks.gradient_search [--json] [--seeds 3]

Two short trainings of 60 steps with the full batch, of an MLP on scikit-learn's digits and on its diabetes data, are
searched for the learning rate, the momentum and L2: by hypergradients, by HyperOpt's TPE and at random. A training
costs its steps. A training that is differentiated costs three times as much: each gradient, and a product of its
Hessian with a vector, which costs as much as two. The seeds are of the weights, of the splits and of the searches. A
run of `tautune tune` trains each configuration once more, in its trial, which `with_trials` counts too.
"""

import statistics
from typing import Annotated, Any

import torch
import typer
from ray import tune
from rich.console import Console
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from benchmarks.record import keep
from tautune import Data, TuningStudy
from tautune.runners.searches import make_search
from tautune.runners.slope import Slopes, make_slope
from tautune.runners.tuning_checks import Options
from tautune.runners.tuning_data import load_data, make_splits
from tautune.runners.tuning_job import make_tuning
from tautune.trainables.goal import Goal
from tautune.trainables.supervised.hypergradient import PASSES, hypergradient

STEPS, RANDOM = 60, 64
GOAL = Goal("validation_loss", "min")
Json = dict[str, Any]


def diabetes() -> Data:
    found = load_diabetes(scaled=False)
    inputs, targets = torch.tensor(found.data).float(), torch.tensor(found.target).float()
    a, b, c, d = train_test_split(inputs, targets, test_size=0.2, random_state=0)
    return Data(training=(a, c), test=(b, d))


def study(name: str) -> TuningStudy:
    return TuningStudy(
        name=name,
        description="a short training with the full batch",
        data="digits" if name == "digits" else diabetes,
        model="mlp",
        task="classification" if name == "digits" else "regression",
        space={
            "learning_rate": tune.loguniform(1e-3, 1.0),
            "momentum": tune.uniform(0.5, 0.999),
            "l2": tune.loguniform(1e-6, 1.0),
            "optimizer": "nesterov",
            "batch_size": 2000,
            "layers": 1,
            "units": 32,
            "activation": "tanh",
        },
        max_epochs=STEPS,
    )


def searched(name: str, search: str, seed: int, slopes: Slopes, trials: int) -> list[float]:
    """Returns the validation losses of the configurations that a search suggests, one after another."""
    found = make_search(search, study(name).space, GOAL, seed=seed, trials=trials, slope=slopes)
    losses = []
    for number in range(trials):
        config = found.suggest(str(number))
        loss = hypergradient(slopes.training(config), {}).loss
        losses.append(loss)
        told = {"validation_loss": min(loss, 1e3), "training_iteration": STEPS}
        found.on_trial_complete(str(number), told)
    return losses


def cost(losses: list[float], goal: float, *, differentiated: bool, trials: bool = False) -> float | None:
    """Returns the gradients until a loss is at most `goal`, in trainings; None if none is."""
    first = next((number for number, loss in enumerate(losses) if loss <= goal), None)
    if first is None:
        return None
    return float(first * (PASSES + trials if differentiated else 1) + 1)


def compared(name: str, seed: int) -> Json:
    """Returns what each search costs with one seed."""
    tuning = make_tuning(study(name), Options(search="gradient", seed=seed, split_seed=seed))
    data = load_data(study(name), None)
    slopes = make_slope(tuning, data, make_splits(tuning, data))
    assert isinstance(slopes, Slopes)
    at_random = searched(name, "random", seed, slopes, RANDOM)
    by_tpe = searched(name, "hyperopt", seed, slopes, RANDOM)
    by_gradient = searched(name, "gradient", seed, slopes, RANDOM // 4)
    goal = min(at_random)
    quarter = RANDOM // 4
    return {
        "best_of_random": goal,
        "random": cost(at_random, goal, differentiated=False),
        "tpe": cost(by_tpe, goal, differentiated=False),
        "gradient": cost(by_gradient, goal, differentiated=True),
        "gradient_with_trials": cost(by_gradient, goal, differentiated=True, trials=True),
        "after_a_quarter": {
            "random": min(at_random[:quarter]),
            "tpe": min(by_tpe[:quarter]),
            "gradient": min(by_gradient[: (quarter - 1) // PASSES + 1]),
        },
        "losses": by_gradient,
    }


def main(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds.")] = 3,
) -> None:
    """Count them."""
    torch.set_num_threads(1)
    found = {name: [compared(name, seed) for seed in range(seeds)] for name in ("digits", "diabetes")}
    quarters = {
        name: {
            who: statistics.median(run["after_a_quarter"][who] for run in runs) for who in ("random", "tpe", "gradient")
        }
        for name, runs in found.items()
    }
    figures: Json = {
        "steps": STEPS,
        "random_configurations": RANDOM,
        "medians_after_a_quarter": quarters,
        "runs": found,
    }
    keep("gradient_search", figures, as_json=as_json)
    if not as_json:
        for name, runs in found.items():
            for run in runs:
                shown = {key: value for key, value in run.items() if key != "losses"}
                Console().print(f"gradient_search: {name}: {shown}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
