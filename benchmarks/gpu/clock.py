"""Times work on a device, which is still busy when Python goes on."""

import time
from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")


def wait(device: torch.device) -> None:
    """Waits until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(device: torch.device, run: Callable[[], T]) -> tuple[float, T]:
    """Returns the seconds of one run, to the end of its work on the device, and what it returns."""
    wait(device)
    begun = time.perf_counter()
    found = run()
    wait(device)
    return time.perf_counter() - begun, found


def fastest(device: torch.device, run: Callable[[], object], *, of: int = 3) -> float:
    """Returns the seconds of the fastest of several runs: other work on the machine counts little then."""
    return min(timed(device, run)[0] for _ in range(of))
