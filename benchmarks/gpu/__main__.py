"""Runs, in under nine minutes and without Ray or a network, everything that only a GPU can tell.

    python -m benchmarks.gpu [--device cuda] [--short] [--json]

The queue, the remedies and the stacks are held against the CPU's; then come the speeds. The short form runs on a CPU
too. Results are kept in benchmarks/results/gpu.json, or only printed with --short. Exit code 1 if a device disagrees.
"""

import json
import sys
import time
from typing import Annotated, Any

import torch
import typer

from benchmarks.gpu import agreement, networks, stacks
from benchmarks.record import keep


def main(
    device: Annotated[str, typer.Option(help="A device of torch's.")] = "cuda",
    short: Annotated[bool, typer.Option("--short", help="Small sizes, which a CPU can do; nothing is kept.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Compare a device with the CPU, and time what it is for."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit("torch sees no CUDA device here; --device cpu --short runs the same on the CPU")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # agreement is to single precision
    begun = time.perf_counter()
    figures = measured(torch.device(device), short=short)
    figures["seconds"] = time.perf_counter() - begun
    if short:
        print(json.dumps(figures))
    else:
        keep("gpu", figures, as_json=as_json)
    apart = [
        f"{name} in {precision}"
        for precision, rows in figures["agreement"].items()
        for name, row in rows.items()
        if not row["agrees"]
    ]
    if apart:
        sys.exit(f"{device} disagrees with the CPU: {', '.join(apart)}")


def measured(device: torch.device, *, short: bool) -> dict[str, Any]:
    """Returns all figures, in the order in which they are measured."""
    number, steps = (4, 12) if short else (256, 100)
    size = {"number": number, "steps": steps}
    precisions = {"float64": torch.float64, "float32": torch.float32}
    vgg: dict[str, Any] = (
        {"batch": 2, "steps": 1, "delays": (1,)} if short else {"batch": 128, "steps": 50, "delays": (1, 8, 32)}
    )
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "agreement": {name: agreement.agreement(device, precision=p) for name, p in precisions.items()},
        "stacks": stacks.together_and_alone(device, **size),
        "bfloat16": stacks.bfloat16_queue(device, **size),
        "graphs": stacks.captured_step(device, **size),
        "vgg11": networks.vgg11(device, **vgg),
    }


if __name__ == "__main__":
    typer.run(main)
