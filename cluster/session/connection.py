"""The cluster that RAY_ADDRESS names."""

import socket
from typing import Any

import ray

from tautune.records.errors import InputError


def connect(address: str, **options: Any) -> None:
    """Raises InputError, in one line, where Ray would wait for minutes or print a page."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()) and address != "auto":
        raise InputError(f"RAY_ADDRESS must be HOST:PORT, ray://HOST:PORT or auto, not {address}")
    try:
        if port.isdecimal():
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
        ray.init(address=address, **options)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        reason = str(error).strip().splitlines()[0][:300]
        raise InputError(f"RAY_ADDRESS={address}: no cluster answers there with this token: {reason}") from None
