"""Which trials of a tuning can be trained further, and how far each has come."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tautune.analysis.trial_names import numbered
from tautune.records.errors import InputError
from tautune.records.journal import Event
from tautune.records.storage import Folder
from tautune.runners.checkpoints import FoundCheckpoint, checkpoints_of
from tautune.runners.folding import Folding
from tautune.runners.methods import POPULATION
from tautune.runners.trials import Trials, name_of
from tautune.runners.tuning_job import Tuning

Config = dict[str, Any]


@dataclass(frozen=True)
class Longer:
    """Finished trials that train further."""

    by: int
    """Number of epochs, or of a loop's reports, that each trains more."""
    trials: tuple[str, ...]
    """Their ids in the journal, the best one first."""
    notes: tuple[str, ...] = ()
    """What is to be known of the others, in lines."""


def choose_longer(tuning: Tuning, folder: Folder, events: Iterable[Event], by: int) -> Longer:
    """Returns the trials that finished and can go on: not those that a scheduler stopped, that diverged or failed.

    Raises:
        InputError: there are none; the message says why not.
    """
    folding = Folding(Trials(folder, tuning.study.space, 0, tuning.goal))
    for event in events:
        folding.apply(event)
    chosen, notes = [], []
    for row in folding.trials.ranked():
        if row["state"] != "finished":
            continue
        if row.get("failure") or row["diverged_step"] not in (None, -1):
            notes.append(f"trial {name_of(row)} stays as it is: it diverged or failed when it was trained longer")
            continue
        trial, epochs = row["trial"], row["epochs_trained"]
        checkpoint = newest_checkpoint(folder, folding, trial, epochs)
        if why := _why_not(
            tuning, folding.begun[trial]["config"], epochs - folding.longer.get(trial, 0), checkpoint, epochs
        ):
            notes.append(f"trial {name_of(row)} stays as it is: {why}")
            continue
        chosen.append(trial)
        if checkpoint is None or checkpoint.epochs < epochs:
            start = checkpoint.epochs if checkpoint else 0
            notes.append(
                f"trial {name_of(row)} trains {tuning.goal.unit} {start + 1} to {epochs} once more first: "
                f"its last checkpoint is {f'of {start}' if start else 'none'}"
            )
    if not chosen:
        raise InputError(f"{folder} has no trial that can train longer: {notes[0] if notes else 'none has finished'}")
    return Longer(by, tuple(chosen), tuple(notes))


def newest_checkpoint(folder: Folder, folding: Folding, trial: str, epochs: int) -> FoundCheckpoint | None:
    """Returns a trial's last whole checkpoint of at most so many epochs, from whichever of its experiments has it."""
    name = numbered(folding.begun[trial]["number"])
    places = (folder / experiment / name for experiment in reversed(folding.experiments[trial]))
    found = (checkpoint for place in places for checkpoint in checkpoints_of(place))
    return next((checkpoint for checkpoint in found if checkpoint.epochs <= epochs), None)


def epochs_of(tuning: Tuning, config: Config) -> int:
    """Returns how many epochs, or reports, a trial of this configuration trains at most."""
    own = None if tuning.goal.is_of_a_loop else tuning.study.hyperparameters(config).get("epochs")
    return min(tuning.max_epochs, own or tuning.max_epochs)


def _why_not(
    tuning: Tuning, config: Config, own_epochs: int, checkpoint: FoundCheckpoint | None, epochs: int
) -> str | None:
    """Returns why a finished trial cannot go on; None if it can.

    Args:
        own_epochs: what it trained before it was ever lengthened.
        epochs: what it trained in all.
    """
    whole = epochs_of(tuning, config)
    if own_epochs < whole:
        if tuning.goal.is_of_a_loop:
            return f"its loop ended by itself after {epochs} of {whole} reports"
        return f"its patience ended after {epochs} epochs"
    if not tuning.goal.is_of_a_loop:
        values = tuning.study.hyperparameters(config)
        if values.get("schedule", "constant") != "constant" or values.get("warmup", 0):
            return "its learning-rate schedule is laid out over its epochs, and has come to its end"
    if tuning.scheduler in POPULATION and (checkpoint is None or checkpoint.epochs != epochs):
        return "a population made it, and it has no checkpoint of its last epoch to go on from"
    return None
