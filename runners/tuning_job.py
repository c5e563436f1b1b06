"""What to tune and how, and all of it that can be checked before anything starts."""

import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tautune import search_spaces
from tautune.cluster.session.capacity import holds, largest, node_shapes
from tautune.records.errors import InputError
from tautune.records.storage import Folder
from tautune.records.tuning_folder import FORMAT
from tautune.runners import schedulers as scheduling
from tautune.runners import searches as searching
from tautune.search_spaces.names import check_name
from tautune.search_spaces.space import as_text, combinations, example
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.classifier.data_files import DataError
from tautune.trainables.classifier.datasets import ImageData, load
from tautune.trainables.classifier.hyperparameters import model_part
from tautune.trainables.classifier.models import build
from tautune.trainables.classifier.splits import Split, splits

Json = dict[str, Any]
OPTIONS = (
    "search",
    "scheduler",
    "trials",
    "max_epochs",
    "concurrent",
    "time_budget",
    "folds",
    "repeats",
    "examples",
    "cpus_per_trial",
    "gpus_per_trial",
    "seed",
    "split_seed",
)
"""The fields of a Tuning that are plain numbers and names."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What to search and how; see `tautune tune --help`.

    Raises:
        InputError: search, scheduler and space do not go together.
    """

    study: TuningStudy
    search: str
    scheduler: str
    trials: int
    max_epochs: int
    concurrent: int | None = None
    time_budget: float | None = None
    """Seconds."""
    folds: int = 1
    repeats: int = 1
    examples: int | None = None
    cpus_per_trial: float = 1
    gpus_per_trial: float = 0
    seed: int = 0
    """Of the search and of the initial weights."""
    split_seed: int = 0
    """Of the splits: runs of several seeds are compared on the same images."""
    data_dir: Path | None = None
    fixed: Json = field(default_factory=dict)
    """What --set fixed of the study's space; the study has it already."""

    def __post_init__(self) -> None:
        try:
            check_name("--search", self.search, searching.SEARCHES)
            check_name("--scheduler", self.scheduler, scheduling.SCHEDULERS)
        except ValueError as error:
            raise InputError(str(error)) from None
        searching.check_search(self.search, self.study.space)
        scheduling.check_scheduler(self.scheduler, self.search, self.study.space)

    @property
    def device(self) -> str:
        return "cuda" if self.gpus_per_trial else "cpu"

    @property
    def resources(self) -> dict[str, float]:
        """A trial's."""
        return {"CPU": self.cpus_per_trial, "GPU": self.gpus_per_trial}

    @property
    def samples(self) -> int:
        """Trials: a grid has as many as it has combinations."""
        return len(combinations(self.study.space)) if self.search == "grid" else self.trials

    def configuration(self) -> Json:
        """All of it as plain JSON, for run.json, and what a later `resume` compares its study with."""
        study = self.study
        return {
            "kind": "tuning",
            "format": FORMAT,
            "study": str(study.source or study.name),
            "data": study.data if isinstance(study.data, str) else "the study's own",
            "model": study.model if isinstance(study.model, str) else "the study's own",
            "space": {name: as_text(entry) for name, entry in study.space.items()},
            "validation_share": study.validation_share,
            "normalize": study.normalize,
            **{name: getattr(self, name) for name in OPTIONS},
            "data_dir": str(self.data_dir) if self.data_dir else None,
            "set": self.fixed,
        }


def tuning_of(run: Json, folder: Folder) -> Tuning:
    """The tuning that wrote a folder's run.json.

    Raises:
        InputError: its study is not there any more, or is another one now.
    """
    kept = run["configuration"]
    try:
        study = search_spaces.find_tuning(kept["study"]).setting(kept["set"])
    except ValueError as error:
        raise InputError(f"{folder} is a tuning of the study {kept['study']}: {error}") from error
    tuning = Tuning(
        study=study,
        fixed=kept["set"],
        data_dir=Path(kept["data_dir"]) if kept["data_dir"] else None,
        **{name: kept[name] for name in OPTIONS},
    )
    now_is = tuning.configuration()
    differing = [name for name in kept if now_is.get(name) != kept[name]]
    if differing:
        raise InputError(
            f"{folder} was tuned with another version of the study {kept['study']}: its {differing[0]} was "
            f"{kept[differing[0]]}, and is {now_is.get(differing[0])}"
        )
    return tuning


def load_data(study: TuningStudy, data_dir: Path | None) -> ImageData:
    """The study's data. Raises InputError if they are not to be had, or if a user's own function raises."""
    if callable(study.data):
        try:
            data = study.data()
        except Exception as error:
            message = f"{study.source}: its data: {type(error).__name__}: {error}"
            raise InputError(f"{traceback.format_exc()}{message}") from None
        if not isinstance(data, ImageData):
            raise InputError(f"{study.source}: its data must be an ImageData, not {type(data).__name__}")
        return data
    try:
        return load(study.data, data_dir)
    except DataError as error:
        raise InputError(str(error)) from None


def try_model(study: TuningStudy, data: ImageData) -> None:
    """Builds one network of the space. Raises InputError, after its own traceback, if that raises."""
    own = model_part(example(study.space))
    try:
        with torch.random.fork_rng(devices=[]):
            build(study.model, data.train.shape, data.classes, own)
    except Exception as error:
        values = ", ".join(f"{name}={value}" for name, value in own.items())
        message = f"the model of {study.name} cannot be built with {values}: {type(error).__name__}: {error}"
        raise InputError(f"{traceback.format_exc()}{message}" if study.source else message) from None


def check_feasible(tuning: Tuning) -> None:
    """Raises InputError if no node can hold a trial, nor one that may be started: it would stay pending for ever."""
    wanted, shapes = tuning.resources, node_shapes()
    if not any(holds(shape, wanted) for shape in shapes):
        most = largest(shapes, wanted)
        raise InputError(
            f"a trial asks for {wanted['CPU']:g} CPU and {wanted['GPU']:g} GPU; the largest node has "
            f"{most['CPU']:g} CPU and {most['GPU']:g} GPU: lower --cpus-per-trial or --gpus-per-trial"
        )


def make_splits(tuning: Tuning, data: ImageData) -> list[Split]:
    """Raises InputError if the images cannot be divided as asked for."""
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
