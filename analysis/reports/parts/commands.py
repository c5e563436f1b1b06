"""Commands to copy: those that repeat a run, or train one configuration of it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tautune.records.storage import typed

if TYPE_CHECKING:
    from tautune.analysis.edges import Edges
    from tautune.analysis.grids import GridSummary
    from tautune.records.storage import Folder
    from tautune.trainables.theory.delays import Delays

Json = dict[str, Any]
OPTIONS = {
    "search": None,
    "scheduler": None,
    "trials": None,
    "max_epochs": None,
    "folds": 1,
    "repeats": 1,
    "examples": None,
    "concurrent": None,
    "time_budget": None,
    "cpus_per_trial": 1,
    "gpus_per_trial": 0,
    "seed": 0,
    "split_seed": 0,
    "data_dir": None,
}
"""Options of `tautune tune` with the values at which they need not be given."""
OF_ONE = ("max_epochs", "folds", "repeats", "examples", "gpus_per_trial", "seed", "split_seed", "data_dir")
"""Those that change what a single trial comes to."""


def tune_again(configuration: Json) -> str:
    """Returns the command of a whole tuning."""
    kept = dict(configuration)
    if kept.get("search") == "grid":
        kept["trials"] = None  # a grid has as many as it has
    words = [*_options(kept, tuple(OPTIONS)), *_workers(kept.get("workers") or {}), *_in_stages(kept), *_aims(kept)]
    words += _set(kept.get("set") or {})
    words += [word for point in kept.get("points") or () for word in ("--point", json.dumps(point))]
    return _command("tune", configuration["study"], words)


def train_again(configuration: Json, config: Json) -> str:
    """Returns the command that trains one configuration as the tuning did, to its full length."""
    words = ["--search", "random", "--scheduler", "none", "--trials", "1", *_options(configuration, OF_ONE)]
    words += [*_workers(configuration.get("workers") or {}), *_in_stages(configuration), *_aims(configuration)]
    words += [*_set(configuration.get("set") or {}), "--point", json.dumps(config)]
    return _command("tune", configuration["study"], [*words, "--output", "results/again"])


def sweep_again(study: str, run: Json) -> str:
    """Returns the command of a sweep of a study, which is a name or a file."""
    kept, update = run["configuration"], run["configuration"].get("update") or {}
    own_delays = any(update.get(name) for name in ("drawn", "stages", "workers"))
    words = [] if own_delays else ["--delays", ",".join(map(str, run.get("delays") or []))]
    words += _plain({**kept, **update}, {"optimizer": None, "momentum": 0.0, "remedy": None})
    words += ["--shifted"] if kept.get("shifted") else []
    words += _lateness(update)
    words += _plain(kept, {"mini_batch": None, "resolution": 0.005, "tolerance": 1e-6})
    words += ["--seeds", str(run["seeds"])] if (run.get("seeds") or 1) > 1 else []
    return _command("sweep", study, words)


def _lateness(update: Json) -> list[str]:
    """Returns how gradients are late, where it is not one of several fixed delays."""
    if workers := update.get("workers"):
        return _workers(workers)
    if stages := update.get("stages"):
        return ["--stages", ",".join(map(str, stages))]
    drawn = _shares(update.get("drawn") or ())
    return ["--delay-shares", drawn] if drawn else []


def _shares(drawn: Iterable[tuple[int, float]]) -> str:
    """Returns delays with their shares, in nine digits, so that they still sum to 1 within what is taken for it."""
    return ",".join(f"{delay}:{share:.9g}" for delay, share in drawn)


def _workers(kept: Json) -> list[str]:
    """Returns the options of real workers."""
    given = {
        "workers": kept.get("count"),
        "mode": kept.get("mode"),
        "cpus_per_worker": kept.get("cpus"),
        "gpus_per_worker": kept.get("gpus"),
    }
    words = _plain(given, {"workers": None, "mode": "as-they-come", "cpus_per_worker": None, "gpus_per_worker": 0.0})
    slow = ",".join(f"{factor:g}" for factor in kept.get("slowdown") or ())
    return [*words, *(["--slowdown", slow] if slow else [])]


def _in_stages(configuration: Json) -> list[str]:
    """Returns the options of an asynchronous pipeline."""
    kept = configuration.get("stages") or {}
    words = _plain(
        {"stages": kept.get("count"), "cpus_per_stage": kept.get("cpus")}, {"stages": None, "cpus_per_stage": None}
    )
    return words if kept.get("stashing", True) else [*words, "--no-stashing"]


def grid_again(study: str, configuration: Json, grid: GridSummary) -> str:
    """Returns the command of a grid."""
    seeds = max(row.points for row in grid.rows) // len(grid.learning_rates)
    words = ["--delays", ",".join(str(delay) for delay in grid.delays)]
    words += ["--learning-rates", ",".join(f"{rate:.6g}" for rate in grid.learning_rates)]
    words += _plain(configuration, {"steps": 2000, "mini_batch": None, "momentum": 0.0})
    words += [f"--{name.replace('_', '-')}" for name in ("shifted", "bfloat16_queue") if configuration.get(name)]
    return _command("grid", study, [*words, *(["--seeds", str(seeds)] if seeds > 1 else [])])


def edge_again(study: str, configuration: Json, edges: Edges) -> str:
    """Returns the command of trainings that were followed to their edge."""
    points = edges.points
    words = ["--optimizer", edges.optimizer, "--delays", ",".join(str(d) for d in sorted({p.delay for p in points}))]
    if len({point.delay for point in points}) < len(points):  # they were given
        words += ["--learning-rates", ",".join(f"{rate:g}" for rate in sorted({p.learning_rate for p in points}))]
    words += _plain(configuration, {"steps": 4000, "decay": 0.999})
    seeds = max(point.seeds for point in points)
    return _command("edge", study, [*words, *(["--seeds", str(seeds)] if seeds != 3 else [])])


def probe_again(study: str, configuration: Json) -> str:
    """Returns the command of a probe."""
    words = _plain(configuration, dict.fromkeys(("checkpoint", "optimizer", "learning_rate", "momentum")))
    if delays := configuration.get("delays"):
        words += ["--delays", ",".join(map(str, delays))]
    return _command("probe", study, [*words, *_lateness(configuration), *_plain(configuration, {"mini_batch": None})])


def advise_at(delays: Delays, options: Json) -> str:
    """Returns the command that compares optimizers and remedies at some delays."""
    if delays.is_fixed:
        late = ["--delay", str(delays.maximum)]
    elif delays.drawn:
        late = ["--delay-shares", _shares(zip(delays.steps, delays.shares, strict=True))]
    else:
        late = ["--stages", ",".join(map(str, delays.steps)), "--shares", ",".join(f"{p:.9g}" for p in delays.shares)]
    words = _plain(options, {"optimizer": None, "momentum": 0.0, "sharpness": None})
    return shlex.join(["tautune", "advise", *late, *words])


def simulate_again(configuration: Json) -> str:
    """Returns the command of a simulation."""
    words = [word for name in configuration["searches"] for word in ("--search", name)]
    words += [word for name in configuration["schedulers"] for word in ("--scheduler", name)]
    words += _plain(configuration, {"workers": 4, "repeats": 50, "time_budget": None, "metric": None, "mode": None})
    return _command("simulate", configuration["table"], words)


def _options(kept: Json, names: tuple[str, ...]) -> list[str]:
    return _plain(kept, {name: OPTIONS[name] for name in names})


def _plain(kept: Json, defaults: Json) -> list[str]:
    words = []
    for name, default in defaults.items():
        value = kept.get(name)
        if value is not None and value != default:
            words += [f"--{name.replace('_', '-')}", f"{value:g}" if isinstance(value, float) else str(value)]
    return words


def _aims(kept: Json) -> list[str]:
    goals = [word for goal in kept.get("goals") or () for word in ("--goal", goal)]
    return goals + [
        word for name, most in (kept.get("at_most") or {}).items() for word in ("--at-most", f"{name}={most:g}")
    ]


def _set(fixed: Json) -> list[str]:
    return [word for name, value in fixed.items() for word in ("--set", f"{name}={json.dumps(value)}")]


def of_folder(command: str, folder: Folder) -> str:
    """Returns a command on a run's folder as one would type it here, with quotes where its name needs them."""
    return shlex.join(["tautune", command, typed(folder)])


def _command(name: str, study: str, words: list[str]) -> str:
    return shlex.join(["tautune", name, study, *words])
