"""Optimizers by their names, and of torch: what a user calls them, as the filters that they are near a minimum."""

from collections.abc import Callable
from typing import Any

from tautune.trainables.theory.delays import Delays
from tautune.trainables.theory.optimizers import (
    SGD,
    Adam,
    LinearOptimizer,
    NAdam,
    OwnFilter,
    RMSProp,
    ShiftedMomentum,
    SpikeCompensation,
)

BY_NAME: dict[str, Callable[[float], LinearOptimizer]] = {
    "sgd": lambda m: SGD(m),
    "dampened-momentum": lambda m: SGD(m, dampening=m),
    "nesterov": lambda m: SGD(m, nesterov=True),
    "nadam": NAdam,
    "adam": Adam,
    "adamw": Adam,
    "rmsprop": RMSProp,
    "shifted-momentum": ShiftedMomentum,
    "spike-compensation": SpikeCompensation,
}
WITHOUT_MOMENTUM = ("sgd", "rmsprop")
"""Optimizers whose momentum is 0 unless it is given, as in torch."""
WITH_MOMENTUM = ("nesterov", "shifted-momentum", "spike-compensation")
"""Optimizers that are nothing of their own without a momentum."""
DEFAULT_MOMENTUM = 0.9
PRECONDITIONED = ("nadam", "adam", "adamw", "rmsprop")
"""Optimizers whose thresholds are those of the preconditioned curvature."""
SIGN_METHODS = ("lion", "signsgd", "signum", "muon", "rprop")
"""Optimizers whose update does not shrink with the gradient."""
FILTERING = ("momentum", "dampening", "nesterov", "betas", "shift", "horizon")
"""Settings of a parameter group that its filter depends on."""


def papers_optimizer(momentum: float | None, shifted: bool) -> str:
    """Returns the name of Giladi et al.'s SGD with this momentum, which is dampened, and may be shifted."""
    return "shifted-momentum" if shifted else "dampened-momentum" if momentum else "sgd"


def default_momentum(name: str) -> float:
    """Returns the m, or β₁, of an optimizer that is given none."""
    return 0.0 if name in WITHOUT_MOMENTUM else DEFAULT_MOMENTUM


def convention(name: str, momentum: float) -> str | None:
    """Returns what is to be said of an optimizer's η where it is not the one that its class takes."""
    if name != "spike-compensation":
        return None
    return f"η of {name} is dampened; SpikeCompensatedSGD takes {1 - momentum:g} of it"


def as_optimizer(optimizer: Any, momentum: float | None, delays: Delays) -> LinearOptimizer:
    """Returns the linear optimizer that a name, an optimizer of torch or a value of `optimizers.py` stands for.

    Args:
        momentum: m or β₁ of an optimizer that is given by its name.
        delays: of its gradients, which the message about a sign method needs.

    Raises:
        ValueError: there is no such optimizer, it is a sign method, or its momentum is out of its bounds.
    """
    if isinstance(optimizer, str):
        return _named(optimizer, momentum, delays)
    if momentum is not None:
        raise ValueError("momentum is for an optimizer that is given by its name; this one has its own")
    if hasattr(optimizer, "param_groups"):
        return _of_torch(optimizer, delays)
    if not hasattr(optimizer, "filter"):
        raise ValueError(f"optimizer must be a name, an optimizer of torch or a filter, not {optimizer!r}")
    linear: LinearOptimizer = optimizer
    return linear


def _named(name: str, momentum: float | None, delays: Delays) -> LinearOptimizer:
    if "/" in name:
        if momentum is not None:
            raise ValueError("momentum is for an optimizer that is given by its name; a filter of one's own has none")
        return parse_filter(name)
    _refuse_sign_method(name.lower(), delays)
    if name not in BY_NAME:
        raise ValueError(f"optimizer {name!r} is unknown; there are {', '.join(BY_NAME)}, and filters N,…/D,…")
    m = default_momentum(name) if momentum is None else momentum
    if not m and name in WITH_MOMENTUM:
        raise ValueError(f"{name} needs a momentum above 0")
    return BY_NAME[name](m)


def _of_torch(optimizer: Any, delays: Delays) -> LinearOptimizer:
    """Returns the filter of an optimizer of torch, or of tautune, by its class and the settings of its groups."""
    name, options = type(optimizer).__name__, optimizer.param_groups[0]
    if hasattr(optimizer, "optimizer"):
        raise ValueError(f"{name} is around an optimizer; give the optimizer inside, with delay and remedies beside it")
    _refuse_sign_method(name.lower(), delays)
    for setting in FILTERING:
        if any(group.get(setting) != options.get(setting) for group in optimizer.param_groups):
            raise ValueError(f"the parameter groups of {name} differ in {setting}: each is a loop of its own")
    if name == "SGD":
        m = options["momentum"]
        return SGD(m, dampening=options["dampening"] if m else 0.0, nesterov=options["nesterov"])
    if name == "ShiftedMomentumSGD":
        return ShiftedMomentum(options["momentum"], options["shift"])
    if name == "SpikeCompensatedSGD":
        return SpikeCompensation(options["momentum"], options["horizon"], dampened=False)
    if name in ("Adam", "AdamW", "NAdam"):
        return (NAdam if name == "NAdam" else Adam)(options["betas"][0])
    if name == "RMSprop":
        return RMSProp(options["momentum"])
    raise ValueError(
        f"the filter of {name} is not known, as those of SGD, Adam, AdamW, NAdam and RMSprop are; a TrainingLoop takes "
        "an OwnFilter in its place, or the name of one that is like it"
    )


def parse_filter(text: str) -> OwnFilter:
    """Returns the filter N,…/D,…: the coefficients of two polynomials in z, the highest power first."""
    above, _, below = text.partition("/")
    try:
        numerator, denominator = ([float(c) for c in part.split(",")] for part in (above, below))
    except ValueError:
        raise ValueError(
            f"a filter must be N,…/D,… with the coefficients of two polynomials in z, such as 1,0/1,-0.9, not {text!r}"
        ) from None
    return OwnFilter(tuple(numerator), tuple(denominator))


def _refuse_sign_method(name: str, delays: Delays) -> None:
    if name in SIGN_METHODS:
        size = f" = {delays.maximum + 1} η" if delays.maximum else ""
        raise ValueError(
            f"{name} is a sign method and has no threshold: its steps do not shrink with the gradient, so it comes to "
            f"rest at no learning rate η; on a quadratic it ends in a cycle of size η(τ+1){size}"
        )
