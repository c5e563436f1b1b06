"""The grid in plain PyTorch, one point after another.

python -m benchmarks.peers.torch_loop DELAYS LEARNING_RATES STEPS RESULTS.json [--by-hand]
"""

import json
import sys
from pathlib import Path

import torch

from benchmarks.peers.delayed_sgd import load_data, train_point


def main(delays: str, learning_rates: str, steps: str, results: str, by_hand: str = "") -> None:
    torch.set_num_threads(1)
    images, labels = load_data()
    fastest = by_hand == "--by-hand"
    rows = []
    for delay in map(int, delays.split(",")):
        for rate in map(float, learning_rates.split(",")):
            found = train_point(images, labels, delay=delay, learning_rate=rate, steps=int(steps), by_hand=fastest)
            rows.append({"delay": delay, "learning_rate": rate} | found._asdict())
    Path(results).write_text(json.dumps(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
