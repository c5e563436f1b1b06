"""The delay-adaptive step of asynchronous SGD."""

from torch.optim import Optimizer

from tautune.trainables.delay.remedies.learning_rate_rule import LearningRateRule


class DelayAdaptive(LearningRateRule):
    r"""Makes smaller steps with the gradients that are later than those of M workers in turn.

        η[t] = η M / max(M, τ[t])

    Gradients up to M steps late are applied with the full learning rate. It costs no memory.

    Source: Mishchenko, Bach, Even, Woodworth, NeurIPS 2022 (arXiv 2206.07638), and their code.

    Args:
        optimizer: a `GradientQueue`, or another remedy around one.
        workers: M ≥ 1.

    Raises:
        ValueError: M is no integer of at least 1, or `optimizer` has no delay.
    """

    KEY = "delay_adaptive"
    ATTRIBUTES = ("updates", "workers")

    def __init__(self, optimizer: Optimizer, workers: int) -> None:
        if not isinstance(workers, int) or workers < 1:
            raise ValueError(f"workers must be an integer of at least 1, not {workers!r}")
        self.workers = workers
        super().__init__(optimizer)

    def factor(self, age: int) -> float:
        """Returns M / max(M, τ)."""
        return self.workers / max(self.workers, age)
