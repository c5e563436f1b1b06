"""A tuning's data and model, tried before Ray starts."""

import traceback
from pathlib import Path
from typing import Any

import torch

from tautune.records.errors import InputError, user_input
from tautune.runners.tuning_job import Tuning
from tautune.search_spaces.data import Data
from tautune.search_spaces.sequences import Series, Text
from tautune.search_spaces.space import domain_of, ends, example, variants
from tautune.search_spaces.task_data import AnyData, outputs_for
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.asynchronous.cutting import cut
from tautune.trainables.supervised.data_files import DataError
from tautune.trainables.supervised.datasets import ImageData, Images, load
from tautune.trainables.supervised.hyperparameters import WINDOW, model_part, of_training, training_config
from tautune.trainables.supervised.models import build
from tautune.trainables.supervised.normalization import Normalization
from tautune.trainables.supervised.penalties import check_penalties
from tautune.trainables.supervised.sources import Numbered, source_of
from tautune.trainables.supervised.splits import Split, chronological_splits, random_splits, splits
from tautune.trainables.supervised.steps import Steps
from tautune.trainables.supervised.streams import Streams


def load_data(study: TuningStudy, data_dir: Path | None) -> AnyData:
    """Returns the study's data.

    Raises:
        InputError: there are none, they are not of the study's task, or the user's own function raises; the message
            then begins with its traceback.
    """
    data = _own_data(study) if callable(study.data) else _built_in(study.data, data_dir)
    try:
        outputs_for(study.of_task, data)
    except ValueError as error:
        raise InputError(f"{_where(study)}: its data: {error}") from None
    return data


def _own_data(study: TuningStudy) -> AnyData:
    assert callable(study.data)
    try:
        data = study.data()
    except DataError as error:  # it says all that is needed
        raise InputError(str(error)) from None
    except (Exception, SystemExit) as error:
        message = f"{_where(study)}: its data: {type(error).__name__}: {error}"
        raise InputError(f"{traceback.format_exc()}{message}") from None
    if not isinstance(data, AnyData):
        kinds = "an ImageData, a Data, a Series or a Text"
        raise InputError(f"{_where(study)}: its data must be {kinds}, not {type(data).__name__}")
    return data


def _built_in(name: str, data_dir: Path | None) -> ImageData:
    try:
        return load(name, data_dir)
    except DataError as error:
        raise InputError(str(error)) from None


def _where(study: TuningStudy) -> str:
    return str(study.source or f"the study {study.name}")


def try_model(study: TuningStudy, data: AnyData) -> None:
    """Builds one network of the space; for a task other than classification, it is given a few examples.

    Raises:
        InputError: that fails; if code of the user's own is at fault, the message begins with its traceback.
    """
    config = example(study.space)
    own, task = model_part(config), study.of_task
    values = ", ".join(f"{name}={value}" for name, value in own.items())
    cannot = f"cannot be built with {values}"
    try:
        with torch.random.fork_rng(devices=[]):
            source = source_of(data.train, (torch.arange(len(data.train)), torch.arange(0)), window=config.get(WINDOW))
            outputs = outputs_for(task, data)
            model = build(study.model, source.shape, outputs, own, vocabulary=data.vocabulary)
            if task.described():
                cannot = f"or the loss does not take the data with {values}" if values else "or the loss fails"
                some = _some(data, source)
                inputs = source.normalization(wanted=study.normalize)(some.pixels)
                scale = source.scale() if task.standardize else Normalization.none()
                task.loss(task.shaped(model(inputs).float(), some.targets), scale(some.targets)).backward()
    except (Exception, SystemExit) as error:
        message = f"the model of {study.name} {cannot}: {type(error).__name__}: {error}"
        raise InputError(f"{traceback.format_exc()}{message}" if callable(study.model) else message) from None
    with user_input():
        check_penalties(model, training_config(config))


def try_models(tuning: Tuning, data: AnyData) -> None:
    """Raises InputError if networks of a tuning's space cannot be built, or not be trained by workers or stages."""
    assert isinstance(tuning.study, TuningStudy)
    if tuning.places and isinstance(data.train, Streams) and None in map(data.train.length, range(len(data.train))):
        raise InputError(f"{tuning.places.noun}s need iterables that know their length: give theirs a __len__")
    try_model(tuning.study, data)
    if tuning.stages:
        check_cut(tuning.study, data, tuning.stages.count)


def check_cut(study: TuningStudy, data: AnyData, stages: int) -> None:
    """Raises InputError if networks of a space cannot be cut into so many stages.

    The networks are those at the ends and choices of each hyperparameter of the model.
    """
    names, cut_well, misfits = [name for name in study.space if not of_training(name)], False, list[str]()
    for config in variants(study.space, names):
        own = model_part(config)
        try:
            with torch.random.fork_rng(devices=[]):
                source = source_of(data.train, (torch.arange(0), torch.arange(0)), window=config.get(WINDOW))
                outputs = outputs_for(study.of_task, data)
                model = build(study.model, source.shape, outputs, own, vocabulary=data.vocabulary)
        except (Exception, SystemExit):
            continue  # what a trial with it comes to, is told then
        try:
            cut(model, stages)
            cut_well = True
        except ValueError as error:
            values = ", ".join(f"{name}={value}" for name, value in own.items())
            misfits.append(f"the model of {study.name}{f' with {values}' if values else ''}: {error}")
    if misfits:
        hint = "; others of its space can be: fix what they differ in with --set (fixed=…)" if cut_well else ""
        raise InputError(f"{misfits[0]}{hint}")


def _some(data: AnyData, source: Any) -> Images:
    """Returns a few examples of the training part."""
    if isinstance(data, Data):
        return data.some()
    assert isinstance(source, Numbered)
    return next(iter(source.training_pass(8, torch.Generator(), epoch=0, drop_single=False).batches))


def make_splits(tuning: Tuning, data: AnyData) -> list[Split]:
    """Returns the divisions of the training examples. Raises InputError if they cannot be divided as asked for."""
    study = tuning.study
    assert isinstance(study, TuningStudy)
    try:
        found = _splits(tuning, study, data)
        if isinstance(data, Series | Text):
            windows = ends(domain_of(study.space[WINDOW])) if WINDOW in study.space else [None]
            for training, validation in found:
                for window in windows:
                    data.train.cut(window).check_division(training, validation)
        elif WINDOW in study.space and isinstance(study.model, str):
            raise ValueError("window is a hyperparameter of a Series or a Text, and its data are neither")
        elif isinstance(data.train, Streams):
            _check_streamed(tuning, study)
    except ValueError as error:
        raise InputError(f"the {_noun(data)} of {study.name} cannot be divided so: {error}") from None
    return found


def _check_streamed(tuning: Tuning, study: TuningStudy) -> None:
    """Raises ValueError if iterables are asked for what only examples with numbers can do."""
    if "batch_size" in study.space:
        raise ValueError("batch_size must be left out: an iterable brings its own batches")
    if tuning.examples is not None:
        raise ValueError("examples must be left out: an iterable is passed over as a whole")


def _noun(data: AnyData) -> str:
    return "images" if isinstance(data, ImageData) else "steps" if isinstance(data.train, Steps) else "examples"


def _splits(tuning: Tuning, study: TuningStudy, data: AnyData) -> list[Split]:
    share, folds, repeats, examples = study.validation_share, tuning.folds, tuning.repeats, tuning.examples
    if isinstance(data, Text) and data.division:
        return [_given(data.division, folds, repeats, examples)]
    if isinstance(data, Series | Text):
        return chronological_splits(len(data.train), share=share, folds=folds, repeats=repeats, examples=examples)
    if isinstance(data, Data) and data.division:
        return [_given(data.division, folds, repeats, examples)]
    seed = tuning.split_seed
    if study.of_task.hits and isinstance(data.train, Images):
        targets = data.train.targets
        return splits(targets, share=share, folds=folds, repeats=repeats, examples=examples, seed=seed)
    assert not isinstance(data.train, Streams)
    return random_splits(len(data.train), share=share, folds=folds, repeats=repeats, examples=examples, seed=seed)


def _given(division: Split, folds: int, repeats: int, examples: int | None) -> Split:
    """Returns the division that the data come with, with the last `examples` to train on.

    Raises:
        ValueError: another division is asked for.
    """
    for name, number in (("folds", folds), ("repeats", repeats)):
        if number > 1:
            raise ValueError(f"{name} must be left out: the data come with validation examples of their own")
    training, validation = division
    return (training if examples is None else training[-examples:]), validation
