"""Watches a training: at its first step and every so many, how far it is from its delay's edge of stability."""

import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tautune.trainables.curvature.batch_loss import AnyLoss, BatchLoss, NotFiniteError
from tautune.trainables.curvature.checks import check_loss, evaluating, trained
from tautune.trainables.curvature.lanczos import Eigenpairs, largest_eigenpairs, random_start, vector_type
from tautune.trainables.curvature.lateness import lateness, shares_of, unwrapped
from tautune.trainables.curvature.preconditioner import Preconditioner, divides, filter_now, is_ready, preconditioner
from tautune.trainables.theory.delays import Delays, as_delays
from tautune.trainables.theory.loop import TrainingLoop
from tautune.trainables.theory.second_derivatives import second_derivatives

TOLERANCE = {True: 0.02, False: 0.1}
"""Largest residual relative to λ, at the first look and at each of the following ones."""
MOST_PRODUCTS = {True: 40, False: 6}
"""Hessian-vector products at most, for the first look and for each of the following ones."""
UNSEEN = {True: 0, False: 2}
"""Products that look for directions which became the sharpest since the last look."""
BASIS = 6
"""Vectors of Lanczos' basis: two copies of the parameters each while it looks, four altogether in between."""
WARNING = 1.05
"""Ratio from which on it warns. Training that sharpens by itself stays at its edge within a few hundredths."""


class Watched(NamedTuple):
    """What was seen at a step."""

    step: int
    edge_ratio: float
    """η λ over the threshold at the run's delay: stable below 1."""
    sharpness: float
    """λ, preconditioned where the optimizer divides by a state of its own."""
    threshold: float
    """The η λ at which the loop stops being stable."""
    learning_rate: float

    @property
    def max_stable_learning_rate(self) -> float:
        """Returns the threshold over λ."""
        return self.threshold / self.sharpness

    @property
    def scalars(self) -> dict[str, float]:
        """Returns what is logged, by its name."""
        own = {name: getattr(self, name) for name in ("edge_ratio", "sharpness", "threshold")}
        return {f"stability/{name}": value for name, value in own.items()} | {
            "stability/max_stable_learning_rate": self.max_stable_learning_rate
        }


class StabilityWarning(UserWarning):
    """The learning rate is above the delay's edge of stability, by default: the loss is about to grow."""


class StabilityMonitor:
    """Says every so many steps how near a training is to instability, and warns before its loss explodes.

        monitor = StabilityMonitor(model, loss, batch, optimizer, every=100, writer=SummaryWriter())
        for inputs, targets in loader:
            ...
            optimizer.step()
            monitor.step()

    Where the loop is a trainer's, `StabilityMonitor(…).attach()` counts the optimizer's own steps.

    The first look takes ten Hessian-vector products or more, and each later one four to six, since it begins with the
    directions of the one before. What it costs is in `benchmarks/probe.py`. Model, optimizer, gradients and torch's
    random numbers stay as they are. What clips gradients is not seen: while it does, the ratio is that of a training
    without it, which is larger.

    Args:
        model, loss, batches: as in `tautune.probe`; keep the batches few, such as a single one.
        optimizer: that of the run, with its queue around it if it has one.
        delay: how late gradients are where no queue tells, as in a `TrainingLoop`.
        every: steps between two looks.
        writer: gets the scalars `stability/edge_ratio`, `stability/sharpness` and others by `add_scalar`, as
            TensorBoard's SummaryWriter has it; or a function (name, value, step).
        warn_above: the edge ratio above which a `StabilityWarning` is given.

    Raises:
        ValueError: one of them cannot be used; see `tautune.probe`.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: AnyLoss,
        batches: Any,
        optimizer: Any,
        *,
        delay: Any = None,
        every: int = 100,
        writer: Any = None,
        warn_above: float = WARNING,
    ) -> None:
        if not isinstance(every, int) or every < 1:
            raise ValueError(f"every must be a number of steps of at least 1, not {every!r}")
        if not 0 < warn_above < math.inf:
            raise ValueError(f"warn_above must be a ratio above 0, not {warn_above!r}")
        if writer is not None and not callable(writer) and not hasattr(writer, "add_scalar"):
            raise ValueError(f"writer must have add_scalar, or be a function (name, value, step), not {writer!r}")
        self.model, self.optimizer, self.every, self.warn_above = unwrapped(model), optimizer, every, warn_above
        self.loss, self.batches = loss, batches
        self.parameters = trained(self.model, lateness(optimizer).optimizer.param_groups)
        BatchLoss(self.model, loss, batches, self.parameters)  # it raises
        self.delay: Delays | None = None if delay is None else as_delays(delay)
        self.time = 0
        """Steps made so far."""
        self.history: list[Watched] = []
        """All that was seen, the latest last."""
        self._add: Callable[[str, float, int], object] | None = getattr(writer, "add_scalar", writer)
        self._start: Tensor | None = None
        self._loop: TrainingLoop | None = None
        self._above = False

    def step(self) -> Watched | None:
        """Counts a step; returns what is seen at the first and at every so manyth one, and None in between.

        The first one is left out where the optimizer divides by a state, which is as young as the training then.

        There is nothing to see while an optimizer that divides by its state has none, as before a queue's first update,
        where a learning rate is 0 or curvature nowhere positive, and once weights or loss are not finite.
        """
        self.time += 1
        first = self.time == 1 and not divides(lateness(self.optimizer).optimizer)
        return self.look() if first or self.time % self.every == 0 else None

    def attach(self) -> "StabilityMonitor":
        """Counts each step that the optimizer makes from now on by itself, for loops that are a trainer's.

        So gradients may be accumulated over batches, and a step that a scaler leaves out does not count. `step` is then
        not to be called.
        """
        optimizer, step = self.optimizer, torch.compiler.disable(self.step)  # a step may be compiled
        while True:
            try:
                optimizer.register_step_post_hook(lambda *_: step())
                return self
            except AttributeError:  # accelerate's has no hooks of its own
                optimizer = optimizer.optimizer

    @torch.inference_mode(mode=False)
    def look(self) -> Watched | None:
        """Returns what is seen now, writes it down and warns; None where there is nothing to see."""
        seen = self._seen()
        if seen is not None:
            self.history.append(seen)
            if self._add is not None:
                for name, value in seen.scalars.items():
                    self._add(name, value, seen.step)
            self._warn(seen)
        return seen

    def _seen(self) -> Watched | None:
        late = lateness(self.optimizer)
        own = late.optimizer
        trained_now = trained(self.model, own.param_groups)
        if [*map(id, trained_now)] != [*map(id, self.parameters)]:  # frozen, thawed or added in mid-training
            self.parameters, self._start = trained_now, None
        if not is_ready(own, self.parameters) or not all(bool(p.isfinite().all()) for p in self.parameters):
            return None
        how = preconditioner(own, self.parameters)
        try:
            with evaluating(self.model):
                found = self._search(how)
        except NotFiniteError:
            if self.history:
                return None
            raise  # it is the batch's fault
        λ = float(found.values[0])
        if not 0 < λ < math.inf:
            return None
        groups = [group["params"] for group in own.param_groups]
        delays = self.delay or late.of_groups(shares_of(found.vectors[0], self.parameters, groups))
        loop = TrainingLoop(filter_now(own), delays, late.remedies)
        if loop != self._loop:  # whose threshold is computed once
            self._loop = loop
        η, threshold = how.learning_rate, self._loop.threshold
        return Watched(self.time, η * λ / threshold, λ, threshold, η)

    def _search(self, how: Preconditioner) -> Eigenpairs:
        f = BatchLoss(self.model, self.loss, self.batches, self.parameters)
        first = self._start is None
        if self._start is None:
            check_loss(f)
            P = sum(p.numel() for p in self.parameters)
            self._start = random_start(1, P, torch.empty(0, device=f.device, dtype=vector_type(self.parameters)))
        multiply = how.around(f.hessian_vector_product)
        with second_derivatives():
            found = largest_eigenpairs(
                lambda V: multiply(V[0]).unsqueeze(0),
                self._start,
                tolerance=TOLERANCE[first],
                most_products=MOST_PRODUCTS[first],
                basis=BASIS,
                unseen=UNSEEN[first],
                seed=self.time,
            )
        self._start = found.start if bool(found.start.isfinite().all()) else None
        return found

    def _warn(self, seen: Watched) -> None:
        """Warns where the ratio has risen above the limit since the last look."""
        before, self._above = self._above, seen.edge_ratio > self.warn_above
        if before or not self._above:
            return
        assert self._loop is not None
        growth = self._loop.growth(seen.learning_rate * seen.sharpness)
        grows = f": an error along the sharpest direction grows e-fold in {1 / growth:.3g} steps" if growth > 0 else ""
        warnings.warn(
            f"step {seen.step}: the learning rate {seen.learning_rate:g} is {seen.edge_ratio:.3g} times the largest "
            f"stable one at delay {self._loop.delay}, {seen.max_stable_learning_rate:.3g}{grows}",
            StabilityWarning,
            stacklevel=5,
        )
