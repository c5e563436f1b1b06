"""The nine combinations as in Ray Tune's PyTorch tutorial: every trial loads the data for itself.

python -m benchmarks.peers.ray_tutorial DATA RESULTS.json
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from ray import tune

from benchmarks.peers.fashion_cnn import train_epoch


def train(config: dict[str, Any]) -> None:
    folder, rate, size = Path(config["data"]), config["learning_rate"], config["batch_size"]
    tune.report({"accuracy": train_epoch(folder, learning_rate=rate, batch_size=size)})


def main(data: str, results: str) -> None:
    space = {
        "data": data,
        "learning_rate": tune.grid_search([0.001, 0.01, 0.1]),
        "batch_size": tune.grid_search([32, 64, 128]),
    }
    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(train, param_space=space, run_config=tune.RunConfig(storage_path=folder))
        rows = []
        for result in tuner.fit():
            assert result.metrics is not None
            config = {name: result.config[name] for name in ("learning_rate", "batch_size")}
            rows.append(config | {"accuracy": result.metrics["accuracy"]})
    Path(results).write_text(json.dumps(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
