"""Commands to copy after a probe: advice at its delays, and the sweep that measures what it computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tautune.analysis.reports.parts.commands import advise_at, sweep_again
from tautune.trainables.theory.advice import LARGEST_DELAY
from tautune.trainables.theory.optimizer_names import BY_NAME
from tautune.trainables.theory.optimizers import SGD, OwnFilter

if TYPE_CHECKING:
    from tautune.analysis.probe import Probe

Json = dict[str, Any]


def after_probe(found: Probe, study: str | None, configuration: Json) -> list[str]:
    """Returns the commands; a sweep only of a study that has a name or a file."""
    name, momentum = _optimizer(found)
    commands = []
    if found.loop.delay.maximum <= LARGEST_DELAY:
        λ = f"{found.sharpness:.6g}"
        only = {"optimizer": name if found.preconditioned else None, "momentum": momentum, "sharpness": λ}
        commands.append(advise_at(found.loop.delay, only))
    if study is not None and name is not None:
        asked = {key: configuration.get(key) for key in ("drawn", "stages")}
        delays = configuration.get("delays") or [row.delay for row in found.rows if isinstance(row.delay, int)]
        update = {"optimizer": name, "momentum": momentum, **asked}
        kept = {"mini_batch": configuration.get("mini_batch"), "update": update}
        commands.append(sweep_again(study, {"configuration": kept, "delays": sorted(delays)}))
    return commands


def _optimizer(found: Probe) -> tuple[str | None, float]:
    """Returns the name by which a sweep knows the optimizer, or None, and its momentum."""
    own, name = found.loop.optimizer, found.optimizer.lower()
    m: float = 0.9 if isinstance(own, OwnFilter) else getattr(own, "momentum", getattr(own, "beta1", 0.0))
    if isinstance(own, SGD):
        name = "nesterov" if own.nesterov else "dampened-momentum" if own.dampening else "sgd"
        known = own.dampening in (0.0, m)
    else:
        known = name in BY_NAME
    return name if known else None, m
