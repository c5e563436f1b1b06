"""A training loop as plain values, as a file keeps it, and back."""

from dataclasses import asdict
from typing import Any

from tautune.trainables.theory.delays import Delays
from tautune.trainables.theory.loop import TrainingLoop
from tautune.trainables.theory.optimizers import (
    SGD,
    Adam,
    NAdam,
    OwnFilter,
    RMSProp,
    ShiftedMomentum,
    SpikeCompensation,
)
from tautune.trainables.theory.remedies import Compensation, Prediction

Json = dict[str, Any]
OPTIMIZERS: dict[str, Any] = {
    kind.__name__: kind for kind in (SGD, Adam, NAdam, RMSProp, ShiftedMomentum, SpikeCompensation, OwnFilter)
}
REMEDIES: dict[str, Any] = {kind.__name__: kind for kind in (Prediction, Compensation)}


def loop_as_json(loop: TrainingLoop) -> Json:
    """Returns the loop's optimizer, delays and remedies, each with its numbers and the name of its class."""
    return {
        "optimizer": _named(loop.optimizer),
        "delays": asdict(loop.delay),
        "remedies": [_named(remedy) for remedy in loop.remedies],
    }


def loop_from_json(values: Json) -> TrainingLoop:
    """Returns the loop that `loop_as_json` wrote.

    Raises:
        ValueError: a class is unknown, or a number is missing or out of its bounds.
    """
    try:
        delays: Json = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values["delays"].items()
        }
        return TrainingLoop(
            _made(values["optimizer"], OPTIMIZERS),
            Delays(**delays),
            tuple(_made(remedy, REMEDIES) for remedy in values["remedies"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"no training loop can be made of it ({type(error).__name__}: {error})") from None


def _named(value: Any) -> Json:
    return {"kind": type(value).__name__, **asdict(value)}


def _made(values: Json, kinds: dict[str, Any]) -> Any:
    return kinds[values["kind"]](**{name: value for name, value in values.items() if name != "kind"})
