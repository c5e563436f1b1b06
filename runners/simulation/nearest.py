"""The space that a simulated search is given, and which training of the table stands for what it suggests."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from ray import tune

from tautune.runners.simulation.table import Column, Config, Table, Training
from tautune.search_spaces.space import Space


def space_of(table: Table) -> Space:
    """Returns the space that the table's columns span: values as they are, choices, and ranges from end to end."""
    return {name: _domain(column) for name, column in table.columns.items()}


def _domain(column: Column) -> Any:
    low, high = column.values[0], column.values[-1]
    if column.kind == "value":
        return low
    if column.kind == "choice":
        return tune.choice(list(column.values))
    if column.kind == "integers":
        return (tune.lograndint if column.is_logarithmic else tune.randint)(low, high + 1)
    return (tune.loguniform if column.is_logarithmic else tune.uniform)(low, high)


class Nearest:
    """Finds the training whose configuration is the nearest to a suggested one.

    The distance is Gower's (Biometrics 27, 1971): the mean, over the hyperparameters which the training has, of
    |x − y| / (largest − smallest) for a range, in logarithms where its scale is logarithmic, and of 0 or 1 for a choice
    that agrees or not. Of equally near ones, the first is taken.
    """

    def __init__(self, table: Table) -> None:
        self.trainings = table.trainings
        self.columns = {name: column for name, column in table.columns.items() if column.kind != "value"}
        self._known = {_key(training.config): training for training in reversed(table.trainings)}
        self._has = self._of_all(lambda name, config: name in config).astype(bool)
        self._places = self._of_all(self._place)

    def __call__(self, config: Config) -> Training:
        """Returns the nearest training."""
        if (known := self._known.get(_key(config))) is not None:
            return known
        asked = np.array([self._place(name, config) for name in self.columns])
        apart = np.abs(self._places - asked)
        choices = np.array([column.kind == "choice" for column in self.columns.values()])
        apart = np.where(choices, apart > 0, np.minimum(apart, 1)) * self._has
        return self.trainings[int(np.argmin(apart.sum(axis=1) / np.maximum(self._has.sum(axis=1), 1)))]

    def _of_all(self, value: Any) -> NDArray[np.float64]:
        """Returns the value of every hyperparameter of every training [N, D]."""
        rows = [[float(value(name, training.config)) for name in self.columns] for training in self.trainings]
        return np.array(rows).reshape(len(self.trainings), len(self.columns))

    def _place(self, name: str, config: Config) -> float:
        """Returns where a value lies: from 0 to 1 in a range, the number of a choice, −1 where there is none."""
        column = self.columns[name]
        if name not in config:
            return -1.0
        if column.kind == "choice":
            return float(next((i for i, value in enumerate(column.values) if value == config[name]), -2))
        ends = np.array([column.values[0], config[name], column.values[-1]], dtype=float)
        low, value, high = np.log(ends) if column.is_logarithmic else ends
        return float((value - low) / (high - low))


def _key(config: Config) -> str:
    return repr(sorted(config.items()))
