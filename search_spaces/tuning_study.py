"""A tuning study: a classifier, and the space of hyperparameters that is searched for it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tautune.search_spaces.catalogue import check_hyperparameters
from tautune.search_spaces.names import check_name
from tautune.search_spaces.space import Space, active, check_space, domain_of, ends
from tautune.trainables.classifier.data_files import DATA_NAMES
from tautune.trainables.classifier.hyperparameters import (
    NETWORKS,
    TRAINING_NAMES,
    check_network_values,
    check_training_value,
    names_of,
    per_layer,
)

if TYPE_CHECKING:
    from tautune.trainables.classifier.datasets import ImageData
    from tautune.trainables.classifier.models import Model


@dataclass(frozen=True, kw_only=True)
class TuningStudy:
    """A classifier to tune: which hyperparameters, in which bounds, and how far by default.

    Raises:
        ValueError: data or model of an unknown name, a hyperparameter that neither the training nor the model has, or
            values that it cannot have.
    """

    name: str
    description: str
    data: "str | Callable[[], ImageData]"
    """cifar10, digits, fashion_mnist or mnist, or a function that returns the data."""
    model: "str | Model"
    """mlp, cnn, vgg11 or resnet, or a function (shape, classes, **hyperparameters) → network."""
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
            check_name("data", self.data, DATA_NAMES)
        if isinstance(self.model, str):
            check_name("model", self.model, NETWORKS)
        own = names_of(self.model)
        check_space(self.space)
        check_hyperparameters(own, self.space)
        for name, entry in self.space.items():
            for value in ends(domain_of(entry)):
                if name in TRAINING_NAMES:
                    check_training_value(name, value)
                elif isinstance(self.model, str):
                    check_network_values(**{per_layer(name, own)[0]: value})
        if not 0 < self.validation_share < 1:
            raise ValueError(f"validation_share must be in (0, 1), not {self.validation_share!r}")

    def hyperparameters(self, config: dict[str, Any]) -> dict[str, Any]:
        """A search's configuration as training and model take it: flat, without what does not exist in it."""
        return active(self.space, config)

    def setting(self, values: dict[str, Any]) -> "TuningStudy":
        """The same study with some hyperparameters fixed. Raises ValueError as the study does."""
        return replace(self, space=self.space | values)
