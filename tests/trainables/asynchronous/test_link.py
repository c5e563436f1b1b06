"""Two stages of a pipeline that are connected, and who else connects."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tautune.trainables.asynchronous.link import DTYPES, Entrance, Link, enter
from tautune.trainables.asynchronous.wire import Lost


def connected(entrance: Entrance, key: bytes) -> tuple[Link, Link]:
    with ThreadPoolExecutor(1) as pool:
        admitted = pool.submit(entrance.admit)
        return enter(entrance.address, key), admitted.result(timeout=10)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3, 4)])
def test_a_tensor_arrives_as_it_was(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    entrance = Entrance("127.0.0.1")
    there, here = connected(entrance, entrance.key)
    sent = (torch.rand(shape) * 100).to(dtype)
    there.send(sent.t() if sent.ndim == 2 else sent)
    received = here.receive()
    assert received.dtype is dtype
    assert torch.equal(received, sent.t() if sent.ndim == 2 else sent)
    there.close()
    with pytest.raises(Lost, match="neighbouring stage is gone"):
        here.receive()
    here.close()


def test_a_stranger_is_turned_away_and_the_neighbour_still_let_in_and_nobody_after_it() -> None:
    entrance = Entrance("127.0.0.1")
    with ThreadPoolExecutor(1) as pool:
        admitted = pool.submit(entrance.admit)
        with pytest.raises(Lost):
            enter(entrance.address, b"a guess")
        own = enter(entrance.address, entrance.key)
        admitted.result(timeout=10).close()
    own.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(entrance.address, timeout=5)
    with pytest.raises(Lost, match="the next stage is gone"):
        enter(entrance.address, entrance.key)
