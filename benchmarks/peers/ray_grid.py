"""The grid as in Ray Tune's documentation: a function trial for each point, `tune.grid_search`, `Tuner.fit`.

python -m benchmarks.peers.ray_grid DELAYS LEARNING_RATES STEPS RESULTS.json
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from ray import tune

from benchmarks.peers.delayed_sgd import load_data, train_point


def train(config: dict[str, Any]) -> None:
    images, labels = load_data()
    found = train_point(
        images, labels, delay=config["delay"], learning_rate=config["learning_rate"], steps=config["steps"]
    )
    tune.report(found._asdict())


def main(delays: str, learning_rates: str, steps: str, results: str) -> None:
    space = {
        "delay": tune.grid_search([int(delay) for delay in delays.split(",")]),
        "learning_rate": tune.grid_search([float(rate) for rate in learning_rates.split(",")]),
        "steps": int(steps),
    }
    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(train, param_space=space, run_config=tune.RunConfig(storage_path=folder))
        rows = []
        for result in tuner.fit():
            assert result.metrics is not None
            config = {name: result.config[name] for name in ("delay", "learning_rate")}
            rows.append(config | {name: result.metrics[name] for name in ("loss", "accuracy", "diverged", "steps")})
    Path(results).write_text(json.dumps(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
