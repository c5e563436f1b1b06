"""A tuning's folder, written in milliseconds by what writes it in a run: its journal, its table, its run.json."""

import json
import random
from pathlib import Path
from typing import Any

from tautune.records.provenance import now
from tautune.runners.trials import Trials
from tautune.runners.tuning_journal import TuningJournal
from tautune.trainables.goal import goal_in

Json = dict[str, Any]
RUNGS = (1, 3, 9)
SPACE = {
    "optimizer": "categorical Uniform {'categories': ['adam', 'sgd']}",
    "learning_rate": "float LogUniform {'lower': 0.001, 'upper': 1.0}",
    "layers": "categorical Uniform {'categories': [1, 2]}",
    "units": "when layers in [2]: integer Uniform {'lower': 8, 'upper': 65}",
}


def made_tuning(folder: Path, *, trials: int = 20, hosts: int = 2, finished: bool = True, **changes: Any) -> Path:
    """Writes a tuning of trials that are stopped as at ASHA's rungs, two at a time on each host; trial 3 diverges.

    Args:
        folder: a new one.
        trials: how many there are.
        hosts: how many there are.
        finished: whether the run has come to its end.
        changes: of the configuration.
    """
    folder.mkdir(parents=True)
    configuration = _configuration(trials) | changes
    run = {
        "experiment": "trials",
        "started": now(),
        "trials": trials,
        "resumed": False,
        "versions": {"tautune": "0.1.0"},
    }
    ended = {"finished": now(), "duration_seconds": 61.0} if finished else {}
    (folder / "run.json").write_text(json.dumps({"configuration": configuration, "runs": [run | ended]}))
    goal, chance = goal_in(configuration), random.Random(0)
    table = Trials(folder, configuration["space"], trials, goal)
    journal = TuningJournal(folder, "trials")
    for number in range(1, trials + 1):
        trial, config = f"{number:08x}", _config(chance)
        journal.begun(trial, number, config)
        longest = chance.choice(RUNGS)
        for epoch in range(1, longest + 1):
            result = _result(
                config, epoch, number, host=f"host-{number % hosts}", finished=longest == RUNGS[-1] == epoch
            )
            journal.reported(trial, config, config, result)
            table.report(trial, number, config, result)
            if result["diverged"]:
                break
        if finished or number < trials:
            journal.ended(trial, None, error=False)
            table.end(trial, finished=longest == RUNGS[-1])
    journal.close()
    table.write()
    return folder


def _configuration(trials: int) -> Json:
    options = {"search": "hyperopt", "scheduler": "asha", "trials": trials, "max_epochs": RUNGS[-1], "seed": 0}
    kept: Json = {"kind": "tuning", "format": 2, "study": "digits_mlp", "space": SPACE, "set": {}, "points": []}
    others = {"concurrent": None, "time_budget": None, "folds": 1, "repeats": 1, "examples": None, "split_seed": 0}
    return kept | options | others | {"cpus_per_trial": 1, "gpus_per_trial": 0, "data_dir": None}


def _config(chance: random.Random) -> Json:
    layers = chance.choice([1, 2])
    own: Json = {"optimizer": chance.choice(["adam", "sgd"]), "learning_rate": 10 ** chance.uniform(-3, 0)}
    return own | {"layers": layers} | ({"units": chance.randint(8, 64)} if layers == 2 else {})


def _result(config: Json, epoch: int, number: int, *, host: str, finished: bool) -> Json:
    accuracy = 1 - 0.1 * abs(config["learning_rate"] - 0.1) - 0.3 / epoch - 0.001 * number
    diverged = number == 3
    return {
        "epochs": epoch,
        "diverged": int(diverged),
        "failed": 0,
        "failure": "",
        "diverged_step": 7 if diverged else -1,
        "history": [],
        "finished": int(finished),
        "time_total_s": 0.5 * epoch,
        "hostname": host,
        "validation_accuracy": 0.0 if diverged else accuracy,
        "validation_accuracy_deviation": 0.0,
        "validation_loss": 2.0 - accuracy,
        "training_accuracy": accuracy,
        "training_loss": 1.0 - accuracy,
    }
