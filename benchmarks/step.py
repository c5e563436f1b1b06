"""Measures how much time and memory the gradient queue adds to the bare optimizer's step, at several delays.

    python -m benchmarks.step [--json]

Bare and queued steps alternate, block by block, in one process, and the ratio is the median over the blocks. Memory is
the total size of all live tensors of the process after the steps, in units of the model's gradient.
"""

import gc
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Optimizer

from benchmarks.record import keep
from tautune.trainables.delay.queue import GradientQueue

DELAYS = (1, 8, 32, 128)
PLACES = 5
"""How often the queue is made anew: one of several gigabytes may lie where a virtual machine's memory is slow."""


class Training:
    """One model, its data and its optimizer, or its queue."""

    def __init__(self, layers: tuple[int, ...], batch: int, wrap: Callable[[SGD], Optimizer] = lambda sgd: sgd) -> None:
        torch.manual_seed(0)
        blocks: list[nn.Module] = []
        for width, following in pairwise(layers):
            blocks += [nn.Linear(width, following), nn.ReLU()]
        self.model = nn.Sequential(*blocks[:-1])
        self.inputs = torch.randn(batch, layers[0])
        self.targets = torch.randint(layers[-1], (batch,))
        self.optimizer = wrap(SGD(self.model.parameters(), 1e-4, momentum=0.9))

    def run(self, steps: int) -> float:
        """Returns seconds per step."""
        begun = time.perf_counter()
        for _ in range(steps):
            self.optimizer.zero_grad()
            cross_entropy(self.model(self.inputs), self.targets).backward()
            self.optimizer.step()
        return (time.perf_counter() - begun) / steps

    @property
    def gradient_bytes(self) -> int:
        return sum(p.numel() * p.element_size() for p in self.model.parameters())


def tensor_bytes() -> int:
    """Returns the bytes that all live tensors hold, each storage counted once."""
    gc.collect()
    storages = {}
    for thing in gc.get_objects():
        if issubclass(type(thing), Tensor):  # isinstance would ask the thing, and some warn
            for tensor in (thing, thing.grad) if thing.is_leaf else (thing,):
                if tensor is not None:
                    storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
    return sum(storages.values())


def run_in_turn(
    layers: tuple[int, ...], batch: int, delay: int, *, blocks: int, steps: int
) -> tuple[list[tuple[float, float]], float]:
    """Returns the seconds of bare and queued steps, block by block, and how many gradients the queue holds."""
    before = tensor_bytes()
    bare = Training(layers, batch)
    bare.run(steps)
    bare_bytes = tensor_bytes() - before
    queued = Training(layers, batch, lambda sgd: GradientQueue(sgd, delay))
    queued.run(delay + steps)
    queued_bytes = tensor_bytes() - before - bare_bytes
    return times_in_turn(bare, queued, blocks=blocks, steps=steps), (queued_bytes - bare_bytes) / queued.gradient_bytes


def times_in_turn(first: Training, second: Training, *, blocks: int, steps: int) -> list[tuple[float, float]]:
    """Returns the seconds of a step of each, block by block; they take turns at being the first of a block."""
    seconds: list[tuple[float, float]] = []
    for block in range(blocks):
        if block % 2:
            seconds.append((first.run(steps), second.run(steps)))
        else:
            seconds.append((second.run(steps), first.run(steps))[::-1])
    return seconds


def compare(layers: tuple[int, ...], batch: int, delay: int, *, blocks: int, steps: int) -> dict[str, float]:
    """Returns median seconds of a bare and a queued step, their ratio with its spread, and the queue's memory."""
    runs = [run_in_turn(layers, batch, delay, blocks=blocks, steps=steps) for _ in range(PLACES)]
    seconds = [times for blocks_of_one, _ in runs for times in blocks_of_one]
    ratios = sorted(q / b for b, q in seconds)
    return {
        "parameters": sum((width + 1) * following for width, following in pairwise(layers)),
        "delay": delay,
        "bare_seconds": statistics.median(b for b, _ in seconds),
        "queued_seconds": statistics.median(q for _, q in seconds),
        "ratio": statistics.median(ratios),
        "ratio_quarter": ratios[len(ratios) // 4],
        "ratio_three_quarters": ratios[-1 - len(ratios) // 4],
        "gradients_held": runs[-1][1],
    }


def main(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Measure the time and the memory that the gradient queue adds to a step."""
    small, large = (64, 32, 10), (1024, 2700, 2700, 10)
    rows = [compare(small, 32, delay, blocks=14, steps=200) for delay in DELAYS]
    rows += [compare(large, 64, delay, blocks=4, steps=4) for delay in DELAYS]
    table = Table("parameters", "delay τ", "bare, s", "queued, s", "ratio", "middle half", "gradients held")
    for row in rows:
        table.add_row(
            f"{row['parameters']:,}",
            str(row["delay"]),
            f"{row['bare_seconds']:.3g}",
            f"{row['queued_seconds']:.3g}",
            f"{row['ratio']:.3f}",
            f"{row['ratio_quarter']:.3f} – {row['ratio_three_quarters']:.3f}",
            f"{row['gradients_held']:.3f}",
        )
    ratios = {f"{row['parameters']:.0f} parameters, delay {row['delay']:.0f}": row["ratio"] for row in rows}
    keep("step", {"ratios": ratios, "rows": rows}, as_json=as_json)
    if not as_json:
        Console().print(table)


if __name__ == "__main__":
    typer.run(main)
