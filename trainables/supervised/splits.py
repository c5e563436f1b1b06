"""Divides training examples into those that train and those that validate, by scikit-learn's splitters."""

import numpy as np
import torch
from torch import Tensor

Split = tuple[Tensor, Tensor]
"""Indices of the training and of the validation examples, int64, ascending."""


def splits(
    targets: Tensor, *, share: float, folds: int = 1, repeats: int = 1, examples: int | None = None, seed: int = 0
) -> list[Split]:
    """Returns `folds` × `repeats` splits, with each class in proportion.

    Args:
        targets: the class of each image [N].
        share: share of the images that validate, in (0, 1); with folds it is 1/folds.
        folds: number of folds of a cross-validation, 2 or more; 1 is a plain split.
        repeats: how often all of it is done, each time in another order.
        examples: how many images train at most, a stratified part; without it, all of them.
        seed: of the random order.

    Raises:
        ValueError: a class has too few images.
    """
    from sklearn.model_selection import (  # takes a second
        RepeatedStratifiedKFold,
        StratifiedShuffleSplit,
        train_test_split,
    )

    classes = targets.cpu().numpy()
    splitter = (
        StratifiedShuffleSplit(n_splits=repeats, test_size=share, random_state=seed)
        if folds == 1
        else RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed)
    )
    if folds > np.bincount(classes)[np.unique(classes)].min():
        raise ValueError(f"folds must be at most {np.bincount(classes).min()}, the images of the rarest class")
    found = []
    for training, validation in splitter.split(np.zeros(len(classes)), classes):
        if examples is not None and examples < len(training):
            few = len(training) - examples < len(np.unique(classes))  # those left out cannot be of every class
            stratify = None if few else classes[training]
            training, _ = train_test_split(training, train_size=examples, random_state=seed, stratify=stratify)
        found.append((torch.from_numpy(np.sort(training)), torch.from_numpy(np.sort(validation))))
    return found


def random_splits(
    number: int, *, share: float, folds: int = 1, repeats: int = 1, examples: int | None = None, seed: int = 0
) -> list[Split]:
    """Returns `folds` × `repeats` random splits of so many examples without classes; the arguments are as in `splits`.

    Raises:
        ValueError: there are too few examples.
    """
    from sklearn.model_selection import RepeatedKFold, ShuffleSplit

    if folds > number or (folds == 1 and number < 2):
        raise ValueError(f"there are {number} examples for {folds} folds" if folds > 1 else "there is only one example")
    splitter = (
        ShuffleSplit(n_splits=repeats, test_size=share, random_state=seed)
        if folds == 1
        else RepeatedKFold(n_splits=folds, n_repeats=repeats, random_state=seed)
    )
    draw = np.random.default_rng(seed)
    found = []
    for training, validation in splitter.split(np.zeros(number)):
        if examples is not None and examples < len(training):
            training = draw.choice(training, examples, replace=False)
        found.append((torch.from_numpy(np.sort(training)), torch.from_numpy(np.sort(validation))))
    return found


def chronological_splits(
    steps: int, *, share: float, folds: int = 1, repeats: int = 1, examples: int | None = None
) -> list[Split]:
    """Returns splits of the steps of a sequence, in each of which those that validate follow those that train.

    With folds they walk forward: each fold validates the steps behind those of the fold before, and trains on all that
    come before its own.

    Args:
        steps: how many steps there are.
        share: share of the steps that validate, the last ones; with folds each is 1/(folds + 1).
        folds: number of folds.
        repeats: must be 1: there is one order of time.
        examples: how many steps train at most, the last ones before those that validate.

    Raises:
        ValueError: there are too few steps, or repeats.
    """
    from sklearn.model_selection import TimeSeriesSplit

    if repeats > 1:
        raise ValueError("repeats must be 1: the order of time is the same one each time")
    if folds == 1:
        first = steps - max(1, round(share * steps))
        pairs = [(np.arange(first), np.arange(first, steps))]
    elif folds >= steps:
        raise ValueError(f"folds must be below {steps}, the number of steps")
    else:
        pairs = list(TimeSeriesSplit(folds).split(np.zeros(steps)))
    cut = slice(None) if examples is None else slice(-examples, None)
    return [(torch.from_numpy(training[cut]), torch.from_numpy(validation)) for training, validation in pairs]
