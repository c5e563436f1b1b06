"""Chooses where trials compute: on the CPU or on a GPU."""

from typing import Any

DEVICES = ("cpu", "cuda", "auto")


def device_of(name: Any) -> str:
    """Returns the name of torch's device; for auto it returns cuda if torch sees a GPU, else cpu.

    Raises:
        ValueError: torch knows no such device, or the name is cuda, but torch sees no GPU.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        raise ValueError(f"device must be cpu, cuda or another of torch's, not {name!r}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda is not available: torch sees no CUDA device here; use cpu or auto")
    return str(device)
