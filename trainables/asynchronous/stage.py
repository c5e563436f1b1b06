"""One stage of an asynchronous pipeline: a part of the model, whose neighbours send it activations and gradients."""

import contextlib
import os
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from tautune.trainables.asynchronous.batches import Batches, NumberedBatches, seed_batch
from tautune.trainables.asynchronous.wire import (
    SILENCE,
    WORK,
    Header,
    Lost,
    agree,
    prepare,
    receive_header,
    receive_into,
    send,
)

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8)


class Link:
    """A connection to a neighbour, over which tensors go. What it sends is taken in at once, by a thread of its own.

    So two neighbours that send to each other do not wait for each other.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._came: SimpleQueue[Tensor | None] = SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, tensor: Tensor) -> None:
        """Sends a tensor: its dtype and shape, and its memory as it lies. Raises Lost."""
        plain = tensor.detach().cpu().contiguous()
        about = struct.pack(f"<{1 + plain.ndim}q", DTYPES.index(plain.dtype), *plain.shape)
        block: Any = plain.reshape(-1).view(torch.uint8).numpy()
        send(self.connection, Header(WORK, number=len(about)), about, memoryview(block))

    def receive(self) -> Tensor:
        """Returns the next tensor. Raises Lost if the neighbour is gone."""
        tensor = self._came.get()
        if tensor is None:
            self._came.put(None)
            raise Lost("a neighbouring stage is gone")
        return tensor

    def _listen(self) -> None:
        with contextlib.suppress(Lost):
            while True:
                header = receive_header(self.connection)
                about = bytearray(header.number)
                receive_into(self.connection, memoryview(about))
                kind, *shape = struct.unpack(f"<{header.number // 8}q", about)
                tensor = torch.empty(shape, dtype=DTYPES[kind])
                block: Any = tensor.reshape(-1).view(torch.uint8).numpy()
                receive_into(self.connection, memoryview(block))
                self._came.put(tensor)
        self._came.put(None)


class Stage:
    """A Ray actor that has one stage of the model, and never waits for the pipeline to empty (1F1B without flush).

    With d later stages, it goes d batches ahead of its backward passes, and then makes one forward and one backward
    pass in turn, with an update after each backward pass. So batch t meets weights that are d updates old.

    Args:
        part: of the model.
        optimizer: makes the optimizer of parameters.
        number: of the stage, from 0.
        of: how many stages there are.
        stashing: whether the backward pass has the weights of the forward pass, which are kept for it. Otherwise the
            backward pass computes the activations anew, with the newest weights.
        seed: of dropout, which is drawn for each batch and stage.
    """

    def __init__(
        self,
        part: nn.Module,
        optimizer: Callable[[Any], Optimizer],
        number: int,
        of: int,
        *,
        stashing: bool = True,
        seed: int = 0,
    ) -> None:
        self.part = part.train()
        self.optimizer = optimizer(part.parameters())
        self.number, self.ahead, self.stashing = number, of - 1 - number, stashing
        self.seed = seed * of + number
        self.forwards = self.backwards = 0
        self._stash: deque[tuple[Tensor, dict[str, Tensor], Tensor | None, int]] = deque()
        self._before: Link | None = None
        self._after: Link | None = None
        self._key = os.urandom(32)

    def listen(self, host: str) -> tuple[tuple[str, int], bytes]:
        """Returns where the stage before this one finds it, and the key to prove to each other."""
        self._listener = socket.create_server((host, 0))
        return self._listener.getsockname()[:2], self._key

    def connect(self, address: tuple[str, int] | None, key: bytes) -> None:
        """Connects to the next stage, if there is one, and waits for the one before, if there is one."""
        if address:
            after = socket.create_connection(address, timeout=SILENCE)
            self._after = self._linked(after, key, first=False)
        if self.number:
            self._listener.settimeout(SILENCE)
            self._before = self._linked(self._listener.accept()[0], self._key, first=True)

    def _linked(self, connection: socket.socket, key: bytes, *, first: bool) -> Link:
        prepare(connection)
        agree(connection, key, first=first)
        connection.settimeout(None)
        return Link(connection)

    def run(self, updates: int, batches: Batches, loss: Callable[[Any, Any], Tensor]) -> list[tuple[int, float]]:
        """Makes so many updates. Returns the age of the weights and, in the last stage, the loss of each.

        Raises:
            Lost: a neighbour is gone.
        """
        numbered, done = NumberedBatches(batches), []
        try:
            for _ in range(updates):
                while self.forwards <= self.backwards + self.ahead:
                    self._forward(numbered, loss)
                done.append(self._backward())
        except Exception:
            self.close()  # so that no neighbour waits for ever
            raise
        return done

    def _forward(self, batches: NumberedBatches, loss: Callable[[Any, Any], Tensor]) -> None:
        number = self.forwards
        x = self._before.receive().requires_grad_() if self._before else batches(number)[0]
        targets = batches(number)[1] if self._after is None else None
        weights: dict[str, Tensor] = {}
        if self.stashing and self.ahead:
            weights = {name: p.detach().clone().requires_grad_() for name, p in self.part.named_parameters()}
        seed_batch(self.seed, number)
        if self.stashing or not self.ahead:
            y = functional_call(self.part, weights, (x,))
            y = y if targets is None else loss(y, targets)
        else:
            with torch.no_grad():
                y = self.part(x)
        self._stash.append((y if y.requires_grad else x, weights, x, self.backwards))
        if self._after:
            self._after.send(y)
        self.forwards += 1

    def _backward(self) -> tuple[int, float]:
        number = self.backwards
        y, weights, x, version = self._stash.popleft()
        self.optimizer.zero_grad()
        if not self.stashing and self.ahead:
            seed_batch(self.seed, number)
            y = self.part(x)
        y.backward(self._after.receive() if self._after else None)
        for name, parameter in self.part.named_parameters():
            if weights:
                parameter.grad = weights[name].grad
        if self._before:
            assert x is not None
            assert x.grad is not None
            self._before.send(x.grad)
        self.optimizer.step()
        self.backwards += 1
        return number - version, float("nan") if self._after else y.item()

    def state(self) -> dict[str, Tensor]:
        """Returns the stage's newest weights and buffers."""
        return self.part.state_dict()

    def close(self) -> None:
        """Closes the connections."""
        for link in (self._before, self._after):
            if link:
                with contextlib.suppress(OSError):
                    link.connection.shutdown(socket.SHUT_RDWR)
                link.connection.close()
