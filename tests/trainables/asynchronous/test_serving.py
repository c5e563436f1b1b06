"""The parameter server on real sockets, whose workers are threads of this process."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector

from tautune.trainables.asynchronous.modes import parse_mode
from tautune.trainables.asynchronous.own_loss import MakeOwnLoss, OwnLoss
from tautune.trainables.asynchronous.server import ParameterServer
from tautune.trainables.asynchronous.serving import GUESTS, Serving, WorkerFailed
from tautune.trainables.asynchronous.wire import Lost, _exactly, agree
from tautune.trainables.asynchronous.worker import Worker
from tautune.trainables.delay import GradientQueue
from tests.trainables.delay.small_training import OPTIMIZERS, batch, make_model, run


def cross(model: Any, pair: Any) -> torch.Tensor:
    return cross_entropy(model(pair[0]), pair[1])


@contextmanager
def serving(
    mode: str, workers: int = 3, loss: Callable[..., Any] = cross, wait: Callable[[Serving], None] = lambda one: None
) -> Iterator[Serving]:
    """Args: wait: what each worker does with the server before it can compute gradients."""
    model = make_model()
    server = ParameterServer(model, OPTIMIZERS["momentum"](model.parameters()), parse_mode(mode), workers)
    one = Serving(server, "127.0.0.1")
    threads = [start(one, number, loss, wait) for number in range(workers)]
    try:
        yield one
    finally:
        one.close()
        for thread in threads:
            thread.join(timeout=10)
            assert not thread.is_alive()


def start(
    one: Serving, number: int, loss: Callable[..., Any] = cross, wait: Callable[[Serving], None] = lambda one: None
) -> threading.Thread:
    def make(device: str) -> OwnLoss:
        wait(one)
        return MakeOwnLoss(make_model(), loss, batch, 0)(device)

    def work() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch, "set_num_threads", lambda count: None)  # it is the process's
            worker = Worker(number)
        with suppress(ZeroDivisionError):  # it was told to the server
            worker.run(make, one.address, one.key)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def weights_of(one: Serving) -> torch.Tensor:
    return parameters_to_vector(one.server.model.parameters()).detach().clone()


def test_a_round_robin_is_a_queue_bit_for_bit() -> None:
    model = make_model()
    expected = run(model, GradientQueue(OPTIMIZERS["momentum"](model.parameters()), 2), range(22))[-1]
    with serving("round-robin") as one:
        one.run(20, lambda rows: False)
        assert torch.equal(weights_of(one), expected)


def test_a_step_takes_a_gradient_up_and_the_weights_down_and_nothing_else() -> None:
    with serving("round-robin") as one:
        one.run(20, lambda rows: False)
        one.drain()
        parameters = sum(p.numel() * 8 for p in one.server.model.parameters())
        assert one.bytes_sent == 23 * parameters
        assert one.bytes_received == 23 * (parameters + 8)  # which of the four parameters have a gradient


def test_a_worker_whose_connection_breaks_comes_back_and_the_others_go_on() -> None:
    with serving("as-they-come") as one:
        one.run(5, lambda rows: False)
        one._connections[1].shutdown(socket.SHUT_RDWR)
        seen: list[Any] = []

        def until_it_is_back(rows: list[Any]) -> bool:
            seen.extend(rows)
            return len(seen) > 40 and seen[-1].worker == 1

        one.run(10_000, until_it_is_back)
        steps = [row.step for row in seen]
        assert steps == list(range(5, 5 + len(seen)))
        assert len({row.gradient for row in seen}) == len(seen)


def test_what_a_workers_code_raises_ends_the_training() -> None:
    def breaks(model: Any, pair: Any) -> Any:
        raise ZeroDivisionError

    with serving("as-they-come", workers=1, loss=breaks) as one, pytest.raises(WorkerFailed, match="ZeroDivisionError"):
        one.run(3, lambda rows: False)


def test_what_a_workers_code_raises_before_it_can_compute_is_told_too() -> None:
    def breaks(one: Serving) -> None:
        raise ZeroDivisionError

    with serving("as-they-come", workers=1, wait=breaks) as one, pytest.raises(WorkerFailed, match="ZeroDivisionError"):
        one.run(3, lambda rows: False)


def test_nothing_is_asked_of_a_worker_that_is_not_ready_and_training_begins_with_all() -> None:
    seen: list[int] = []

    def is_slow(one: Serving) -> None:
        time.sleep(0.1 * len(seen))
        seen.append(one.server.handed_out)

    with serving("as-they-come", wait=is_slow) as one:
        one.run(3, lambda rows: False)
    assert seen == [0, 0, 0]


def test_a_stranger_without_the_key_is_not_let_in() -> None:
    with serving("as-they-come", workers=2) as one:
        one.run(2, lambda rows: False)
        with socket.create_connection(one.address, timeout=5) as stranger, pytest.raises(Lost):
            agree(stranger, b"a guess", first=False)
        with socket.create_connection(one.address, timeout=5) as silent:
            one.run(4, lambda rows: False)  # nobody waits for it
            silent.close()
        assert len(one._connections) == 2


def test_what_was_overheard_of_a_worker_does_not_let_a_stranger_in() -> None:
    """A stranger between a worker and the server keeps what the worker says, and says it again."""
    with serving("as-they-come", workers=1) as one:
        overheard = bytearray()
        with (
            socket.create_connection(one.address, timeout=5) as server,
            socket.create_server(("127.0.0.1", 0)) as listener,
        ):
            worker = threading.Thread(target=_prove, args=(listener.getsockname(), one.key), daemon=True)
            worker.start()
            between = listener.accept()[0]
            between.sendall(_exactly(server, 32))
            overheard += _exactly(between, 64)  # its answer, and its own challenge
            server.sendall(overheard)
            between.sendall(_exactly(server, 32))  # which shows that the answer was good
            worker.join(timeout=5)
            between.close()
        with socket.create_connection(one.address, timeout=5) as again:
            _exactly(again, 32)
            again.sendall(overheard)
            with suppress(ConnectionResetError):
                assert again.recv(32) == b""


def _prove(address: tuple[str, int], key: bytes) -> None:
    with socket.create_connection(address, timeout=5) as connection:
        agree(connection, key, first=False)


def test_many_strangers_who_say_nothing_do_not_keep_a_worker_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tautune.trainables.asynchronous.serving.STRANGER", 0.2)
    model = make_model()
    server = ParameterServer(model, OPTIMIZERS["momentum"](model.parameters()), parse_mode("as-they-come"), 1)
    one = Serving(server, "127.0.0.1")
    strangers = [socket.create_connection(one.address, timeout=5) for _ in range(GUESTS + 1)]
    thread = start(one, 0)
    one.run(2, lambda rows: False)
    one.close()
    thread.join(timeout=10)
    for stranger in strangers:
        stranger.close()
