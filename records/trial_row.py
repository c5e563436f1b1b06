"""What a tuning's folder holds of each trial: a line of trials.jsonl."""

from typing import Literal, NotRequired, TypedDict

from tautune.records.typed import Count, FileName, NotNegative, Object


class Scores(TypedDict):
    """How good a classifier is at an epoch, in its result and in its row."""

    validation_accuracy: float
    validation_accuracy_deviation: float
    validation_loss: float
    training_accuracy: float
    training_loss: float


class LoopRow(TypedDict):
    """What trials.jsonl holds of a trial, beside its scores."""

    number: NotRequired[Count | None]
    trial: FileName
    experiment: FileName
    config: Object
    state: Literal["running", "finished", "stopped", "diverged", "failed", "interrupted"]
    epochs: Count
    epochs_trained: Count
    epochs_run: Count
    diverged_step: int | None
    seconds: NotNegative
    host: str
    history: NotRequired[list[Object]]
    failure: NotRequired[str]
    feasible: NotRequired[bool]
    on_front: NotRequired[bool]


class Row(LoopRow, Scores):
    """What it holds of a classifier's trial."""
