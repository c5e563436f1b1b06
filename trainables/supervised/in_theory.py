"""The optimizers of a training as theory knows them. Nothing here imports torch or Ray."""

from tautune.trainables.theory.loop import TrainingLoop

LINEAR = ("sgd", "momentum", "nesterov", "shifted-momentum", "rmsprop", "adam", "adamw", "nadam")
"""The optimizers of a training of which theory knows the thresholds."""
NO_MOMENTUM = ("sgd", "rmsprop")
"""Those of them that have none in a training."""


def in_theory(optimizer: str, momentum: float) -> tuple[str, float]:
    """Returns the name and the momentum that `TrainingLoop` has for an optimizer of a training.

    Raises:
        ValueError: theory knows no threshold of it.
    """
    if optimizer not in LINEAR:
        raise ValueError(f"optimizer {optimizer} has no threshold in theory; {', '.join(LINEAR)} have one")
    if optimizer in NO_MOMENTUM:
        return optimizer, 0.0
    if optimizer == "momentum" or not momentum and optimizer in ("nesterov", "shifted-momentum"):
        return "sgd", momentum
    return optimizer, momentum


def in_training(optimizer: str, momentum: float) -> str:
    """Returns the name that a training has for an optimizer of theory."""
    return "momentum" if optimizer == "sgd" and momentum else optimizer


def loop_of(optimizer: str, momentum: float, delay: int | str, remedy: str) -> TrainingLoop:
    """Returns the loop of a training's hyperparameters. Raises ValueError if theory knows none."""
    name, m = in_theory(optimizer, momentum)
    if remedy != "none" and not remedy.startswith("predict"):
        raise ValueError(f"remedy {remedy} has no threshold in theory; predict:T and none have one")
    return TrainingLoop(name, delay, [] if remedy == "none" else [remedy], m)
