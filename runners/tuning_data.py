"""A tuning's data and model, tried before Ray starts."""

import traceback
from pathlib import Path

import torch

from tautune.records.errors import InputError
from tautune.runners.tuning_job import Tuning
from tautune.search_spaces.space import example
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.supervised.data_files import DataError
from tautune.trainables.supervised.datasets import ImageData, load
from tautune.trainables.supervised.hyperparameters import model_part
from tautune.trainables.supervised.models import build
from tautune.trainables.supervised.splits import Split, splits


def load_data(study: TuningStudy, data_dir: Path | None) -> ImageData:
    """Returns the study's data.

    Raises:
        InputError: there are none, or the user's own function raises; the message then begins with its traceback.
    """
    if callable(study.data):
        where = study.source or f"the study {study.name}"
        try:
            data = study.data()
        except (Exception, SystemExit) as error:
            message = f"{where}: its data: {type(error).__name__}: {error}"
            raise InputError(f"{traceback.format_exc()}{message}") from None
        if not isinstance(data, ImageData):
            raise InputError(f"{where}: its data must be an ImageData, not {type(data).__name__}")
        return data
    try:
        return load(study.data, data_dir)
    except DataError as error:
        raise InputError(str(error)) from None


def try_model(study: TuningStudy, data: ImageData) -> None:
    """Builds one network of the space.

    Raises:
        InputError: that fails; if the model is the user's own, the message begins with its traceback.
    """
    own = model_part(example(study.space))
    try:
        with torch.random.fork_rng(devices=[]):
            build(study.model, data.train.shape, data.classes, own)
    except (Exception, SystemExit) as error:
        values = ", ".join(f"{name}={value}" for name, value in own.items())
        message = f"the model of {study.name} cannot be built with {values}: {type(error).__name__}: {error}"
        raise InputError(f"{traceback.format_exc()}{message}" if callable(study.model) else message) from None


def make_splits(tuning: Tuning, data: ImageData) -> list[Split]:
    """Returns the divisions of the training images. Raises InputError if they cannot be divided as asked for."""
    assert isinstance(tuning.study, TuningStudy)
    try:
        return splits(
            data.train.targets,
            share=tuning.study.validation_share,
            folds=tuning.folds,
            repeats=tuning.repeats,
            examples=tuning.examples,
            seed=tuning.split_seed,
        )
    except ValueError as error:
        raise InputError(f"the images of {tuning.study.name} cannot be divided so: {error}") from None
