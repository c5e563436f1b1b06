"""Messages between a parameter server and its workers: a short header, then a block of memory as it lies.

Nothing is pickled, and a block goes from where it is computed into the socket, and from the socket to where it is
used. Before anything else, each side proves to the other that it knows the key, which Ray has brought to both: it
answers a challenge that was drawn for this connection, so that what was overheard once opens no other. What follows is
neither encrypted nor signed.
"""

import hmac
import os
import socket
import struct
from typing import NamedTuple

HEADER = struct.Struct("<iqqdqq")
SILENCE = 60.0
"""Seconds within which the rest of a message must come: whoever is cut off in its middle is lost."""
STRANGER = 10.0
"""Seconds that somebody who connects has to prove the key."""
WORK, GRADIENT, FAILED, JOINED, FIRST = range(5)


class Header(NamedTuple):
    """What a message is about."""

    kind: int
    """WORK with weights, FIRST with weights and running estimates, GRADIENT, FAILED with a text, or JOINED."""
    number: int = 0
    """The gradient's number; of JOINED, the worker's."""
    batch: int = 0
    """Number of the batch; of a GRADIENT, the hits among its examples."""
    loss: float = 0.0
    examples: int = 0
    size: int = 0
    """Bytes that follow."""


class Lost(Exception):
    """The other side is gone."""


def send(to: socket.socket, header: Header, *blocks: memoryview | bytes) -> None:
    """Sends a message. Raises Lost if nobody takes it."""
    size = sum(len(block) for block in blocks)
    try:
        rest = [memoryview(one) for one in (HEADER.pack(*header._replace(size=size)), *blocks)]
        sent = to.sendmsg(rest)
        for block in rest:
            if sent < len(block):
                to.sendall(block[sent:])
            sent = max(0, sent - len(block))
    except OSError as error:
        raise Lost(str(error)) from None


def receive_header(source: socket.socket) -> Header:
    """Returns the next message's header; its block is still to be received. Raises Lost."""
    return Header(*HEADER.unpack(_exactly(source, HEADER.size)))


def receive_into(source: socket.socket, *blocks: memoryview) -> None:
    """Receives a block, or several that were sent one after another, to where they belong. Raises Lost."""
    try:
        for block in blocks:
            while len(block):
                count = source.recv_into(block)
                if not count:
                    raise Lost("the connection was closed")
                block = block[count:]
    except OSError as error:
        raise Lost(str(error)) from None


def receive_text(source: socket.socket, header: Header) -> str:
    """Returns the text that follows. Raises Lost."""
    return _exactly(source, header.size).decode(errors="replace")


def prepare(one: socket.socket) -> None:
    """Sets a connection up: small messages leave at once, and a side that vanishes is noticed."""
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4), ("TCP_USER_TIMEOUT", 30_000)):
        if hasattr(socket, name):
            one.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def agree(other: socket.socket, key: bytes, *, first: bool) -> None:
    """Proves the key to the other side and has it prove it, one after the other. Raises Lost if it cannot."""
    for mine in (first, not first):
        if mine:
            asked = os.urandom(32)
            send_raw(other, asked)
            if not hmac.compare_digest(_exactly(other, 32), _answer(key, asked, by_first=not first)):
                raise Lost("it does not know the key")
        else:
            send_raw(other, _answer(key, _exactly(other, 32), by_first=first))


def send_raw(to: socket.socket, content: bytes) -> None:
    """Sends bytes without a header. Raises Lost."""
    try:
        to.sendall(content)
    except OSError as error:
        raise Lost(str(error)) from None


def _answer(key: bytes, asked: bytes, *, by_first: bool) -> bytes:
    return hmac.digest(key, bytes([by_first]) + asked, "sha256")


def _exactly(source: socket.socket, size: int) -> bytes:
    content = bytearray(size)
    receive_into(source, memoryview(content))
    return bytes(content)
