"""The hyperparameters of training and of the built-in networks: their names, and the values they may have.

Nothing here imports torch or Ray, so that a mistyped value is reported at once.
"""

import inspect
import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, fields
from typing import Any

from tautune.trainables.supervised.in_theory import loop_of
from tautune.trainables.supervised.remedies import parse_remedy
from tautune.trainables.supervised.schedules import SCHEDULES
from tautune.trainables.theory.delays import Delays, as_delays
from tautune.trainables.theory.momentum import check_momentum
from tautune.trainables.theory.stability import LARGEST_RATE
from tautune.trainables.theory.transfer import usable_step

OPTIMIZER_NAMES = (
    *("sgd", "momentum", "nesterov", "shifted-momentum"),
    *("adagrad", "rmsprop", "adadelta", "adam", "adamw", "nadam"),
    *("lion", "muon", "soap"),
)
PRECISIONS = ("float32", "bfloat16")
ACTIVATION_NAMES = ("relu", "tanh", "sigmoid", "gelu", "silu")
INITIALIZATION_NAMES = ("xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal")
NETWORKS: dict[str, tuple[str, ...]] = {
    "mlp": ("layers", "units", "activation", "initialization", "dropout", "batch_norm"),
    "cnn": ("layers", "channels", "units", "activation", "initialization", "dropout", "batch_norm"),
    "vgg11": ("dropout", "batch_norm"),
    "resnet": ("depth", "channels"),
    "lstm": ("layers", "units", "dropout", "highway"),
    "transformer": ("vocabulary", "layers", "width", "heads", "dropout"),
    "causal_transformer": ("layers", "width", "heads", "dropout"),
}
"""The built-in networks, each with its own hyperparameters."""
WINDOW = "window"
"""The hyperparameter of a sequence: how many steps of it the model sees, which its `shape` tells it."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The hyperparameters of training, which every network has.

    Raises:
        ValueError: one of them is out of its bounds.
    """

    optimizer: str = "adam"
    learning_rate: float = 1e-3
    normalized_rate: float | None = None
    """ρ: the learning rate in units of the largest that theory gives the optimizer at its delay, in its place."""
    sharpness: float = 1.0
    """λ, by which ρ is divided; for Adam and its kin, of the preconditioned loss."""
    momentum: float = 0.9
    """Of momentum, nesterov (undampened, as in torch), shifted-momentum (dampened by 1-m) and muon; the first β of
    Adam and its kin, and of lion and soap."""
    beta2: float = 0.999
    """The second β of Adam and its kin, and of soap."""
    rho: float = 0.9
    """The decay of RMSProp's and Adadelta's averages."""
    delay: int | str = 0
    """τ, in optimizer steps, or D:P,…: delays that are drawn anew at each step, each with its probability."""
    remedy: str = "none"
    """none, or one of `tautune.trainables.supervised.remedies.NUMBERS`: predict:T is weight prediction by T steps, and
    predict by a fixed delay."""
    batch_size: int = 64
    """Examples in a mini-batch; all training examples make one batch where there are fewer."""
    epochs: int | None = None
    """Epochs to train for, where that is fewer than the tuning's --max-epochs."""
    schedule: str = "constant"
    """One of `tautune.trainables.supervised.schedules.SCHEDULES`, over all of the epochs."""
    warmup: float = 0.0
    """Share of the steps in which the learning rate rises to its value."""
    l1: float = 0.0
    """Weight of Σ|w| over the weights, biases and normalization layers left out."""
    l2: float | tuple[float, ...] = 0.0
    """Weight of Σw²/2 over the same weights, or one for each of their matrices, in the order of the layers."""
    flip: bool = False
    """Whether half of the training images are mirrored."""
    shift: int = 0
    """Pixels by which training images are moved at most."""
    patience: int | None = None
    """Epochs without a lower validation loss after which training stops; without it, training never stops early."""
    precision: str = "float32"
    """bfloat16 is mixed precision: the weights, their gradients and the optimizer stay in float32."""

    def __post_init__(self) -> None:
        _among("optimizer", self.optimizer, OPTIMIZER_NAMES)
        _among("schedule", self.schedule, SCHEDULES)
        _among("precision", self.precision, PRECISIONS)
        self._check_late()
        check_momentum(self.momentum)
        if self.normalized_rate is not None:
            self._normalize(self.normalized_rate)
        for name in ("beta2", "rho", "warmup"):
            _check(name, getattr(self, name), 0 <= getattr(self, name) < 1, "in [0, 1)")
        rate = self.learning_rate
        _check("learning_rate", rate, 0 < rate <= LARGEST_RATE, f"above 0 and at most {LARGEST_RATE:g}")
        if isinstance(self.l2, list):  # as JSON has it
            object.__setattr__(self, "l2", tuple(self.l2))
        each = self.l2 if isinstance(self.l2, tuple) else (self.l2,)
        for name, value in (("l1", self.l1), *(("l2", value) for value in each)):
            _check(name, value, 0 <= value < math.inf, "at least 0")
        for name in ("batch_size", "epochs", "patience"):
            value = getattr(self, name)
            _check(name, value, value is None or (_is_integer(value) and value >= 1), "an integer of at least 1")
        _check("flip", self.flip, isinstance(self.flip, bool), "true or false")
        _check("shift", self.shift, _is_integer(self.shift) and self.shift >= 0, "an integer of at least 0")

    def _normalize(self, ρ: float) -> None:
        """Sets the learning rate to ρ of the largest."""
        _check("normalized_rate", ρ, 0 < ρ < math.inf, "above 0 and finite")
        _check("sharpness", self.sharpness, 0 < self.sharpness < math.inf, "above 0 and finite")
        loop = loop_of(self.optimizer, self.momentum, self.delay, self.remedy)
        object.__setattr__(self, "learning_rate", ρ * usable_step(loop) / self.sharpness)

    def _check_late(self) -> None:
        delays = as_delays(self.delay) if isinstance(self.delay, str) else Delays.fixed(self.delay)
        name, number = (self.remedy, None) if self.remedy == "none" else parse_remedy(self.remedy)
        shortest = min(delays.steps)
        if name == "discard-stale" and number is not None and number <= shortest and delays.maximum:
            raise ValueError(f"remedy must be discard-stale:R with R above {shortest}, or no gradient is applied")
        if not delays.is_fixed and self.remedy == "predict":
            raise ValueError("remedy must be predict:T, with a number T of steps, where delays are drawn")
        if not delays.is_fixed and self.optimizer == "shifted-momentum":
            raise ValueError("optimizer shifted-momentum delays its velocity by one delay; it cannot have drawn ones")


TRAINING_NAMES = tuple(field.name for field in fields(TrainingConfig))
DIFFERENTIABLE = ("learning_rate", "momentum", "l1", "l2")
"""The hyperparameters by which a training can be differentiated."""
UNROLLED = ("sgd", "momentum", "nesterov")
"""The optimizers through which it can."""
PER_LAYER = ("l2",)
"""The hyperparameters that may have a value for each layer with weights: l2_1 is the first one's."""
MUTABLE = ("learning_rate", "momentum", "l1", "l2", "batch_size")
"""The hyperparameters that may change while training goes on, as population-based training does."""


def check_training_value(name: str, value: Any) -> None:
    """Raises ValueError if the hyperparameter of training, alone, cannot have that value."""
    try:
        TrainingConfig(**{name: value})
    except TypeError:
        raise ValueError(f"{name} cannot be {value!r}, a {type(value).__name__}") from None


def _is_width(value: Any) -> bool:
    return _is_integer(value) and value >= 1


def _is_widths(value: Any) -> bool:
    return _is_width(value) or (isinstance(value, tuple | list) and all(_is_width(width) for width in value))


_NETWORK_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "layers": (lambda v: _is_integer(v) and v >= 0, "an integer of at least 0"),
    "units": (_is_widths, "an integer of at least 1, or one for each layer"),
    "channels": (_is_width, "an integer of at least 1"),
    "depth": (lambda v: _is_integer(v) and v >= 8 and (v - 2) % 6 == 0, "6n+2 (8, 14, 20, 32 …)"),
    "activation": (lambda v: v in ACTIVATION_NAMES, f"one of {', '.join(ACTIVATION_NAMES)}"),
    "initialization": (
        lambda v: v is None or v in INITIALIZATION_NAMES,
        f"one of {', '.join(INITIALIZATION_NAMES)}, or null for torch's own",
    ),
    "dropout": (lambda v: isinstance(v, int | float) and not isinstance(v, bool) and 0 <= v <= 1, "in [0, 1]"),
    "batch_norm": (lambda v: isinstance(v, bool), "true or false"),
    "highway": (lambda v: _is_integer(v) and v >= 0, "an integer of at least 0"),
    "width": (_is_width, "an integer of at least 1"),
    "heads": (_is_width, "an integer of at least 1"),
    "vocabulary": (_is_width, "an integer of at least 1"),
    WINDOW: (_is_width, "an integer of at least 1"),
}


def check_network_values(**values: Any) -> None:
    """Raises ValueError if a built-in network cannot have one of these hyperparameters."""
    for name, value in values.items():
        holds, rule = _NETWORK_RULES[name]
        _check(name, value, holds(value), rule)


def of_training(name: str) -> str | None:
    """Returns l2 for l2_1, a hyperparameter of training for itself, and None for any other."""
    whole, _ = per_layer(name, PER_LAYER)
    return whole if whole in TRAINING_NAMES else None


def training_config(config: dict[str, Any]) -> TrainingConfig:
    """Returns what training takes of a configuration of training and model together."""
    own = {name: value for name, value in config.items() if of_training(name)}
    return TrainingConfig(**gathered(own, PER_LAYER))


def model_part(config: dict[str, Any]) -> dict[str, Any]:
    """Returns what the model takes of it."""
    return {name: value for name, value in config.items() if not of_training(name)}


def check_per_layer(names: Collection[str]) -> None:
    """Raises ValueError if a hyperparameter is both whole and by layer, or if a layer before the last one has none."""
    for whole in PER_LAYER:
        numbers = sorted(number for name in names if (number := per_layer(name, (whole,))[1]))
        if numbers and whole in names:
            raise ValueError(
                f"{whole} must be one value or one for each layer, not both {whole} and {whole}_{numbers[0]}"
            )
        if numbers != list(range(1, len(numbers) + 1)):
            missing = min(set(range(1, numbers[-1])) - set(numbers))
            raise ValueError(f"{whole}_{missing} is missing: there is {whole}_{numbers[-1]}, and layers count from 1")


def names_of(model: str | Callable[..., Any]) -> tuple[str, ...]:
    """Returns the hyperparameters that a built-in network or a function takes; "**" among them if it takes any."""
    if isinstance(model, str):
        return NETWORKS[model]
    parameters = list(inspect.signature(model).parameters.values())[2:]
    return tuple("**" if p.kind is p.VAR_KEYWORD else p.name for p in parameters)


def per_layer(name: str, known: tuple[str, ...]) -> tuple[str, int]:
    """Returns (units, 2) for units_2, and (dropout, 0) for dropout."""
    stem, _, number = name.rpartition("_")
    return (stem, int(number)) if number.isdecimal() and stem in known and name not in known else (name, 0)


def gathered(hyperparameters: dict[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
    """Maps {units_2: 32, units_1: 64, dropout: 0} to {units: (64, 32), dropout: 0}, if `known` has units."""
    found: dict[str, Any] = {}
    for name, (whole, number) in sorted(((n, per_layer(n, known)) for n in hyperparameters), key=lambda pair: pair[1]):
        value = hyperparameters[name]
        found[whole] = (*found.get(whole, ()), value) if number else value
    return found


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check(name: str, value: object, holds: object, rule: str) -> None:
    if not holds:
        raise ValueError(f"{name} must be {rule}, not {value!r}")


def _among(name: str, value: str, choices: Iterable[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
