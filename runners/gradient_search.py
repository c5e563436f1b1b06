"""Search by hypergradients: starts, one after another, each of which goes down the slope of the validation loss.

A start is at one configuration at a time. The training of that configuration is done in this process, differentiated
where its loss is the lowest of the start, and the start goes on in the unit cube that the space is mapped to. Every
place is suggested as an ordinary configuration, which a trial then trains. What the trials report changes nothing: the
same seed has the same places.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from ray.tune.search import Searcher
from ray.tune.search.sample import Float, LogUniform, Uniform
from scipy.optimize import BFGS, lsq_linear

from tautune.search_spaces.space import Space, domain_of

Config = dict[str, Any]
Place = NDArray[np.float64]
"""A point of the unit cube [D], or a slope in it."""
RADIUS, SMALLEST_RADIUS, LARGEST_RADIUS = 0.3, 0.01, 0.5
"""Half the width of the box in which a step ends, as a share of each range."""
WORTH = 0.001
"""Relative fall of the loss below which another step is not worth a training."""
STEEP = 20.0
"""Relative change of the loss over a whole range from which a training is about to become unstable."""


class Sloped(Protocol):
    """What a training came to, with its derivatives."""

    @property
    def loss(self) -> float:
        """Returns the validation loss, infinite if the training diverged."""

    @property
    def gradient(self) -> Mapping[str, float]:
        """Returns its derivative with respect to each hyperparameter; empty if there is none."""


class Slope(Protocol):
    """A whole configuration → the validation loss of its training, with its derivatives."""

    def __call__(self, config: Config, *, below: float = math.inf) -> Sloped:
        """Returns them; where the loss is not below that number, derivatives may be left out, which saves time."""


class Scale:
    """Maps a range to the numbers from 0 to 1: logarithmically, a momentum m by log(1 − m), otherwise linearly.

    Raises:
        ValueError: the hyperparameter has no range, or one with steps or without ends.
    """

    def __init__(self, name: str, domain: Any) -> None:
        sampler = domain.get_sampler() if isinstance(domain, Float) else None
        if not isinstance(sampler, Uniform | LogUniform):
            raise ValueError(f"{name} must be a range without steps, as tune.loguniform or tune.uniform are")
        self.domain, self.is_drawn_in_logarithms = domain, isinstance(sampler, LogUniform)
        self.is_momentum = name == "momentum" and domain.upper < 1
        self.is_logarithmic = self.is_momentum or self.is_drawn_in_logarithms
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

    def drawn(self, share: float) -> float:
        """Returns the place below which random search draws that share of its values."""
        low, high = self.domain.lower, self.domain.upper
        return self.place(low * (high / low) ** share if self.is_drawn_in_logarithms else low + share * (high - low))

    def slope(self, place: float) -> float:
        """Returns the derivative of the value with respect to the place."""
        low, high = self.ends
        value = self.value(place)
        return (high - low) * (value - 1 if self.is_momentum else value if self.is_logarithmic else 1.0)

    def _bent(self, value: float) -> float:
        rest = 1 - value if self.is_momentum else value
        return math.log(rest) if self.is_logarithmic else rest


class Start:
    """One descent: scipy's damped BFGS, inside a box around the best place.

    It goes down asinh(1000 loss / first loss), which is the loss's logarithm where that is not near 0: a loss falls by
    powers of ten, and rises by more where training is about to become unstable. The box grows where the model of the
    loss held, and shrinks where the loss did not fall: to the bottom of the parabola through both losses and the slope.
    Where the first training of a start diverged, or is about to, the next one has a lower learning rate.
    """

    def __init__(self, place: Place, rate: int | None) -> None:
        """Args: rate: which coordinate is the learning rate; None if it is not searched."""
        self.place, self.rate = place, rate
        self.best, self.slope = place, np.zeros_like(place)
        self.lowest = self.height = math.inf
        self.radius, self.promised, self.ended = RADIUS, 0.0, False

    def move(self, loss: float, slope: Place | None) -> None:
        """Goes on from a place, of which the loss is given, and its slope if it is lower than all before."""
        if not math.isfinite(self.lowest):
            self.unit = abs(loss) / 1000 or 1.0
        height = math.asinh(loss / self.unit)
        slope = None if slope is None else slope / math.hypot(loss, self.unit)
        if not math.isfinite(self.lowest):
            if slope is None or np.linalg.norm(slope) > STEEP:
                self._retreat()
                return
            scale = max(float(np.linalg.norm(slope)) / RADIUS, 1e-6)
            self.model = BFGS(exception_strategy="damp_update", init_scale=scale)
            self.model.initialize(len(slope), "hess")
            self.curvature = scale * np.eye(len(slope))
        elif slope is not None:
            if self.height - height > self.promised / 2:
                self.radius = min(1.5 * self.radius, LARGEST_RADIUS)
            if (slope != self.slope).any():
                self.model.update(self.place - self.best, slope - self.slope)
                matrix = self.model.get_matrix()
                self.curvature = matrix + 1e-9 * np.trace(matrix) * np.eye(len(slope))  # whatever rounding has left
        else:
            step = self.place - self.best
            along = float(self.slope @ step)
            share = -along / (2 * (height - self.height - along)) if math.isfinite(height) else 0.3
            self.radius = float(np.abs(step).max()) * min(max(share, 0.15), 0.5)
        if slope is not None:
            self.best, self.lowest, self.height, self.slope = self.place, loss, height, slope
        self._step()

    def _step(self) -> None:
        """Goes to where the model is lowest in the box, or ends if that promises too little."""
        root = np.linalg.cholesky(self.curvature)
        ends = [np.clip(self.best + away, 0, 1) - self.best for away in (-self.radius, self.radius)]
        step = lsq_linear(root.T, -np.linalg.solve(root, self.slope), bounds=ends, method="bvls").x
        self.promised = -float(self.slope @ step + step @ self.curvature @ step / 2)
        self.place = np.clip(self.best + step, 0, 1)
        self.ended = self.promised < WORTH or self.radius < SMALLEST_RADIUS

    def _retreat(self) -> None:
        if self.rate is None or self.place[self.rate] == 0:
            self.ended = True
            return
        self.place = self.place.copy()
        self.place[self.rate] = max(self.place[self.rate] - RADIUS, 0)


class GradientSearch(Searcher):
    """Suggests where the starts are: one start after another, each until it promises nothing more.

    Args:
        space: ranges, and fixed values.
        slope: differentiates the training of a configuration.
        seed: of the places of the starts, which are drawn as random search would; the first one is the median.
        points: configurations at which the first starts begin instead.
    """

    def __init__(self, space: Space, slope: Slope | None, *, seed: int, points: Iterable[Space] = ()) -> None:
        super().__init__()
        self.slope = slope
        self.fixed = {name: entry for name, entry in space.items() if not isinstance(domain_of(entry), Float)}
        self.scales = {name: Scale(name, entry) for name, entry in space.items() if name not in self.fixed}
        self._places = self._begin(seed, list(points))
        self.start: Start | None = None

    def suggest(self, trial_id: str) -> Config:
        """Returns the place to which the last one led, or where the next start begins."""
        if self.start:
            self.start.move(*self._differentiated(self.start))
        if not self.start or self.start.ended:
            rate = list(self.scales).index("learning_rate") if "learning_rate" in self.scales else None
            self.start = Start(next(self._places), rate)
        return self._config(self.start.place)

    def on_trial_complete(self, trial_id: str, result: Config | None = None, error: bool = False) -> None:
        """Learns nothing: the slope was known before."""

    def _begin(self, seed: int, points: list[Space]) -> Iterator[Place]:
        draw = np.random.default_rng(seed)
        for point in points:
            yield np.array([s.place(point[n]) if n in point else s.drawn(0.5) for n, s in self.scales.items()])
        if not points:
            yield np.array([scale.drawn(0.5) for scale in self.scales.values()])
        while True:
            yield np.array([scale.drawn(draw.random()) for scale in self.scales.values()])

    def _config(self, place: Place) -> Config:
        return self.fixed | {name: scale.value(at) for (name, scale), at in self._by_name(place)}

    def _differentiated(self, start: Start) -> tuple[float, Place | None]:
        """Returns the loss, and its slope in the unit cube if the loss is the lowest of the start."""
        assert self.slope is not None
        found = self.slope(self._config(start.place), below=start.lowest)
        if not found.gradient or not found.loss < start.lowest:
            return found.loss, None
        slopes = [found.gradient[name] * scale.slope(at) for (name, scale), at in self._by_name(start.place)]
        return found.loss, np.array(slopes)

    def _by_name(self, place: Place) -> Iterable[tuple[tuple[str, Scale], float]]:
        return zip(self.scales.items(), place.tolist(), strict=True)
