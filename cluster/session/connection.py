"""The cluster that RAY_ADDRESS names."""

from typing import Any

import grpc
import ray

from tautune.cluster.session.ray_private import address_found_by_ray
from tautune.records.errors import InputError

ANSWER_SECONDS = 3.0
"""Seconds in which a cluster has to take a connection: Ray itself would go on trying for minutes."""


def connect(address: str, **options: Any) -> None:
    """Connects to the cluster at HOST:PORT, ray://HOST:PORT, or where Ray finds one on this machine: auto.

    Raises:
        InputError: nothing answers there, it is no Ray, or it does not take the token.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()) and address != "auto":
        raise InputError(f"RAY_ADDRESS must be HOST:PORT, ray://HOST:PORT or auto, not {address}")
    try:
        where = address_found_by_ray() if address == "auto" else f"{host}:{port}"
        if where is not None:
            _check_that_it_answers(where)
        ray.init(address=address, **options)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise InputError(f"RAY_ADDRESS={address}: no cluster answers there with this token: {reason}") from None


def _check_that_it_answers(address: str) -> None:
    """Raises ConnectionError unless a gRPC server, which each of Ray's is, takes a connection soon."""
    with grpc.insecure_channel(address) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=ANSWER_SECONDS)
        except grpc.FutureTimeoutError:
            raise ConnectionError(f"no answer from {address} within {ANSWER_SECONDS:.0f} s") from None
