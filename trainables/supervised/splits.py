"""Divides training images into those that train and those that validate, by scikit-learn's stratified splitters."""

import numpy as np
import torch
from torch import Tensor

Split = tuple[Tensor, Tensor]
"""Indices of the training and of the validation images, int64, ascending."""


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
