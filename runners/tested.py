"""What a refitted model predicts of the test examples, one row each beside what is true: for the report."""

from collections.abc import Iterable

import torch
from torch import Tensor

from tautune.runners.tables import Table
from tautune.trainables.supervised.datasets import Images
from tautune.trainables.supervised.supervised_training import SupervisedTraining
from tautune.trainables.supervised.training import outputs_of

FILE = "test_predictions.csv"
MOST_ROWS, MOST_NUMBERS = 5000, 64
"""Examples, and numbers of an example, that are kept at most: it is looked at, and not computed with."""


def predictions_of_test(training: SupervisedTraining, examples: Iterable[Images]) -> Table:
    """Returns the first test examples with their targets and what is predicted of them, in the data's own units.

    The columns are target_1, prediction_1 and so on: of a forecast for each step ahead, with several channels
    target_1.2 for the second channel of the first step.
    """
    targets, outputs, seen = [], [], 0
    with torch.no_grad():
        for output, target in outputs_of(training.model, examples, training.normalize):
            outputs.append(output)
            targets.append(target)
            seen += len(target)
            if seen >= MOST_ROWS:
                break
    true = torch.cat(targets)
    predicted = training.task.predict(training.scale.undone(training.task.shaped(torch.cat(outputs), true)))
    names = _names(true)
    pairs = [name for number in names for name in (f"target_{number}", f"prediction_{number}")]
    both = torch.stack([_flat(true), _flat(predicted)], dim=2)[:MOST_ROWS, : len(names)]
    return Table(pairs, both.flatten(1).double().cpu().tolist())


def _flat(values: Tensor) -> Tensor:
    return values.reshape(len(values), -1).float()


def _names(targets: Tensor) -> list[str]:
    steps, channels = (*targets.shape[1:], 1, 1)[:2]
    every = [f"{s}" if channels == 1 else f"{s}.{c}" for s in range(1, steps + 1) for c in range(1, channels + 1)]
    return every[:MOST_NUMBERS]
