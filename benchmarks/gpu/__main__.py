"""Runs, in under nine minutes and without Ray or a network, everything that only a GPU can tell.

    python -m benchmarks.gpu [SECTION …] [--device cuda] [--short] [--json]

- agreement: the queue, the remedies, the stacks and a probe beside the CPU's, in double and in single precision.
- stacks: 256 CNN points stacked, and one after another.
- bfloat16: their queue in bfloat16.
- vgg11: VGG-11 on images of CIFAR's shape, with delays.
- probe: of a transformer of 100 million parameters.
- graphs: the stacked gradient from a CUDA graph.

Matrix products are in whole single precision, without TF32. A section that fails, or for which no time or memory is
left, is told, and the others have their figures. The short form runs on a CPU too. Results are kept in
benchmarks/results/gpu.json after each section, or only printed with --short. Exit code 1 if a device disagrees with the
CPU, or a section fails.
"""

import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import torch
import typer

from benchmarks.gpu import agreement, networks, stacks
from benchmarks.gpu.sections import carried_out
from benchmarks.record import keep

Json = dict[str, Any]
PRECISIONS = {"float64": torch.float64, "float32": torch.float32}


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help="Sections; all if none is named.", metavar="SECTION")
    ] = None,
    device: Annotated[str, typer.Option(help="A device of torch's.")] = "cuda",
    short: Annotated[bool, typer.Option("--short", help="Small sizes, which a CPU can do; nothing is kept.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Compare a device with the CPU, and time what it is for."""
    on = _device(device)
    every = sections(on, short=short)
    if unknown := sorted(set(names or ()) - every.keys()):
        sys.exit(f"there is no section {unknown[0]}; there are {', '.join(every)}")
    wanted = {name: section for name, section in every.items() if not names or name in names}
    about = _about(on)
    note = (lambda figures: None) if short else (lambda figures: keep("gpu", about | figures, as_json=False))
    figures = about | carried_out(wanted, note)
    if short or as_json:
        print(json.dumps(figures))
    for what in ("skipped", "failed"):
        for name, why in figures[what].items():
            print(f"{name} {what}: {why}", file=sys.stderr)
    apart = disagreeing(figures)
    if apart:
        print(f"{device} disagrees with the CPU: {', '.join(apart)}", file=sys.stderr)
    if apart or figures["failed"]:
        sys.exit(1)


def sections(device: torch.device, *, short: bool) -> dict[str, Callable[[], Json]]:
    """Returns what is run, by its name; CUDA graphs come last, as a capture that fails may spoil what follows."""
    number, steps = (4, 12) if short else (256, 100)
    size = {"number": number, "steps": steps}
    vgg: Json = {"batch": 2, "steps": 1, "delays": (1,)} if short else {"batch": 128, "steps": 50, "delays": (1, 8, 32)}
    transformer = (
        {"examples": 2, "width": 40, "layers": 1, "heads": 5, "tokens": 64, "window": 8}
        if short
        else {"examples": 8, "width": 768, "layers": 12, "heads": 12, "tokens": 10_000, "window": 128}
    )
    return {
        "agreement": lambda: {name: agreement.agreement(device, precision=p) for name, p in PRECISIONS.items()},
        "stacks": partial(stacks.together_and_alone, device, **size),
        "bfloat16": partial(stacks.bfloat16_queue, device, **size),
        "vgg11": partial(networks.vgg11, device, **vgg),
        "probe": partial(networks.transformer, device, **transformer),
        "graphs": partial(stacks.captured_step, device, **size),
    }


def disagreeing(figures: Json) -> list[str]:
    """Returns what on the device is not as it is on the CPU, and in which precision."""
    return [
        f"{name} in {precision}"
        for precision, rows in figures.get("agreement", {}).items()
        for name, row in rows.items()
        if not row["agrees"]
    ]


def _device(name: str) -> torch.device:
    """Returns the device, on which CUDA's calls are from now on; ends the program where there is none."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        sys.exit(str(error).partition("\n")[0])
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    if device.type == "cuda":
        if (device.index or 0) >= torch.cuda.device_count():
            sys.exit(f"torch sees no device {name} here; --device cpu --short runs the same on the CPU")
        torch.cuda.set_device(device)
    return device


def _about(device: torch.device) -> Json:
    """Returns which device it is, and by which libraries it is driven."""
    if device.type != "cuda":
        return {"device": device.type}
    properties = torch.cuda.get_device_properties(device)
    return {
        "device": properties.name,
        "device_memory_bytes": properties.total_memory,
        "compute_capability": f"{properties.major}.{properties.minor}",
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


if __name__ == "__main__":
    typer.run(main)
