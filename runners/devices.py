"""Chooses where trials compute: on the CPU or on a GPU."""

DEVICES = ("cpu", "cuda", "auto")


def device_of(name: str) -> str:
    """Returns cpu or cuda; for auto it returns cuda if torch sees a GPU.

    Raises:
        ValueError: the name is cuda, but torch sees no GPU.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda is not available: torch sees no CUDA device here; use cpu or auto")
    return name
