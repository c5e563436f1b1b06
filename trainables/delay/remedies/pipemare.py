"""PipeMare's first technique: learning rates that start low where gradients are late."""

from torch.optim import Optimizer

from tautune.trainables.delay.remedies.learning_rate_rule import LearningRateRule


class PipeMareRescheduling(LearningRateRule):
    r"""Divides each stage's learning rate by its delay at first, and by less and less over the first K updates.

        η[t] = η / τ^p,    p = 1 - min(t / K, 1)

    where t counts updates from 0; a delay of 0 counts as 1. It costs no memory. PipeMare's second technique, which
    corrects weights that differ between forward and backward pass, is not here: a `GradientQueue` has none such, and
    `WeightStashing` neither.

    Source: Yang, Zhang, Li, Ré, Aberger, De Sa, MLSys 2021 (arXiv 1910.05124), technique T1.

    Args:
        optimizer: a `GradientQueue` or `WeightStashing`, or another remedy around one.
        steps: K ≥ 1, in updates.

    Raises:
        ValueError: K is no integer of at least 1, or `optimizer` has no delay.
    """

    KEY = "pipemare_rescheduling"
    ATTRIBUTES = ("updates", "steps")

    def __init__(self, optimizer: Optimizer, steps: int) -> None:
        if not isinstance(steps, int) or steps < 1:
            raise ValueError(f"steps must be an integer of at least 1, not {steps!r}")
        self.steps = steps
        super().__init__(optimizer)

    def factor(self, age: int) -> float:
        """Returns τ^-p at the present update."""
        p = 1 - min(self.updates / self.steps, 1)
        return float(max(age, 1) ** -p)
