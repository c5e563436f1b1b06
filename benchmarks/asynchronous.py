"""Measures the updates a second that four workers make, beside what a user would write with Ray alone.

    python -m benchmarks.asynchronous [--json]

All take turns in one Ray, with the same model, batches, learning rate and number of workers; a turn is a few hundred
updates of processes that have started and made some, and the ratio is that of the medians over the turns. The limit is
what as many workers compute if they do nothing but gradients.
"""

import pickle
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.record import keep
from tautune.cluster.session.environment import set_environment

set_environment()  # before Ray is imported

from benchmarks.peers import flat_parameter_server, gradients_alone, ray_parameter_server  # noqa: E402
from tautune import AsynchronousTraining  # noqa: E402
from tautune.cluster.session.session import ray_session  # noqa: E402
from tautune.trainables.supervised.models import build  # noqa: E402

WORKERS, BATCH, RATE, TURNS = 4, 64, 0.01, 3
MODELS: dict[str, tuple[str, tuple[int, ...], dict[str, Any], int]] = {
    "digits MLP": ("mlp", (1, 8, 8), {"units": 32, "layers": 1}, 200),
    "Fashion-MNIST CNN": ("cnn", (1, 28, 28), {}, 40),
}
"""A network, the shape of its inputs, its hyperparameters, and the updates in a turn."""


def made(network: str, shape: tuple[int, ...], settings: dict[str, Any]) -> nn.Module:
    torch.manual_seed(0)
    return build(network, shape, 10, settings)


def batch_of(shape: tuple[int, ...], number: int) -> tuple[Tensor, Tensor]:
    """Returns images of noise: how long a step takes does not depend on what they show."""
    generator = torch.Generator().manual_seed(number % 16)
    return torch.randn(BATCH, *shape, generator=generator), torch.arange(BATCH) % 10


def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return cross_entropy(model(batch[0]), batch[1])


class Ours:
    """A training by this package, with the interface of the others."""

    def __init__(self, make: Callable[[], nn.Module], batch: Callable[[int], Any], workers: int, rate: float) -> None:
        model = make()
        optimizer = torch.optim.SGD(model.parameters(), rate)
        self.training = AsynchronousTraining(model, loss, batch, optimizer, workers=workers, cpus_per_worker=0.0)

    def run(self, updates: int) -> float:
        begun = time.perf_counter()
        self.training.run(updates)
        return time.perf_counter() - begun

    def bytes_moved(self) -> float:
        """Returns those of an update."""
        serving, server = self.training._group.serving, self.training._group.server
        return (serving.bytes_sent + serving.bytes_received) / server.version

    def close(self) -> None:
        self.training.close()


PROGRAMS: dict[str, Any] = {
    "tautune": Ours,
    "Ray's documentation": ray_parameter_server.Training,
    "flat array": flat_parameter_server.Training,
    "gradients alone": gradients_alone.Training,
}


def measure(name: str) -> dict[str, Any]:
    """Returns the seconds of each program's turns, with the bytes that a step moves."""
    network, shape, settings, updates = MODELS[name]
    make, batch = partial(made, network, shape, settings), partial(batch_of, shape)
    trainings = {title: program(make, batch, WORKERS, RATE) for title, program in PROGRAMS.items()}
    for training in trainings.values():
        training.run(20)
    seconds: dict[str, list[float]] = {title: [] for title in trainings}
    for _ in range(TURNS):
        for title, training in trainings.items():
            seconds[title].append(training.run(updates))
    moved = trainings["tautune"].bytes_moved()
    for training in trainings.values():
        training.close()
    medians = {title: statistics.median(times) / updates for title, times in seconds.items()}
    model = make()
    parameters = sum(p.numel() for p in model.parameters())
    weights = ray_parameter_server.get_weights(model)
    gradients = [p.detach().numpy() for p in model.parameters()]
    return {
        "model": name,
        "parameters": parameters,
        "updates_per_second": {title: 1 / median for title, median in medians.items()},
        "ratios": {title: median / medians["tautune"] for title, median in medians.items() if title != "tautune"},
        "bytes_per_update": moved,
        "least_bytes_per_update": 8 * parameters,
        "bytes_per_update_of_rays_documentation": len(pickle.dumps(weights)) + len(pickle.dumps(gradients)),
        "seconds": seconds,
    }


def main(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Measure the updates a second of four asynchronous workers, beside two other ways."""
    with ray_session():
        rows = [measure(name) for name in MODELS]
    ratios = {f"{row['model']}, {title}": ratio for row in rows for title, ratio in row["ratios"].items()}
    keep("asynchronous", {"workers": WORKERS, "batch": BATCH, "ratios": ratios, "rows": rows}, as_json=as_json)
    table = Table("model", "parameters", *(f"{title}, updates/s" for title in PROGRAMS), "bytes a step", "at least")
    for row in rows:
        speeds = [f"{row['updates_per_second'][title]:.0f}" for title in PROGRAMS]
        bytes_moved = f"{row['bytes_per_update']:,.0f}", f"{row['least_bytes_per_update']:,}"
        table.add_row(row["model"], f"{row['parameters']:,}", *speeds, *bytes_moved)
    if not as_json:
        Console().print(table)
        Console().print(ratios)


if __name__ == "__main__":
    typer.run(main)
