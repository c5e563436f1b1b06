"""A tuning study: a classifier, and the space of hyperparameters that is searched for it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tautune.search_spaces.names import check_name
from tautune.search_spaces.space import Space, active, check_space, domain_of, ends
from tautune.trainables.classifier.datasets import LOADERS, ImageData
from tautune.trainables.classifier.models import MODELS, Model, names_of, per_layer
from tautune.trainables.classifier.training import TRAINING_NAMES, TrainingConfig


@dataclass(frozen=True, kw_only=True)
class TuningStudy:
    """A classifier to tune: which hyperparameters, in which bounds, and how far by default.

    Raises:
        ValueError: data or model of an unknown name, a hyperparameter that neither the training nor the model has, or
            values that it cannot have.
    """

    name: str
    description: str
    data: str | Callable[[], ImageData]
    """One of `tautune.trainables.classifier.datasets.LOADERS`, or a function that returns the data."""
    model: str | Model
    """One of `tautune.trainables.classifier.models.MODELS`, or (shape, classes, **hyperparameters) → network."""
    space: Space
    """Hyperparameter → a Ray Tune domain (`tune.loguniform`, `tune.randint`, `tune.choice` …), a `When` or a value."""
    search: str = "hyperopt"
    scheduler: str = "asha"
    trials: int = 20
    max_epochs: int = 20
    validation_share: float = 0.2
    """Of the training images, held out to compare configurations."""
    examples: int | None = None
    """Images that train at most, a fixed stratified part; all that do not validate if not given."""
    source: Path | None = None
    """The file of a user's own study."""

    def __post_init__(self) -> None:
        if isinstance(self.data, str):
            check_name("data", self.data, LOADERS)
        if isinstance(self.model, str):
            check_name("model", self.model, MODELS)
        own = names_of(MODELS[self.model] if isinstance(self.model, str) else self.model)
        check_space(self.space)
        for name in self.space:
            stem, _ = per_layer(name, own)
            if "**" not in own:
                check_name("hyperparameter", stem, [*TRAINING_NAMES, *own])
        for name in set(self.space) & set(TRAINING_NAMES):
            for value in ends(domain_of(self.space[name])):
                _check_value(name, value)
        if not 0 < self.validation_share < 1:
            raise ValueError(f"validation_share must be in (0, 1), not {self.validation_share!r}")

    def hyperparameters(self, config: dict[str, Any]) -> dict[str, Any]:
        """A search's configuration as training and model take it: flat, without what does not exist in it."""
        return active(self.space, config)

    def setting(self, values: dict[str, Any]) -> "TuningStudy":
        """The same study with some hyperparameters fixed. Raises ValueError as the study does."""
        return replace(self, space=self.space | values)


def _check_value(name: str, value: Any) -> None:
    try:
        TrainingConfig(**{name: value})
    except TypeError:
        raise ValueError(f"{name} cannot be {value!r}, a {type(value).__name__}") from None
