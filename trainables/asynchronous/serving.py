"""A parameter server on the network: takes workers in, exchanges gradients for weights, and notices who is lost."""

import os
import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

from tautune.trainables.asynchronous.flat import Flat, statistics
from tautune.trainables.asynchronous.server import Out, ParameterServer, Row
from tautune.trainables.asynchronous.wire import (
    FAILED,
    FIRST,
    GRADIENT,
    SILENCE,
    STRANGER,
    WORK,
    Header,
    Lost,
    agree,
    prepare,
    receive_header,
    receive_into,
    receive_text,
    send,
)

GUESTS = 64
"""Connections at once that have not proved the key yet: more of them wait until one is let in or turned away."""
PATIENCE = 1.0
"""Seconds without a message after which the workers are looked after."""


class WorkerFailed(RuntimeError):
    """A worker's own code raised: the model, the loss, or the data. The message has the traceback."""


class Serving:
    """The connections of a parameter server.

    Args:
        server: what the workers' gradients are applied to.
        host: the address to listen at, which is this machine's in the cluster.
        watch: called now and then; raises if a worker can never come back.
    """

    def __init__(self, server: ParameterServer, host: str, watch: Callable[[], None] = lambda: None) -> None:
        self.server, self.watch = server, watch
        self.key = os.urandom(32)
        self.bytes_received = self.bytes_sent = 0
        self._listener = socket.create_server((host, 0))
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._connections: dict[int, socket.socket] = {}
        self._all_were_here = False
        self._joined: SimpleQueue[tuple[int, socket.socket]] = SimpleQueue()
        self._guests = threading.BoundedSemaphore(GUESTS)
        self._bell, self._rung = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._rung, selectors.EVENT_READ, None)
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def run(self, updates: int, on_update: Callable[[list[Row]], bool]) -> None:
        """Makes so many updates, or fewer if `on_update` returns True after one of them.

        Raises:
            WorkerFailed: a worker's own code raised.
        """
        done = 0
        while len(self._connections) < self.server.workers and not self._all_were_here:
            self._receive()  # the first gradients are numbered by their workers, and those of a state are theirs
        self._all_were_here = True
        while done < updates:
            rows = self.server.advance()
            self._answer()
            if rows is None:
                self._receive()
            elif rows:
                done += 1
                if on_update(rows):
                    break
        self.server.settle()

    def drain(self) -> None:
        """Waits for every gradient that is being computed, and applies none of them."""
        while self.server.out:
            self._receive()

    def close(self) -> None:
        """Closes all connections: the workers end."""
        self._closed = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        joined = []
        while not self._joined.empty():
            joined.append(self._joined.get()[1])
        for connection in (*self._connections.values(), *joined):
            connection.close()
        self._connections.clear()
        self._selector.close()
        self._bell.close()
        self._rung.close()

    def _answer(self) -> None:
        """Hands weights and batches out to all that have nothing to do."""
        for worker in sorted(self._connections):
            if self.server.is_idle(worker):
                self._hand_out(worker, WORK)

    def _hand_out(self, worker: int, kind: int) -> None:
        connection = self._connections[worker]

        def sent(out: Out, weights: memoryview) -> None:
            self.bytes_sent += len(weights)
            send(connection, Header(kind, out.number, out.batch), weights)

        try:
            self.server.hand_out(worker, sent)
        except Lost:
            self._forget(worker)

    def _receive(self) -> None:
        """Waits for messages and takes them in."""
        ready = self._selector.select(PATIENCE)
        if not ready:
            self.watch()
        for key, _ in ready:
            if key.data is None:
                self._rung.recv(64)
                while not self._joined.empty():
                    self._join(*self._joined.get())
            elif self._connections.get(key.data) is key.fileobj:
                self._take(key.data)

    def _take(self, worker: int) -> None:
        connection = self._connections[worker]
        try:
            header = receive_header(connection)
            if header.kind == FAILED:
                raise WorkerFailed(receive_text(connection, header))
            flat = self.server.room()
            if header.kind != GRADIENT or header.size != len(flat.bytes):
                raise Lost("it sent what was not asked for")
            receive_into(connection, flat.bytes)
        except Lost:
            self._forget(worker)
            return
        self.bytes_received += header.size
        self.server.came(worker, header, flat)

    def _forget(self, worker: int) -> None:
        connection = self._connections.pop(worker)
        self._selector.unregister(connection)
        connection.close()
        self.server.lost(worker)
        self.watch()

    def _join(self, worker: int, connection: socket.socket) -> None:
        """Takes a worker in, in the place of its predecessor if that has not been missed yet."""
        if worker in self._connections:
            self._forget(worker)
        self._connections[worker] = connection
        self._selector.register(connection, selectors.EVENT_READ, worker)
        running = self.server.running.get(worker) or statistics(self.server.model)
        block = Flat(running)
        block.take(running)
        try:
            send(connection, Header(FIRST), block.bytes)
        except Lost:
            self._forget(worker)

    def _accept(self) -> None:
        """Lets those in that know the key, in a thread of its own: a stranger who says nothing holds up nobody else."""
        while True:
            self._guests.acquire()
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._admit, args=(connection,), daemon=True).start()

    def _admit(self, connection: socket.socket) -> None:
        connection.settimeout(STRANGER)
        try:
            prepare(connection)
            agree(connection, self.key, first=True)
            header = receive_header(connection)
            if not 0 <= header.number < self.server.workers:
                raise Lost("there is no such worker")
        except (Lost, OSError):
            connection.close()
            return
        finally:
            self._guests.release()
        connection.settimeout(SILENCE)
        self._joined.put((header.number, connection))
        if self._closed:  # after `close` had looked who had joined
            connection.close()
        with suppress(OSError):
            self._bell.send(b"!")
