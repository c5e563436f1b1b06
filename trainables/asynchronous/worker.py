"""A worker: computes the gradients that a parameter server asks for."""

import socket
import time
import traceback
from collections.abc import Callable
from typing import Protocol

import torch
from torch import nn

from tautune.trainables.asynchronous.flat import Flat, statistics, trained
from tautune.trainables.asynchronous.judged import Judged
from tautune.trainables.asynchronous.wire import (
    FAILED,
    GRADIENT,
    JOINED,
    SILENCE,
    Header,
    Lost,
    agree,
    prepare,
    receive_header,
    receive_into,
    send,
)


class Gradients(Protocol):
    """Computes gradients of a model of its own."""

    model: nn.Module

    def compute(self, batch: int) -> Judged:
        """Leaves the gradient of the batch of that number in `.grad`."""


class Worker:
    """A Ray actor, which Ray starts anew where its process or its host was lost.

    Args:
        number: of this worker, from 0.
        slowdown: how many times as long as it needs a gradient shall take; 1 for as soon as it can.
        device: where gradients are computed.
        threads: of torch.
    """

    def __init__(self, number: int, *, slowdown: float = 1.0, device: str = "cpu", threads: int = 1) -> None:
        torch.set_num_threads(threads)
        self.number, self.slowdown, self.device = number, slowdown, device

    def run(self, make: Callable[[str], Gradients], address: tuple[str, int], key: bytes) -> None:
        """Works until the server closes; a connection that breaks is made anew as long as somebody listens.

        Args:
            make: makes what computes gradients, in this process, on a device.
            address: of the server.
            key: proves to the server that this worker is one of its own, and to this worker that it is the server.
        """
        made = self._made(make)  # before it joins, so that no gradient is handed out to who is not ready for it
        while True:
            try:
                connection = socket.create_connection(address, timeout=SILENCE)
            except OSError:
                return
            with connection:
                try:
                    prepare(connection)
                    agree(connection, key, first=False)
                    send(connection, Header(JOINED, self.number))
                    self._work(connection, made)
                except Lost:
                    time.sleep(0.05)

    def _made(self, make: Callable[[str], Gradients]) -> Gradients | BaseException:
        """Returns what computes gradients, or what a user's code has raised instead, which the server is told."""
        try:
            return make(self.device)
        except BaseException as error:
            return error

    def _work(self, connection: socket.socket, gradients: Gradients | BaseException) -> None:
        estimates = bytearray(receive_header(connection).size)  # a failure is told to who listens, and is not sending
        receive_into(connection, memoryview(estimates))
        try:
            if isinstance(gradients, BaseException):
                raise gradients
            weights = Flat(trained(gradients.model))
            weights.adopt(trained(gradients.model))
            ours = _Reply(gradients.model)
            running = Flat(statistics(gradients.model))
            running.bytes[:] = estimates
            running.give(statistics(gradients.model))
            connection.settimeout(None)  # the next weights may take as long as the slowest worker does
            while True:
                header = receive_header(connection)
                receive_into(connection, weights.bytes)
                weights.give(trained(gradients.model))
                self._compute(connection, header, gradients, ours)
        except Lost:
            raise
        except BaseException:  # whatever a user's code raises is told to the server, which ends the training
            send(connection, Header(FAILED), traceback.format_exc().encode())
            raise

    def _compute(self, connection: socket.socket, header: Header, gradients: Gradients, ours: "_Reply") -> None:
        begun = time.perf_counter()
        gradients.model.zero_grad()
        done = gradients.compute(header.batch)
        block = ours.block()
        if self.slowdown > 1:
            time.sleep((self.slowdown - 1) * (time.perf_counter() - begun))
        about = Header(GRADIENT, header.number, done.hits, done.loss.item(), done.examples)
        send(connection, about, block)


class _Reply:
    """What a worker sends: gradients, which parameters have one, and the running estimates."""

    def __init__(self, model: nn.Module) -> None:
        self.parameters, self.running = trained(model), statistics(model)
        self.present = [True] * len(self.parameters)
        self.mask = torch.ones(len(self.parameters), dtype=torch.uint8)
        self.flat = Flat([*self.parameters, self.mask, *self.running])

    def block(self) -> memoryview:
        gradients = [parameter.grad for parameter in self.parameters]
        present = [gradient is not None for gradient in gradients]
        if present != self.present:
            self.present, self.mask = present, torch.tensor(present, dtype=torch.uint8)
        self.flat.take([*gradients, self.mask, *self.running])
        return self.flat.bytes
