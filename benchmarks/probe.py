"""Probes trainings and watches them: how long it takes, how near it is to a sweep, and how early it warns.

    python -m benchmarks.probe [--json] [digits] [transformer] [overhead] [warning]

- digits: probe at the minimum that a sweep has measured at, and the thresholds of the two.
- transformer: a causal language model of ten million parameters after two steps of AdamW.
- overhead: what the monitor takes at every hundredth step of a training, beside the steps themselves.
- warning: 40 trainings from the minimum of 300 digits, at rates of 0.7 to 1.5 of the threshold, half of them above it;
  how many steps before its loss has doubled a training that diverges is warned of, and of how many that do not.
"""

import json
import time
from collections.abc import Iterator
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

import tautune
from benchmarks.language_model import LanguageModel, next_token, text
from benchmarks.record import RESULTS, keep
from benchmarks.warning import DELAYS, decayed_groups, warned
from tautune.search_spaces import find
from tautune.trainables.threshold.in_process import measure_in_process

Json = dict[str, Any]
EVERY = 100


class Clock:
    """The time since its making; that of the processor does not count what else the machine does."""

    def __init__(self) -> None:
        self.begun, self.begun_processor = time.perf_counter(), time.process_time()

    def taken(self) -> Json:
        """Returns seconds."""
        return {
            "seconds": time.perf_counter() - self.begun,
            "processor_seconds": time.process_time() - self.begun_processor,
        }


def on_digits() -> Json:
    """Returns the probe at the minimum of digits beside a sweep's measurement there."""
    problem = find("digits").problem()
    found = measure_in_process(problem, DELAYS)
    measured = [record.threshold.learning_rate for record in found.records if record.threshold]
    batches = list(zip(problem.inputs.split(256), problem.targets.split(256), strict=True))
    optimizer = torch.optim.SGD(decayed_groups(problem), 0.1)
    clock = Clock()
    probed = tautune.probe(problem.model, problem.loss, batches, optimizer=optimizer, delays=DELAYS)
    taken = clock.taken()
    rates = [row.max_stable_learning_rate for row in probed.rows]
    errors = [rate / swept - 1 for rate, swept in zip(rates, measured, strict=True)]
    return {
        **taken,
        "products": probed.products,
        "sharpness": probed.sharpness,
        "largest_error": max(map(abs, errors)),
        "errors": dict(zip(map(str, DELAYS), errors, strict=True)),
    }


def on_a_transformer() -> Json:
    torch.manual_seed(0)
    model = LanguageModel()
    batches = text(2, 4)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-4)
    for inputs, targets in batches:
        optimizer.zero_grad()
        next_token(model(inputs), targets).backward()
        optimizer.step()
    clock = Clock()
    probed = tautune.probe(model, next_token, batches, optimizer=optimizer, tolerance=1e-2)
    return {
        **clock.taken(),
        "parameters": sum(p.numel() for p in model.parameters()),
        "products": probed.products,
        "residual": probed.residual,
        "preconditioned_sharpness": probed.sharpness,
        "margin": probed.margin,
    }


def overhead(steps: int = 2000) -> Json:
    """Returns the processor's time of the monitor over that of the training that it watches.

    Both are taken in one run, in turn: two runs may differ by more, where the machine has other work.
    """
    torch.manual_seed(0)
    problem = find("digits").problem().cast(torch.float32)
    optimizer = torch.optim.Adam(problem.parameters, 1e-3)
    order = problem.batches(256, seed=0)
    first = next(problem.batches(256, seed=1))
    batch = problem.inputs[first], problem.targets[first]
    monitor = tautune.StabilityMonitor(problem.model, problem.loss, batch, optimizer, every=EVERY)
    training = watching = 0.0
    for _ in range(steps):
        begun = time.process_time()
        optimizer.zero_grad()
        problem.backward(next(order))
        optimizer.step()
        trained = time.process_time()
        monitor.step()
        training, watching = training + trained - begun, watching + time.process_time() - trained
    return {
        "every": EVERY,
        "steps": steps,
        "share": watching / training,
        "training_seconds": training,
        "watching_seconds": watching,
    }


PARTS = {"digits": on_digits, "transformer": on_a_transformer, "overhead": overhead, "warning": warned}


def main(
    parts: Annotated[list[str] | None, typer.Argument(help="Which; all if none is named.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Probe, watch and warn; what is not named keeps its figures of last time."""
    figures: Json = {}
    for name in parts or PARTS:
        found = PARTS[name]()
        figures = _kept() | {name: found}
        keep("probe", figures, as_json=False)
    if as_json:
        print(json.dumps(figures))
        return
    table = Table("what", "figure")
    for what, figure in _told(figures):
        table.add_row(what, figure)
    Console().print(table)


def _kept() -> Json:
    """Returns the figures of last time."""
    file = RESULTS / "probe.json"
    before = json.loads(file.read_text()) if file.exists() else {}
    return {name: before[name] for name in PARTS if name in before}


def _told(figures: Json) -> Iterator[tuple[str, str]]:
    if digits := figures.get("digits"):
        yield "digits: probe, processor's s", f"{digits['processor_seconds']:.2f}"
        yield "digits: largest difference from the sweep's thresholds", f"{100 * digits['largest_error']:.2g} %"
    if language := figures.get("transformer"):
        size, seconds = language["parameters"], language["processor_seconds"]
        yield f"transformer of {size:,} parameters: probe, processor's s", f"{seconds:.1f}"
    if watched := figures.get("overhead"):
        yield f"the monitor at every {watched['every']} steps", f"{100 * watched['share']:.1f} % of a training's time"
    if warning := figures.get("warning"):
        yield "warned of those that diverged", f"{warning['warned_of_those']} of {warning['diverged']}"
        yield "steps ahead", str(warning["steps_ahead"])
        yield "false alarms", f"{warning['false_alarms']} of {warning['runs'] - warning['diverged']}"


if __name__ == "__main__":
    typer.run(main)
