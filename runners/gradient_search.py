"""Search by hypergradients: several starts, each of which goes down the slope of its own validation loss.

A start is at one configuration at a time. The training of that configuration is differentiated in this process, and the
start takes a step downhill in the unit cube that the space is mapped to. Every place is suggested as an ordinary
configuration, which a trial then trains. What the trials report changes nothing: the same seed has the same places.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import torch
from ray.tune.search import Searcher
from ray.tune.search.sample import Float, LogUniform, Uniform
from torch import Tensor

from tautune.search_spaces.space import Space, domain_of

Config = dict[str, Any]
STARTS, TRIALS = 4, 8
"""Number of starts at most, and of trials of each at least, where there are several."""
FIRST_STEP, SMALLEST_STEP, LARGEST_STEP = 0.3, 0.01, 0.3
"""Steps as shares of a range."""
GROWTH = 1.2
"""Factor by which a step grows, Rprop's own."""


class Sloped(Protocol):
    """What a training came to, with its derivatives."""

    @property
    def loss(self) -> float:
        """Returns the validation loss, infinite if the training diverged."""

    @property
    def gradient(self) -> Mapping[str, float]:
        """Returns its derivative with respect to each hyperparameter; empty if the training diverged."""


Slope = Callable[[Config], Sloped]
"""A whole configuration → the validation loss of its training, with its derivatives."""


class Scale:
    """Maps a range to the numbers from 0 to 1: logarithmically, a momentum m by log(1 − m), otherwise linearly.

    Raises:
        ValueError: the hyperparameter has no range, or one with steps or without ends.
    """

    def __init__(self, name: str, domain: Any) -> None:
        sampler = domain.get_sampler() if isinstance(domain, Float) else None
        if not isinstance(sampler, Uniform | LogUniform):
            raise ValueError(f"{name} must be a range without steps, as tune.loguniform or tune.uniform are")
        self.is_momentum = name == "momentum" and domain.upper < 1
        self.is_logarithmic = self.is_momentum or isinstance(sampler, LogUniform)
        self.ends = tuple(map(self._bent, (domain.lower, domain.upper)))

    def value(self, place: float) -> float:
        """Returns the value at a place."""
        low, high = self.ends
        bent = low + place * (high - low)
        straight = math.exp(bent) if self.is_logarithmic else bent
        return 1 - straight if self.is_momentum else straight

    def place(self, value: float) -> float:
        """Returns the place of a value."""
        low, high = self.ends
        return min(max((self._bent(value) - low) / (high - low), 0.0), 1.0)

    def slope(self, place: float) -> float:
        """Returns the derivative of the value with respect to the place."""
        low, high = self.ends
        value = self.value(place)
        return (high - low) * (value - 1 if self.is_momentum else value if self.is_logarithmic else 1.0)

    def _bent(self, value: float) -> float:
        rest = 1 - value if self.is_momentum else value
        return math.log(rest) if self.is_logarithmic else rest


class Start:
    """One descent, by the rule of iRprop+ (Igel and Hüsken, Neurocomputing 50, 2003).

    Only the signs of the slopes count, since their sizes differ by powers of ten where a training is about to become
    unstable. Each coordinate has a step of its own, which grows while its sign stays and halves when it changes. Where
    the loss did not fall, all steps halve, and the next place is once more beside the best one. torch's Rprop does not
    go back, and stays where training is unstable once it has come there.
    """

    def __init__(self, place: Tensor) -> None:
        self.place = self.best = place
        self.loss, self.downhill, self.steps = math.inf, torch.zeros_like(place), torch.full_like(place, FIRST_STEP)
        self.begun = False

    def move(self, loss: float, slope: Tensor) -> None:
        """Goes from a place, whose loss and slope are given, to the next one, inside the unit cube."""
        if loss < self.loss or not math.isfinite(self.loss):
            turns = slope * -self.downhill
            factors = torch.where(turns > 0, GROWTH, torch.where(turns < 0, 0.5, 1.0))
            self.best, self.loss, self.downhill = self.place, loss, -slope.sign()
            self.steps = (self.steps * factors).clamp(SMALLEST_STEP, LARGEST_STEP)
        else:
            self.steps = (self.steps / 2).clamp(min=SMALLEST_STEP)
        self.place = (self.best + self.steps * self.downhill).clamp(0, 1)


class GradientSearch(Searcher):
    """Suggests where the starts are, one start after another.

    Args:
        space: ranges, and fixed values.
        slope: differentiates the training of a configuration.
        seed: of the places of the starts; the first one is in the middle.
        trials: in all, which the starts share.
        points: configurations at which the first starts begin instead.
    """

    def __init__(
        self, space: Space, slope: Slope | None, *, seed: int, trials: int, points: Iterable[Space] = ()
    ) -> None:
        super().__init__()
        self.slope = slope
        self.fixed = {name: entry for name, entry in space.items() if not isinstance(domain_of(entry), Float)}
        self.scales = {name: Scale(name, entry) for name, entry in space.items() if name not in self.fixed}
        draw = torch.Generator().manual_seed(seed)
        given = [
            torch.tensor([s.place(point.get(n, s.value(0.5))) for n, s in self.scales.items()]) for point in points
        ]
        others = [
            torch.full((len(self.scales),), 0.5),
            *(torch.rand(len(self.scales), generator=draw) for _ in range(STARTS)),
        ]
        self.starts = [Start(place) for place in [*given, *others][: max(1, min(STARTS, trials // TRIALS))]]
        self.suggested = 0

    def suggest(self, trial_id: str) -> Config:
        """Returns the next start's place, after a step from where it was."""
        start = self.starts[self.suggested % len(self.starts)]
        self.suggested += 1
        if start.begun:
            start.move(*self._differentiated(start.place))
        start.begun = True
        return self._config(start.place)

    def on_trial_complete(self, trial_id: str, result: Config | None = None, error: bool = False) -> None:
        """Learns nothing: the slope was known before."""

    def _config(self, place: Tensor) -> Config:
        return self.fixed | {name: scale.value(at) for (name, scale), at in self._places(place)}

    def _differentiated(self, place: Tensor) -> tuple[float, Tensor]:
        """Returns the loss and its slope in the unit cube; where training diverged, one to a lower learning rate."""
        assert self.slope is not None
        found = self.slope(self._config(place))
        if not found.gradient:
            return math.inf, torch.tensor([float(name == "learning_rate") for name in self.scales])
        slopes = [found.gradient[name] * scale.slope(at) for (name, scale), at in self._places(place)]
        return found.loss, torch.tensor(slopes)

    def _places(self, place: Tensor) -> Iterable[tuple[tuple[str, Scale], float]]:
        return zip(self.scales.items(), place.tolist(), strict=True)
