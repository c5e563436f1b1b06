"""The asynchronous parameter server of Ray's documentation, with any model: what its reader would write.

The driver waits for one gradient, passes it to the server, and passes the server's new weights to the worker whose
gradient it was. The evaluation after every tenth update is left out here.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import ray
import torch
from torch import nn
from torch.nn.functional import cross_entropy

Make = Callable[[], nn.Module]
Batch = Callable[[int], Any]


def get_weights(model: nn.Module) -> dict[str, Any]:
    return {name: value.cpu() for name, value in model.state_dict().items()}


class ParameterServer:
    def __init__(self, make: Make, learning_rate: float) -> None:
        torch.set_num_threads(1)
        self.model = make()
        self.optimizer = torch.optim.SGD(self.model.parameters(), learning_rate)

    def apply_gradients(self, *gradients: list[Any]) -> dict[str, Any]:
        summed = [np.stack(gradient_zip).sum(axis=0) for gradient_zip in zip(*gradients, strict=True)]
        self.optimizer.zero_grad()
        for gradient, parameter in zip(summed, self.model.parameters(), strict=True):
            parameter.grad = torch.from_numpy(gradient)
        self.optimizer.step()
        return get_weights(self.model)

    def get_weights(self) -> dict[str, Any]:
        return get_weights(self.model)


class DataWorker:
    def __init__(self, make: Make, batch: Batch, number: int) -> None:
        torch.set_num_threads(1)
        self.model, self.batch, self.number = make(), batch, number

    def compute_gradients(self, weights: dict[str, Any]) -> list[Any]:
        self.model.load_state_dict(weights)
        self.number += 1
        inputs, targets = self.batch(self.number)
        self.model.zero_grad()
        cross_entropy(self.model(inputs), targets).backward()
        return [None if p.grad is None else p.grad.cpu().numpy() for p in self.model.parameters()]


class Training:
    def __init__(self, make: Make, batch: Batch, workers: int, learning_rate: float) -> None:
        self.server = ray.remote(num_cpus=0)(ParameterServer).remote(make, learning_rate)
        self.workers = [
            ray.remote(num_cpus=0)(DataWorker).remote(make, batch, 1000 * number) for number in range(workers)
        ]
        weights = self.server.get_weights.remote()
        self.gradients = {worker.compute_gradients.remote(weights): worker for worker in self.workers}

    def run(self, updates: int) -> float:
        """Makes so many updates. Returns the seconds that they took."""
        begun = time.perf_counter()
        for _ in range(updates):
            ready, _ = ray.wait(list(self.gradients))
            worker = self.gradients.pop(ready[0])
            weights = self.server.apply_gradients.remote(ready[0])
            self.gradients[worker.compute_gradients.remote(weights)] = worker
        ray.get(weights)
        return time.perf_counter() - begun

    def close(self) -> None:
        for actor in (self.server, *self.workers):
            ray.kill(actor)
