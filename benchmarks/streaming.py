"""Passes 1 GB of batches from a DataLoader through a training: the memory it holds, and its speed beside a bare loop.

    python -m benchmarks.streaming [--json] [--turns 16]

A batch is 1 MiB: 256 examples of 1,024 numbers, made when they are read. The two loops train the same network with the
same optimizer, and pass over the loader in turn, on one thread.
"""

import time
from collections.abc import Callable
from typing import Annotated, Any

import psutil
import torch
import typer
from rich.console import Console
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.record import keep
from benchmarks.timing import compared
from tautune.search_spaces.data import Data
from tautune.trainables.supervised.sources import source_of
from tautune.trainables.supervised.supervised_training import SupervisedTraining
from tautune.trainables.supervised.tasks import TASKS

WIDTH, BATCH, BATCHES = 1024, 256, 64
MIB = 2**20


class Made(Dataset[Any]):
    """Examples that take no memory until they are read."""

    def __len__(self) -> int:
        return BATCH * BATCHES

    def __getitems__(self, numbers: list[int]) -> list[tuple[Tensor, Tensor]]:
        inputs = torch.randn(len(numbers), WIDTH)
        return list(zip(inputs, inputs[:, 0], strict=True))

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        return self.__getitems__([number])[0]


def model(shape: tuple[int, ...], outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(shape[0], 128), nn.ReLU(), nn.Linear(128, outputs))


def ours(loader: DataLoader[Any]) -> Callable[[], object]:
    """Returns tautune's pass over the loader."""
    data = Data(training=loader, validation=loader, test=loader)
    source = source_of(data.train, (torch.tensor([0]), torch.tensor([], dtype=torch.int64)))
    config = {"optimizer": "adam", "learning_rate": 1e-3}
    training = SupervisedTraining(model, config, source, outputs=1, horizon=1000, seed=0, task=TASKS["regression"])
    return training.train_epoch


def bare(loader: DataLoader[Any]) -> Callable[[], object]:
    """Returns the pass that PyTorch's documentation teaches."""
    network = model((WIDTH,), 1)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)

    def one_pass() -> float:
        network.train()
        running = 0.0
        for inputs, targets in loader:
            optimizer.zero_grad()
            outputs = network(inputs)
            loss = nn.functional.mse_loss(outputs.squeeze(1), targets)
            loss.backward()
            optimizer.step()
            running += loss.item()
        return running / len(loader)

    return one_pass


def timed(one_pass: Callable[[], object]) -> float:
    """Returns the seconds of a processor that a pass takes: others on the machine do not count."""
    begun = time.process_time()
    one_pass()
    return time.process_time() - begun


def main(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    turns: Annotated[int, typer.Option(min=2, help="Passes of each loop, of 64 MiB.")] = 16,
) -> None:
    """Pass over the loader."""
    torch.set_num_threads(1)
    loader = DataLoader(Made(), batch_size=BATCH, shuffle=True)
    programs = {"tautune": ours(loader), "bare_loop": bare(loader)}
    for one_pass in programs.values():
        one_pass()  # the first one imports and allocates
    process = psutil.Process()
    before, resident = process.memory_info().rss, []
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(turns):
        for name in sorted(programs, reverse=bool(turn % 2)):
            seconds[name].append(timed(programs[name]))
            resident.append(process.memory_info().rss)
    figures = compared(seconds) | {
        "passed_mib": turns * BATCHES,
        "grown_mib": (max(resident) - before) / MIB,
        "resident_mib": before / MIB,
    }
    keep("streaming", figures, as_json=as_json)
    if not as_json:
        Console().print(
            f"streaming: a bare loop takes {figures['ratios']['bare_loop']:.3f} times as long; memory grows by "
            f"{figures['grown_mib']:.1f} MiB while {figures['passed_mib']} MiB pass",
            highlight=False,
        )


if __name__ == "__main__":
    typer.run(main)
