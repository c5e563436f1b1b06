"""Measures what each remedy adds to the queue's training step, on a network of 10 million parameters at a delay of 8.

    python -m benchmarks.remedies [--json]

Steps with the queue alone and with the remedy alternate, block by block, in one process; the ratio is the median over
the blocks. A step is a whole one: forward and backward pass of 64 examples, and the update. The last column counts the
memory beyond the queue's, in copies of the model.
"""

import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Optimizer

import tautune
from benchmarks.record import keep
from benchmarks.step import Training, tensor_bytes, times_in_turn

DELAY = 8
LAYERS = (1024, 2700, 2700, 10)
BATCH = 64
BLOCKS, STEPS, PLACES = 6, 3, 1
"""How many blocks of how many steps, and how often all is made anew: it may lie where memory is slow."""


def queue(sgd: SGD) -> tautune.GradientQueue:
    return tautune.GradientQueue(sgd, DELAY)


def compensated(sgd: SGD) -> Optimizer:
    return queue(tautune.SpikeCompensatedSGD(sgd.param_groups[0]["params"], 1e-4, momentum=0.9, horizon=DELAY))  # type: ignore[arg-type]


REMEDIES: dict[str, Callable[[SGD], Optimizer]] = {
    "weight prediction": lambda sgd: tautune.WeightPrediction(queue(sgd)),
    "spike compensation": compensated,
    "delay compensation": lambda sgd: tautune.DelayCompensation(queue(sgd)),
    "gap-aware": lambda sgd: tautune.GapAware(queue(sgd)),
    "delay-adaptive": lambda sgd: tautune.DelayAdaptive(queue(sgd), workers=4),
    "staleness-aware": lambda sgd: tautune.StalenessAware(queue(sgd)),
    "PipeMare rescheduling": lambda sgd: tautune.PipeMareRescheduling(queue(sgd), steps=100),
    "discard": lambda sgd: tautune.DiscardStale(queue(sgd), limit=DELAY + 1),
    "weight stashing": lambda sgd: tautune.WeightStashing(sgd, DELAY),
}


class RemediedTraining(Training):
    """One model, its data and its optimizer with a remedy, whose block the passes are in."""

    def run(self, steps: int) -> float:
        """Returns seconds per step."""
        optimizer: Any = self.optimizer
        none: Callable[[], AbstractContextManager[None]] = nullcontext
        block = getattr(optimizer, "predicted", getattr(optimizer, "stashed", none))
        begun = time.perf_counter()
        for _ in range(steps):
            optimizer.zero_grad()
            with block():
                cross_entropy(self.model(self.inputs), self.targets).backward()
            optimizer.step()
        return (time.perf_counter() - begun) / steps


def compare(wrap: Callable[[SGD], Optimizer]) -> dict[str, float]:
    """Returns the median seconds of a step with and without the remedy, their ratio with its spread, and memory."""
    seconds = []
    for _ in range(PLACES):
        before = tensor_bytes()
        alone = Training(LAYERS, BATCH, queue)
        alone.run(DELAY + STEPS)
        alone_bytes = tensor_bytes() - before
        remedied = RemediedTraining(LAYERS, BATCH, wrap)
        remedied.run(DELAY + STEPS)
        copies = (tensor_bytes() - before - 2 * alone_bytes) / remedied.gradient_bytes
        seconds += times_in_turn(alone, remedied, blocks=BLOCKS, steps=STEPS)
        del alone, remedied
    ratios = sorted(r / a for a, r in seconds)
    return {
        "queue_seconds": statistics.median(a for a, _ in seconds),
        "remedy_seconds": statistics.median(r for _, r in seconds),
        "ratio": statistics.median(ratios),
        "ratio_quarter": ratios[len(ratios) // 4],
        "ratio_three_quarters": ratios[-1 - len(ratios) // 4],
        "copies_of_the_model": copies,
    }


def main(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Measure the time and the memory that each remedy adds to a step with the gradient queue."""
    rows = {name: compare(wrap) for name, wrap in REMEDIES.items()}
    keep("remedies", {"ratios": {name: row["ratio"] for name, row in rows.items()}, "rows": rows}, as_json=as_json)
    table = Table("remedy", "queue, s", "with it, s", "ratio", "middle half", "copies of the model")
    for name, row in rows.items():
        table.add_row(
            name,
            f"{row['queue_seconds']:.3g}",
            f"{row['remedy_seconds']:.3g}",
            f"{row['ratio']:.3f}",
            f"{row['ratio_quarter']:.3f} – {row['ratio_three_quarters']:.3f}",
            f"{row['copies_of_the_model']:.2f}",
        )
    if not as_json:
        Console().print(table)


if __name__ == "__main__":
    typer.run(main)
