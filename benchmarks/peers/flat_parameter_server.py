"""Asynchronous SGD with one flat array of weights, in the way of konstmish/asynchronous_sgd, its idea written anew.

There the server holds one numpy array and the driver asks the worker that has finished for its next gradient before the
server has applied this one; the learning rate is sent to the server at every step, since it depends on the delay. Here
the gradients are those of any network, and the loss is not evaluated on the way.
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


class Server:
    def __init__(self, make: Make, learning_rate: float) -> None:
        torch.set_num_threads(1)
        self.x = torch.cat([p.detach().reshape(-1) for p in make().parameters()]).numpy()
        self.learning_rate = learning_rate

    def apply(self, gradient: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        self.x -= self.learning_rate * gradient
        return self.x

    def weights(self) -> np.ndarray[Any, Any]:
        return self.x

    def set_learning_rate(self, learning_rate: float) -> None:
        self.learning_rate = learning_rate


class FlatWorker:
    def __init__(self, make: Make, batch: Batch, number: int) -> None:
        torch.set_num_threads(1)
        self.model, self.batch, self.number = make(), batch, number

    def gradient(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        with torch.no_grad():
            pieces = torch.from_numpy(x.copy()).split([p.numel() for p in self.model.parameters()])
            for p, piece in zip(self.model.parameters(), pieces, strict=True):
                p.copy_(piece.view(p.shape))
        self.number += 1
        inputs, targets = self.batch(self.number)
        self.model.zero_grad()
        cross_entropy(self.model(inputs), targets).backward()
        flat: np.ndarray[Any, Any] = torch.cat([p.grad.reshape(-1) for p in self.model.parameters()]).numpy()  # type: ignore[union-attr]
        return flat


class Training:
    def __init__(self, make: Make, batch: Batch, workers: int, learning_rate: float) -> None:
        self.learning_rate = learning_rate
        self.server = ray.remote(num_cpus=0)(Server).remote(make, learning_rate)
        self.workers = [
            ray.remote(num_cpus=0)(FlatWorker).remote(make, batch, 1000 * number) for number in range(workers)
        ]
        self.x = self.server.weights.remote()
        self.gradients = {worker.gradient.remote(self.x): worker for worker in self.workers}
        self.last = dict.fromkeys(self.workers, 0)

    def run(self, updates: int) -> float:
        """Makes so many updates. Returns the seconds that they took."""
        begun = time.perf_counter()
        for now in range(updates):
            ready, _ = ray.wait(list(self.gradients))
            worker = self.gradients.pop(ready[-1])
            self.gradients[worker.gradient.remote(self.x)] = worker
            late = now - self.last[worker]
            self.server.set_learning_rate.remote(self.learning_rate * len(self.workers) / max(len(self.workers), late))
            self.x = self.server.apply.remote(ready[-1])
            self.last[worker] = now
        ray.get(self.x)
        return time.perf_counter() - begun

    def close(self) -> None:
        for actor in (self.server, *self.workers):
            ray.kill(actor)
