"""A refitted model, ready to predict with the normalization that it was trained with."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tautune.records.errors import InputError
from tautune.records.storage import Folder
from tautune.runners.model_file import read_model
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.supervised.hyperparameters import NETWORKS, model_part
from tautune.trainables.supervised.models import Model, build
from tautune.trainables.supervised.normalization import Normalization
from tautune.trainables.supervised.tasks import CLASSIFICATION, TASKS, Task

Json = dict[str, Any]


@dataclass(frozen=True)
class Refitted:
    """The network of a model.pt, in eval mode."""

    path: Folder
    """The file."""
    kept: Json
    """What the file holds."""
    network: nn.Module
    task: Task
    normalize: Normalization
    scale: Normalization

    @classmethod
    def of(cls, folder: Folder, kept: Json, *, study: TuningStudy | None = None, model: Any = None) -> "Refitted":
        """Returns the model that was read from a folder's model.pt.

        Args:
            study: gives a model and a task that are not built in: what the folder names is not run.
            model: the same model alone.

        Raises:
            InputError: the model or the task is not built in and was not given, or does not fit.
        """
        task = _task_of(kept, folder, study)
        given = model or (study.model if study else None) or _model_of(kept, folder)
        config, vocabulary = model_part(kept["config"]), kept.get("vocabulary")
        try:
            network = build(given, tuple(kept["shape"]), kept["classes"], config, vocabulary=vocabulary)
            network.load_state_dict(kept["training"]["model"])
        except (Exception, SystemExit) as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            trained = kept["configuration"]["study"]
            raise InputError(
                f"{folder / 'model.pt'} does not fit the model of the study: {reason}; it was trained with {trained}"
            ) from None
        training, last = kept["training"], "horizon" in kept.get("task", {})
        normalize = Normalization(training["mean"], training["deviation"], last)
        nothing = Normalization.none()
        mean, deviation = training.get("target_mean", nothing.mean), training.get("target_deviation", nothing.deviation)
        return cls(folder / "model.pt", kept, network.eval(), task, normalize, Normalization(mean, deviation, last))

    @torch.no_grad()
    def outputs(self, inputs: Iterable[Tensor]) -> Tensor:
        """Returns the outputs for batches of inputs [n, *shape]."""
        return torch.cat([self.network(self.normalize(batch)).float() for batch in inputs])


def read_refitted(folder: Folder, *, study: TuningStudy | None) -> Refitted:
    """Returns the model in a folder. Raises InputError as `read_model` and `Refitted.of` do."""
    return Refitted.of(folder, read_model(folder / "model.pt"), study=study)


def _task_of(kept: Json, folder: Folder, study: TuningStudy | None) -> Task:
    name = kept["task"]["name"] if "task" in kept else CLASSIFICATION.name
    if study is not None and study.of_task.name == name:
        return study.of_task
    if name not in TASKS:
        raise InputError(f"{folder} has a model of a task of its study's own; name the study: --study (study=…)")
    return TASKS[name]


def _model_of(kept: Json, folder: Folder) -> str | Model:
    study, model = kept["configuration"]["study"], kept["configuration"]["model"]
    if model in NETWORKS:
        return str(model)
    if study.endswith(".py"):
        raise InputError(
            f"the model in {folder} belongs to the study {study}, whose code runs only when you name it: "
            f"--study {study} (in Python: study=…)"
        )
    raise InputError(f"{folder} has a model of the study {study!r}, which came from Python; give study=…")
