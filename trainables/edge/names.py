"""The optimizers whose edge is looked for, by their names, without torch."""

from tautune.trainables.theory.loop import TrainingLoop

MOMENTUM = 0.9
"""m of momentum, which is torch's, undampened, and β₁ of Adam and NAdam."""
EDGE_OPTIMIZERS = {"sgd": "sgd", "momentum": "sgd", "adam": "adam", "rmsprop": "rmsprop", "nadam": "nadam"}
"""Each with the name that a `TrainingLoop` has for it."""
ADAPTIVE = ("adam", "rmsprop", "nadam")
"""Those that divide by an average of squares, whose curvature is that of the preconditioned loss."""


def loop_of(optimizer: str, delay: int) -> TrainingLoop:
    """Returns the training loop of one of them at a delay; NAdam's momentum has arrived at β₁."""
    m = None if optimizer in ("sgd", "rmsprop") else MOMENTUM
    return TrainingLoop(EDGE_OPTIMIZERS[optimizer], delay, momentum=m)
