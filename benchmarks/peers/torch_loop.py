"""The grid in plain PyTorch: a loop over the points, which as many processes as there are cores divide among them.

python -m benchmarks.peers.torch_loop DELAYS LEARNING_RATES STEPS RESULTS.json [--by-hand]

Each process has one thread. They are forked once torch is imported and the data are read, so that starting them costs
next to nothing, and they take one point at a time, so that none is idle while another has several left.
"""

import itertools
import json
import multiprocessing
import os
import sys
from functools import partial
from pathlib import Path

import torch

from benchmarks.peers.delayed_sgd import load_data, train_point

Row = dict[str, float]


def row(point: tuple[int, float], *, steps: int, by_hand: bool) -> Row:
    """Returns what came of one point."""
    delay, rate = point
    images, labels = load_data()
    found = train_point(images, labels, delay=delay, learning_rate=rate, steps=steps, by_hand=by_hand)
    return {"delay": delay, "learning_rate": rate} | found._asdict()


def main(delays: str, learning_rates: str, steps: str, results: str, by_hand: str = "") -> None:
    torch.set_num_threads(1)
    load_data()  # which the processes inherit
    points = list(itertools.product(map(int, delays.split(",")), map(float, learning_rates.split(","))))
    train = partial(row, steps=int(steps), by_hand=by_hand == "--by-hand")
    with multiprocessing.get_context("fork").Pool(len(os.sched_getaffinity(0))) as processes:
        rows = processes.map(train, points, chunksize=1)
    Path(results).write_text(json.dumps(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
