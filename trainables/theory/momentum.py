"""Momentum and its kind as one value."""

from dataclasses import dataclass
from numbers import Real


def check_momentum(momentum: float) -> None:
    """Raises ValueError unless the momentum is a number in [0, 1)."""
    if not isinstance(momentum, Real) or not 0 <= momentum < 1:
        raise ValueError(f"momentum must be at least 0 and below 1, not {momentum!r}")


@dataclass(frozen=True)
class Momentum:
    """How past gradients enter an update. As in the paper, the gradient is dampened by 1-m.

        none      v[t+1] = -η g[t]
        dampened  v[t+1] = m v[t]   - η (1-m) g[t]
        shifted   v[t+1] = m v[t-τ] - η (1-m) g[t]

    Source: Giladi et al., ICLR 2020 (arXiv 1909.12340).

    Raises:
        ValueError: the value is outside [0, 1), or `shifted` is set for a momentum of 0.
    """

    value: float = 0.0
    """m in [0, 1)."""
    shifted: bool = False
    """Whether the velocity is also τ steps late (the paper's shifted momentum)."""

    def __post_init__(self) -> None:
        check_momentum(self.value)
        if self.shifted and not self.value:
            raise ValueError("shifted momentum delays the velocity, so it needs a momentum above 0")

    def __str__(self) -> str:
        """Returns a description such as "shifted momentum 0.9", or an empty string for a momentum of 0."""
        return f"{'shifted ' if self.shifted else ''}momentum {self.value:g}" if self.value else ""


NO_MOMENTUM = Momentum()
