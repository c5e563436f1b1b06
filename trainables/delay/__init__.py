"""Gradients that arrive τ steps late, for any torch optimizer."""

from tautune.trainables.delay.queue import GradientQueue
from tautune.trainables.delay.schedules import RandomDelay, RecordedDelay
from tautune.trainables.delay.sgd import delayed_sgd
from tautune.trainables.delay.shifted_momentum import ShiftedMomentumSGD

__all__ = ["GradientQueue", "RandomDelay", "RecordedDelay", "ShiftedMomentumSGD", "delayed_sgd"]
