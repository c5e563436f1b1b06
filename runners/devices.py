"""Where trials compute: the CPU or a GPU."""

DEVICES = ("cpu", "cuda", "auto")


def device_of(name: str) -> str:
    """Returns cpu or cuda; auto is cuda where torch sees a GPU.

    Raises:
        ValueError: cuda is asked for, and torch sees no GPU.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda cannot be had: torch sees no CUDA device here; use cpu or auto")
    return name
