"""The best configuration of a tuning without delay, carried to a delay, as a folder that a refit takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tautune.records.errors import InputError, user_input
from tautune.records.files import write_json
from tautune.records.run_file import RUN_FILE
from tautune.records.storage import Folder
from tautune.records.tuning_folder import make_folder, read_best, read_tuning
from tautune.runners.tuning_checks import check_extensible, read_findable
from tautune.trainables.goal import goal_in
from tautune.trainables.supervised.hyperparameters import TRAINING_NAMES, TrainingConfig
from tautune.trainables.supervised.in_theory import in_theory, in_training
from tautune.trainables.theory.delays import Delays, shares_text
from tautune.trainables.theory.optimizer_names import PRECONDITIONED
from tautune.trainables.theory.transfer import Start, Transferred, transfer

if TYPE_CHECKING:
    from tautune.search_spaces.tuning_study import TuningStudy

Json = dict[str, Any]
NOT_KNOWN = "the curvature where training begins is not known, which would allow a larger rate or ask for a smaller one"


@dataclass(frozen=True)
class Transfer:
    """What becomes of a configuration, and why."""

    source: Folder
    """The tuning's folder."""
    best: Json
    """What best.json has of the new configuration."""
    changed: Json
    """The hyperparameters that are others now."""
    learning_rate: float
    optimizer: str
    """As a training has it."""
    found: Transferred
    curvature: float | None
    """λ₀ where training begins; None if it is not known or does not matter."""
    unknown: str
    """Why it is not known."""

    def as_json(self) -> Json:
        """Returns it as the command prints it."""
        config = self.best["config"]
        return {
            "learning_rate": self.learning_rate,
            "momentum": self.found.momentum,
            "optimizer": self.optimizer,
            "remedy": self.found.remedy,
            "delay": config["delay"],
            "factor": self.found.factor,
            "ratio_of_thresholds": self.found.ratio,
            "curvature": self.curvature,
            "why": self.found.why + ([f"{NOT_KNOWN}: {self.unknown}"] if self.unknown else []),
            "config": config,
            "from": str(self.source),
        }


def plan_transfer(
    folder: Folder,
    delays: Delays,
    *,
    keep: bool = False,
    sharpness: float | None = None,
    study: TuningStudy | None = None,
    trust: bool = False,
) -> Transfer:
    """Returns what the best configuration of a finished tuning becomes at some delays.

    Args:
        keep: whether optimizer, momentum and remedy stay as they are.
        sharpness: λ₀ where training begins; it is measured if not given.
        study: the one that was tuned, where it has no name or file by which it can be found.
        trust: whether the file of a study that the folder names may run, though the folder may be somebody else's.

    Raises:
        InputError: there is no finished tuning, its best has a delay already, or theory does not know its optimizer.
    """
    run, best = _tuned_without_delay(folder)
    config: Json = dict(best["config"])
    with user_input():
        before = TrainingConfig(**{name: value for name, value in config.items() if name in TRAINING_NAMES})
        named = in_theory(before.optimizer, before.momentum)
        found = transfer(*named, delays, keep=keep)
    unknown = ""
    if "normalized_rate" in config:
        if sharpness is not None:
            raise InputError(
                f"{folder} was searched in normalized rates, of the sharpness {before.sharpness:g} that its space has: "
                "leave the sharpness out"
            )
    elif sharpness is None and delays.maximum and named[0] not in PRECONDITIONED:
        sharpness, unknown = _measured(folder, run, best, study, trust=trust)
    if sharpness is not None:
        largest = max([before.learning_rate, *(entry["learning_rate"] for entry in best["history"])])
        found = transfer(*named, delays, keep=keep, start=Start(largest, sharpness))
    optimizer, rate = in_training(found.optimizer, found.momentum), before.learning_rate * found.factor
    late: Json = {"optimizer": optimizer, "momentum": found.momentum, "remedy": found.remedy}
    late["delay"] = delays.maximum if delays.is_fixed else shares_text(delays)
    if "normalized_rate" not in config:  # which stays what it is: that is its purpose
        late["learning_rate"] = rate
    history = [
        entry | {"learning_rate": entry["learning_rate"] * found.factor, "momentum": found.momentum}
        for entry in best["history"]
    ]
    of_trial = {name: best[name] for name in ("trial", "number", "epochs") if name in best}
    whole = of_trial | {"config": config | late, "history": history}
    return Transfer(folder, whole, late, rate, optimizer, found, sharpness, unknown)


def _tuned_without_delay(folder: Folder) -> tuple[Json, Json]:
    """Returns run.json and best.json of a finished tuning.

    Raises:
        InputError: there is none, or its best configuration cannot be carried to a delay.
    """
    run = read_tuning(folder)
    if goal_in(run["configuration"]).is_of_a_loop:
        raise InputError(f"{folder} is a tuning of a loop of its own, whose learning rate only its study knows")
    for them in ("workers", "stages"):
        if run["configuration"].get(them):
            raise InputError(
                f"{folder} was tuned with {them}, whose gradients are late already; transfer takes delay 0"
            )
    check_extensible(folder, run, longer=True)
    best = read_best(folder)
    config = best["config"]
    for what, without in (("delay", 0), ("remedy", "none")):
        if config.get(what, without) != without:
            raise InputError(
                f"the best configuration of {folder} has a {what} already, {config[what]}; "
                f"transfer takes one that was tuned with {what} {without}"
            )
    if len({entry.get("momentum") for entry in best["history"]}) > 1:
        raise InputError(
            f"{folder} has a population, whose momentum changed while it trained: there is no one to carry"
        )
    return run, best


def _measured(
    folder: Folder, run: Json, best: Json, study: TuningStudy | None, *, trust: bool
) -> tuple[float | None, str]:
    """Returns λ₀, or None with the reason why it cannot be measured."""
    try:
        read_findable(folder, has_study=study is not None, trust=trust)
        from tautune.runners.starting_curvature import starting_curvature

        return starting_curvature(folder, run, best, study), ""
    except ValueError as error:
        return None, str(error)
    except (Exception, SystemExit) as error:  # of the study's own code
        return None, f"{type(error).__name__}: {error}"


def write_transfer(transfer: Transfer, output: Folder) -> None:
    """Writes a new folder that `tautune refit` takes."""
    make_folder(output)
    run = read_tuning(transfer.source)
    fixed = {name: run["configuration"][name] | transfer.changed for name in ("set", "space")}
    run["configuration"] |= fixed | {"search": "random", "scheduler": "none"}  # there is nothing left to search
    write_json(output / RUN_FILE, run | {"transferred": transfer.as_json()})
    write_json(output / "best.json", transfer.best)
