"""A connection between two stages of a pipeline, over which tensors go."""

import contextlib
import os
import socket
import struct
import threading
import time
from queue import SimpleQueue
from typing import Any

import torch
from torch import Tensor

from tautune.trainables.asynchronous.wire import (
    SILENCE,
    STRANGER,
    WORK,
    Header,
    Lost,
    agree,
    prepare,
    receive_header,
    receive_into,
    send,
)

GONE = "a neighbouring stage is gone"
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8)


class Link:
    """A connection to a neighbour that knows the key. What it sends is taken in at once, by a thread of its own.

    So two neighbours that send to each other do not wait for each other.

    Raises:
        Lost: the neighbour does not know the key.
    """

    def __init__(self, connection: socket.socket, key: bytes, *, first: bool) -> None:
        try:
            prepare(connection)
            agree(connection, key, first=first)
        except (Lost, OSError):
            connection.close()
            raise
        connection.settimeout(None)
        self.connection = connection
        self._came: SimpleQueue[Tensor | None] = SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, tensor: Tensor) -> None:
        """Sends a tensor: its dtype and shape, and its memory as it lies. Raises Lost."""
        plain = tensor.detach().cpu().contiguous()
        about = struct.pack(f"<{1 + plain.ndim}q", DTYPES.index(plain.dtype), *plain.shape)
        block: Any = plain.reshape(-1).view(torch.uint8).numpy()
        try:
            send(self.connection, Header(WORK, number=len(about)), about, memoryview(block))
        except Lost as error:  # as whoever receives says it
            raise Lost(GONE) from error

    def receive(self) -> Tensor:
        """Returns the next tensor. Raises Lost if the neighbour is gone."""
        tensor = self._came.get()
        if tensor is None:
            self._came.put(None)
            raise Lost(GONE)
        return tensor

    def close(self) -> None:
        """Closes the connection: the neighbour learns of it."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()

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


class Entrance:
    """Where the stage before this one connects."""

    def __init__(self, host: str) -> None:
        self.key = os.urandom(32)
        self._listener = socket.create_server((host, 0))
        self.address: tuple[str, int] = self._listener.getsockname()[:2]

    def admit(self) -> Link:
        """Returns the connection to the stage before, and lets nobody in after it. A stranger is turned away.

        Raises:
            Lost: it has not come within `SILENCE`.
        """
        end = time.monotonic() + SILENCE
        with self._listener:
            while (left := end - time.monotonic()) > 0:
                self._listener.settimeout(left)
                with contextlib.suppress(Lost, OSError):
                    connection, _ = self._listener.accept()
                    connection.settimeout(min(left, STRANGER))
                    return Link(connection, self.key, first=True)
        raise Lost("the stage before has not come")


def enter(address: tuple[str, int], key: bytes) -> Link:
    """Returns a connection to the next stage. Raises Lost if there is nobody who knows the key."""
    try:
        connection = socket.create_connection(address, timeout=SILENCE)
    except OSError as error:
        raise Lost(f"the next stage is gone: {error}") from None
    return Link(connection, key, first=False)
