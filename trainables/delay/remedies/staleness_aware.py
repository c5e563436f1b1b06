"""Learning rates in inverse proportion to the delay."""

from tautune.trainables.delay.remedies.learning_rate_rule import LearningRateRule


class StalenessAware(LearningRateRule):
    r"""Divides the learning rate of each update by the age of its gradient, in steps.

        η[t] = η / max(τ[t], 1)

    It costs no memory.

    Source: Zhang, Gupta, Lian, Liu, "Staleness-aware Async-SGD", IJCAI 2016 (arXiv 1511.05950).

    Args:
        optimizer: a `GradientQueue`, or another remedy around one.

    Raises:
        ValueError: `optimizer` has no delay.
    """

    KEY = "staleness_aware"

    def factor(self, age: int) -> float:
        """Returns 1 / max(τ, 1)."""
        return 1 / max(age, 1)
