"""The nine combinations in plain PyTorch, one after another, on every core.

python -m benchmarks.peers.torch_script DATA RESULTS.json
"""

import itertools
import json
import os
import sys
from pathlib import Path

import torch

from benchmarks.peers.fashion_cnn import train_epoch


def main(data: str, results: str) -> None:
    torch.set_num_threads(os.cpu_count() or 1)
    rows = [
        {
            "learning_rate": rate,
            "batch_size": size,
            "accuracy": train_epoch(Path(data), learning_rate=rate, batch_size=size),
        }
        for rate, size in itertools.product((0.001, 0.01, 0.1), (32, 64, 128))
    ]
    Path(results).write_text(json.dumps(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
