"""A tuning study: a network with its data and task, and the space in which its hyperparameters are searched."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tautune.search_spaces.catalogue import check_hyperparameters
from tautune.search_spaces.defaults import check_defaults, check_points
from tautune.search_spaces.names import check_name, check_study_name
from tautune.search_spaces.space import Space, active, check_space, domain_of, ends
from tautune.trainables.goal import Goal
from tautune.trainables.supervised.data_files import DATA_NAMES
from tautune.trainables.supervised.hyperparameters import (
    NETWORKS,
    TrainingConfig,
    check_network_values,
    check_training_value,
    names_of,
    of_training,
    per_layer,
)
from tautune.trainables.supervised.in_theory import in_theory
from tautune.trainables.supervised.tasks import TASKS, Task

if TYPE_CHECKING:
    from tautune.search_spaces.task_data import AnyData
    from tautune.trainables.supervised.models import Model


@dataclass(frozen=True, kw_only=True)
class TuningStudy:
    """A network to tune: which hyperparameters, within which bounds, and how long by default.

    Raises:
        ValueError: data or model are unknown, neither the training nor the model has such a hyperparameter, or it
            cannot have such values.
    """

    name: str
    description: str
    data: "str | Callable[[], AnyData]"
    """cifar10, digits, fashion_mnist or mnist, or a function that returns an ImageData, a Data, a Series or a Text."""
    model: "str | Model"
    """A name (mlp, cnn …), or a function `(shape, outputs, **hyperparameters)` → network: `shape` is that of one input,
    `outputs` the number of classes, of numbers in a target, of numbers in a forecast or of tokens. A parameter
    `vocabulary` of the function is told how many token ids there are."""
    space: Space
    """Hyperparameter → a Ray Tune domain (`tune.loguniform`, `tune.randint`, `tune.choice` …), a `When` or a value."""
    task: str | Task = "classification"
    """classification, regression, forecasting or language, or a Task of your own."""
    search: str = "hyperopt"
    """The search that is used unless the command names another."""
    scheduler: str = "asha"
    """The scheduler that is used unless the command names another."""
    trials: int = 20
    """Configurations to try by default."""
    max_epochs: int = 20
    """Epochs of a trial at most, by default."""
    validation_share: float = 0.2
    """Share of the training examples that is held out to compare configurations."""
    examples: int | None = None
    """Training examples at most, a fixed stratified part; without it, all that are not held out."""
    normalize: bool = True
    """Whether inputs are brought to mean 0 and standard deviation 1; integers other than bytes never are, nor is what
    a Dataset or an iterable reads."""
    points_to_evaluate: tuple[dict[str, Any], ...] | list[dict[str, Any]] = ()
    """Configurations to try first, or parts of some: what is missing is drawn at random."""
    source: Path | None = None
    """The file of a user's own study."""

    def __post_init__(self) -> None:
        check_study_name(self.name)
        self._check_kinds()
        self._check_defaults()
        own = names_of(self.model)
        check_space(self.space)
        check_points(self.points_to_evaluate, self.space)
        check_hyperparameters(own, self.space)
        for name, entry in self.space.items():
            for value in ends(domain_of(entry)):
                if training := of_training(name):
                    check_training_value(training, value)
                elif isinstance(self.model, str):
                    check_network_values(**{per_layer(name, own)[0]: value})

        if "normalized_rate" in self.space:
            self._check_normalized()

    def _check_normalized(self) -> None:
        if "learning_rate" in self.space:
            raise ValueError("normalized_rate takes the place of learning_rate; the space has both")
        for optimizer in ends(domain_of(self.space.get("optimizer", TrainingConfig.optimizer))):
            in_theory(optimizer, 0.0)

    def _check_kinds(self) -> None:
        if isinstance(self.task, str):
            check_name("task", self.task, tuple(TASKS))
        elif not isinstance(self.task, Task):
            raise ValueError(f"task must be a tautune.Task, or one of {', '.join(TASKS)}, not {_kind(self.task)}")
        elif self.task.name == "classification" and self.task is not TASKS["classification"]:
            raise ValueError("task must not be called classification, as the built-in one is; give it another name")
        if isinstance(self.data, str):
            check_name("data", self.data, DATA_NAMES)
        elif not callable(self.data):
            raise ValueError(f"data must be a function that returns them, or a name, not {_kind(self.data)}")
        if isinstance(self.model, str):
            check_name("model", self.model, NETWORKS)
        elif not callable(self.model) or hasattr(self.model, "parameters") and not isinstance(self.model, type):
            raise ValueError(
                "model must be a function (shape, outputs, **hyperparameters) that returns a network, or a name, "
                f"not {_kind(self.model)}"
            )
        if not isinstance(self.space, dict):
            raise ValueError(f"space must be a dict of hyperparameters, not {_kind(self.space)}")

    def _check_defaults(self) -> None:
        check_defaults(self, ("trials", "max_epochs", *(() if self.examples is None else ("examples",))))
        if not isinstance(self.validation_share, Real) or not 0 < self.validation_share < 1:
            raise ValueError(f"validation_share must be in (0, 1), not {self.validation_share!r}")

    @property
    def of_task(self) -> Task:
        """Returns its task."""
        return TASKS[self.task] if isinstance(self.task, str) else self.task

    @property
    def goal(self) -> Goal:
        """Returns what its trials are compared by."""
        return self.of_task.goal

    def described(self) -> dict[str, Any]:
        """Returns what two runs of the same study must have in common beside the space, as plain JSON."""
        return {
            "data": self.data if isinstance(self.data, str) else "the study's own",
            "model": self.model if isinstance(self.model, str) else "the study's own",
            "validation_share": self.validation_share,
            "normalize": self.normalize,
            **self.of_task.described(),
        }

    def hyperparameters(self, config: dict[str, Any]) -> dict[str, Any]:
        """Returns a search's configuration as a trial takes it: flat, and only with what exists in it."""
        return active(self.space, config)

    def setting(self, values: dict[str, Any]) -> "TuningStudy":
        """Returns the same study with some hyperparameters fixed. Raises ValueError as the study does."""
        return replace(self, space=self.space | values)


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"
