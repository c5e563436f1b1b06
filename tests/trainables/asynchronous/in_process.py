"""A parameter server and its workers in one process without a network, whose gradients come in whatever order."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from tautune.trainables.asynchronous.flat import Flat, statistics, trained
from tautune.trainables.asynchronous.modes import parse_mode
from tautune.trainables.asynchronous.server import ParameterServer, Row
from tautune.trainables.asynchronous.wire import GRADIENT, Header
from tests.trainables.delay.small_training import backward, make_model

Backward = Callable[[nn.Module, int], None]
"""Leaves the gradient of a model on the batch of a number."""


class Together:
    """Workers that compute when they are told to: `finish` says whose gradient comes next."""

    def __init__(
        self,
        optimizer: Callable[[Any], torch.optim.Optimizer],
        workers: int,
        mode: str,
        *,
        make: Callable[[], nn.Module] = make_model,
        gradient: Backward = backward,
    ) -> None:
        self.model, self.gradient = make(), gradient
        self.server = ParameterServer(self.model, optimizer(self.model.parameters()), parse_mode(mode), workers)
        self.copies = [make() for _ in range(workers)]
        self.blocks = [Flat(trained(copy)) for copy in self.copies]
        for block, copy in zip(self.blocks, self.copies, strict=True):
            block.adopt(trained(copy))
        self.path: list[Tensor] = []
        self.rows: list[Row] = []
        self.settle()

    def settle(self) -> None:
        """Makes every update that is due, and hands out to whoever is idle after each."""
        while True:
            rows = self.server.advance()
            if rows:
                self.path.append(parameters_to_vector(self.model.parameters()).detach().clone())
            for worker in range(len(self.copies)):
                if self.server.is_idle(worker):
                    self.server.hand_out(worker, lambda out, weights: self._receive(out.worker, weights))
            if rows is None:
                return
            self.rows += rows

    def _receive(self, worker: int, weights: memoryview) -> None:
        self.blocks[worker].bytes[:] = weights

    def finish(self, workers: Iterable[int]) -> list[Tensor]:
        """Has those workers' gradients come, one after another. Returns the weights after each update so far."""
        for worker in workers:
            if worker not in self.server.out:
                continue  # it waits for an update
            out, copy = self.server.out[worker], self.copies[worker]
            copy.zero_grad()
            self.gradient(copy, out.batch)
            flat = self.server.room()
            gradients = [parameter.grad for parameter in trained(copy)]
            present = torch.tensor([gradient is not None for gradient in gradients], dtype=torch.uint8)
            flat.take([*gradients, present, *statistics(copy)])
            self.server.came(worker, Header(GRADIENT, out.number, 0, 1.0, 8), flat)
            self.settle()
        return self.path
