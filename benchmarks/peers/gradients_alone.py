"""Gradients of the same model and batches by as many workers, and nothing is moved: no asynchronous SGD is faster."""

import time
from collections.abc import Callable
from typing import Any

import ray
import torch
from torch import nn
from torch.nn.functional import cross_entropy


class Worker:
    def __init__(self, make: Callable[[], nn.Module], batch: Callable[[int], Any], number: int) -> None:
        torch.set_num_threads(1)
        self.model, self.batch, self.number = make(), batch, number

    def gradients(self, count: int) -> None:
        for _ in range(count):
            self.number += 1
            inputs, targets = self.batch(self.number)
            self.model.zero_grad()
            cross_entropy(self.model(inputs), targets).backward()


class Training:
    """Has the interface of the trainings that it is the limit of."""

    def __init__(
        self, make: Callable[[], nn.Module], batch: Callable[[int], Any], workers: int, learning_rate: float
    ) -> None:
        self.workers = [ray.remote(num_cpus=0)(Worker).remote(make, batch, 1000 * number) for number in range(workers)]

    def run(self, updates: int) -> float:
        """Computes so many gradients, as many by each worker. Returns the seconds that they took."""
        begun = time.perf_counter()
        ray.get([worker.gradients.remote(updates // len(self.workers)) for worker in self.workers])
        return time.perf_counter() - begun

    def close(self) -> None:
        for worker in self.workers:
            ray.kill(worker)
