"""Whether some data are of a task, how many outputs its model has, and what a prediction needs to know of them."""

import math
from typing import Any

from tautune.search_spaces.data import Data
from tautune.search_spaces.sequences import Series, Text
from tautune.trainables.supervised.datasets import ImageData, Images
from tautune.trainables.supervised.tasks import TASKS, Task

AnyData = ImageData | Data | Series | Text


def outputs_for(task: Task, data: AnyData) -> int:
    """Returns the second argument of a model's function.

    Raises:
        ValueError: the data are not of the task.
    """
    if (task.name == "forecasting") != isinstance(data, Series) and task.name in TASKS:
        raise ValueError("the task forecasting takes a tautune.Series, and no other built-in task does")
    if isinstance(data, Text) and task.name == "classification":
        raise ValueError("the task classification takes examples with classes; a tautune.Text is for the task language")
    if isinstance(data, ImageData) and task.name != "classification":
        raise ValueError(f"the task {task.name} takes a tautune.Data; an ImageData is for the task classification")
    if task.outputs is not None:
        return task.outputs
    if isinstance(data, Series):
        return data.horizon * data.training.shape[1]
    if isinstance(data, Text) or task.name == "language":
        if data.vocabulary is None:
            raise ValueError("vocabulary must be given with tokens that are no tensors: how many token ids there are")
        return data.vocabulary
    if isinstance(data, ImageData):
        return data.classes
    return _outputs_of(task, data)


def _outputs_of(task: Task, data: Data) -> int:
    some = data.some()
    if task.standardize or some.targets.is_floating_point():
        if task.name == "classification":
            raise ValueError(f"targets must be classes 0, 1, 2 … for the task classification, not {some.targets.dtype}")
        return math.prod(some.targets.shape[1:])
    if not isinstance(data.train, Images):
        if not data.classes and not data.class_names:
            raise ValueError("classes must be given with examples that are no tensors: how many classes there are")
        return data.classes or len(data.class_names)
    return _classes_of(data)


def _classes_of(data: Data) -> int:
    highest = int(data.train.targets.max())
    classes = data.classes or highest + 1
    for name, part in (("training", data.train), ("test", data.test)):
        lowest, most = int(part.targets.min()), int(part.targets.max())
        if lowest < 0 or most >= classes:
            wrong = lowest if lowest < 0 else most
            raise ValueError(f"{name} targets must be classes from 0 to {classes - 1}; there is {wrong}")
    if data.class_names and len(data.class_names) != classes:
        raise ValueError(f"there must be {classes} class names, or none, not {len(data.class_names)}")
    return classes


def told_by(data: AnyData, task: Task) -> dict[str, Any]:
    """Returns what `tautune predict` needs to know of some data: names, the horizon, what the ids of tokens are."""
    if isinstance(data, Series):
        return {"columns": list(data.columns), "horizon": data.horizon}
    if isinstance(data, Text):
        return {"symbols": data.symbols}
    if isinstance(data, Data) and task.name == "language":
        return {"symbols": ""}
    if isinstance(data, Data):
        return {
            "columns": list(data.columns),
            "target_names": list(data.target_names),
            "target_shape": list(data.some().targets.shape[1:]),
        }
    return {}
