"""Two processes: DistributedDataParallel and FSDP2, each against a list of cloned gradients, bit for bit."""

import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from tautune.trainables.delay import GradientQueue
from tests.trainables.delay.cloned_gradients import ClonedGradients

Prepare = Callable[[nn.Module], nn.Module]


def replicated(**options: Any) -> Prepare:
    return lambda model: DistributedDataParallel(model, **options)


def sharded(model: nn.Module) -> nn.Module:
    for layer in (model[0], model[2], model):  # type: ignore[index]
        fully_shard(layer, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    return model


CASES: dict[str, tuple[Prepare, bool]] = {
    "copied out of buckets": (replicated(), True),
    "views of buckets": (replicated(gradient_as_bucket_view=True), True),
    "views of small buckets": (replicated(gradient_as_bucket_view=True, bucket_cap_mb=0.0001), True),
    "views of buckets, zeroed in place": (replicated(gradient_as_bucket_view=True), False),
    "sharded": (sharded, True),
}
"""Name → how the model is prepared, and whether `zero_grad` drops the gradients."""


def train(make: Callable[[torch.optim.Optimizer], Any], case: str, rank: int) -> list[Tensor]:
    prepare, set_to_none = CASES[case]
    torch.manual_seed(0)
    model = prepare(nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4)).double())
    optimizer = make(torch.optim.SGD(model.parameters(), 0.3, momentum=0.9))
    path = []
    for t in range(12):
        generator = torch.Generator().manual_seed(2 * t + rank)
        inputs, targets = (
            torch.randn(8, 6, dtype=torch.float64, generator=generator),
            torch.randint(4, (8,), generator=generator),
        )
        optimizer.zero_grad(set_to_none)
        cross_entropy(model(inputs), targets).backward()
        optimizer.step()
        path.append(torch.cat([getattr(p, "_local_tensor", p).detach().flatten() for p in model.parameters()]))
    return path


def compare(rank: int, port: int, queue: Any) -> None:
    torch.set_num_threads(1)
    store = dist.TCPStore("127.0.0.1", port, 2, is_master=rank == 0, timeout=timedelta(seconds=60))
    dist.init_process_group("gloo", store=store, rank=rank, world_size=2, timeout=timedelta(seconds=60))
    for case in CASES:
        expected = torch.stack(train(lambda o: ClonedGradients(o, 3), case, rank))
        path = torch.stack(train(lambda o: GradientQueue(o, 3), case, rank))
        undelayed = torch.stack(train(lambda o: o, case, rank))
        queue.put((case, rank, torch.equal(path, expected), not torch.equal(expected, undelayed)))
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def outcomes() -> dict[tuple[str, int], tuple[bool, bool]]:
    """What two processes found in all cases: agrees with the oracle, and differs from training without delay."""
    context = torch.multiprocessing.get_context("spawn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    queue = context.SimpleQueue()
    processes = [context.Process(target=compare, args=(rank, port, queue), daemon=True) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=180)
        if process.is_alive():
            process.kill()
    found = {}
    while not queue.empty():
        case, rank, agrees, delayed = queue.get()
        found[case, rank] = (agrees, delayed)
    return found


@pytest.mark.skipif(not dist.is_available(), reason="torch without torch.distributed")
@pytest.mark.parametrize("case", CASES)
def test_agrees_with_cloned_gradients(case: str, outcomes: dict[tuple[str, int], tuple[bool, bool]]) -> None:
    assert outcomes.get((case, 0)) == outcomes.get((case, 1)) == (True, True)
