"""How late the gradients of an optimizer are, read from what a user has put around it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from torch import Tensor, nn
from torch.optim import Optimizer

from tautune.trainables.delay.delayed import DelayedOptimizer
from tautune.trainables.delay.pipeline import pipeline_delays
from tautune.trainables.delay.queue import GradientQueue
from tautune.trainables.delay.remedies.weight_prediction import WeightPrediction
from tautune.trainables.delay.wrapper import OptimizerWrapper
from tautune.trainables.theory.delays import Delays, as_delays
from tautune.trainables.theory.optimizer_names import as_optimizer
from tautune.trainables.theory.remedies import Prediction, Remedy


class Late(NamedTuple):
    """An optimizer of torch with what is around it."""

    optimizer: Optimizer
    delays: tuple[Delays, ...] | None
    """Of each parameter group; None where nothing delays its gradients."""
    remedies: tuple[Remedy, ...]

    def of_groups(self, shares: Sequence[float]) -> Delays:
        """Returns the delays of the loop, where each group has this share of the sharpest direction.

        Raises:
            ValueError: groups differ in delays that are drawn.
        """
        if self.delays is None:
            return Delays.fixed(0)
        first, *others = self.delays
        if all(one == first for one in others):
            return first
        if not all(one.is_fixed for one in self.delays):
            raise ValueError("parameter groups that differ in delays that are drawn have no threshold in theory")
        return Delays.stages([one.maximum for one in self.delays], shares)


def lateness(optimizer: Optimizer) -> Late:
    """Returns the optimizer inside queues, remedies and trainers' wrappers, with its delays and linear remedies.

    Raises:
        ValueError: it is no optimizer of torch, or it or a remedy around it is none of theory's.
    """
    delays: tuple[Delays, ...] | None = None
    prediction: WeightPrediction | None = None
    inner: Optimizer = optimizer
    while isinstance(getattr(inner, "optimizer", None), Optimizer):  # Lightning's and accelerate's have it too
        if isinstance(inner, WeightPrediction):
            prediction = inner
        elif isinstance(inner, GradientQueue):
            schedule = inner.schedule
            each = [schedule[g["name"]] if isinstance(schedule, dict) else schedule for g in inner.param_groups]
            delays = tuple(map(as_delays, each))
        elif isinstance(inner, DelayedOptimizer):
            delays = tuple(map(Delays.fixed, inner.longest_delays))
        elif isinstance(inner, OptimizerWrapper):
            name = type(inner).__name__
            raise ValueError(f"{name} has no threshold in theory: it is not linear; give the optimizer inside it")
        inner = inner.optimizer  # type: ignore[attr-defined]
    if not isinstance(inner, Optimizer):
        raise ValueError(f"optimizer must be an optimizer of torch, with or without a queue, not {inner!r}")
    as_optimizer(inner, None, Delays.fixed(0))  # it raises
    return Late(inner, delays, (Prediction(_horizon(prediction)),) if prediction else ())


def _horizon(prediction: WeightPrediction) -> float | None:
    """Returns the steps of the prediction; None for each gradient's own delay."""
    horizons = set(prediction.horizons)
    if len(horizons) == 1:
        return float(horizons.pop())
    delayed = prediction._delayed
    if delayed is not None and tuple(prediction.horizons) == tuple(delayed.longest_delays):
        return None
    raise ValueError("weight prediction whose horizons differ between groups has no threshold in theory")


def shares_of(direction: Tensor, parameters: Sequence[Tensor], sets: Iterable[Iterable[Tensor]]) -> list[float]:
    """Returns Σ u_j² over each set of parameters, for a unit vector u [P] in the order of `parameters`."""
    pieces = direction.split([p.numel() for p in parameters])
    squared = {id(p): float(piece.double().square().sum()) for p, piece in zip(parameters, pieces, strict=True)}
    shares = [sum(squared.get(id(p), 0.0) for p in one) for one in sets]
    total = sum(shares)
    return [share / total for share in shares]


def stages_of(model: nn.Module, stages: Sequence[int]) -> list[list[Tensor]]:
    """Returns the parameters of each of as many stages, made of the model's children from first to last.

    Raises:
        ValueError: the model has fewer children.
    """
    children = sum(any(True for _ in child.parameters()) for child in model.children())
    if len(stages) > children:
        raise ValueError(
            f"there are {len(stages)} stages, and the model has {children} children with parameters to be divided "
            "among them; in Python, put a GradientQueue around the optimizer, whose parameter groups may be any stages"
        )
    groups, _ = pipeline_delays(model, len(stages))
    return [group["params"] for group in groups]


def unwrapped(model: nn.Module) -> nn.Module:
    """Returns the module inside torch.compile's and DistributedDataParallel's, which cannot be differentiated twice."""
    while True:
        if isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
            model = inner
        elif isinstance(model, nn.parallel.DistributedDataParallel | nn.DataParallel):
            model = model.module
        else:
            return model


def parameters_of(model: nn.Module) -> list[Tensor]:
    """Returns what requires a gradient. Raises ValueError if nothing does."""
    found: list[Tensor] = [p for p in model.parameters() if p.requires_grad]
    if not found:
        raise ValueError("none of the model's parameters requires a gradient: there is nothing to train")
    return found
