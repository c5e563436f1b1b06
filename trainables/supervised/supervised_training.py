"""A network in training, which tuning and refitting share; it works without Ray."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tautune.trainables.supervised.gradient import normalizes_batches
from tautune.trainables.supervised.hyperparameters import MUTABLE, model_part, training_config
from tautune.trainables.supervised.models import Model, build
from tautune.trainables.supervised.normalization import Normalization
from tautune.trainables.supervised.optimizers import make_optimizer
from tautune.trainables.supervised.penalties import check_penalties
from tautune.trainables.supervised.schedules import factor
from tautune.trainables.supervised.sources import Source
from tautune.trainables.supervised.tasks import CLASSIFICATION, Task
from tautune.trainables.supervised.training import (
    Epoch,
    Evaluation,
    evaluate,
    train_epoch,
)

Config = dict[str, Any]


class SupervisedTraining:
    """A model, its optimizer behind a gradient queue, and the normalization by the training examples.

    Args:
        model: a name of `tautune.trainables.supervised.models.MODELS`, or a function like those.
        config: the hyperparameters of training and of the model together.
        source: the batches to train on, and those that validate.
        outputs: how many outputs the model has: classes, for one.
        horizon: epochs of the whole training, over which the learning-rate schedule goes.
        seed: of the initial weights, of dropout and of the order of the examples.
        device: where to train.
        task: what the model is trained for.
        normalize: whether inputs are normalized; tokens never are.
        vocabulary: how many token ids there are, which a model's function is told that asks for it.
    """

    def __init__(
        self,
        model: str | Model,
        config: Config,
        source: Source,
        *,
        outputs: int,
        horizon: int,
        seed: int,
        device: torch.device | str = "cpu",
        task: Task = CLASSIFICATION,
        normalize: bool = True,
        vocabulary: int | None = None,
    ) -> None:
        torch.manual_seed(seed)
        self.device, self.seed = torch.device(device), seed
        self.config = training_config(config)
        self.source, self.task = source, task
        self.normalize = source.normalization(wanted=normalize).to(device)
        self.scale = (source.scale() if task.standardize else Normalization.none()).to(device)
        self.model = build(model, source.shape, outputs, model_part(config), vocabulary=vocabulary).to(device)
        check_penalties(self.model, self.config)
        self.order = torch.Generator().manual_seed(seed)
        self.optimizer = make_optimizer(self.model.parameters(), self.config)
        self.horizon = min(horizon, self.config.epochs or horizon)
        self.epochs = self.steps = 0
        self.history: list[Config] = []
        """The mutable hyperparameters, each with the epoch from which it held, also those of an inherited training."""

    def train_epoch(self) -> Epoch:
        """Trains for one more epoch."""
        self.remember()
        self.model.train()
        batches = self.source.training_pass(
            self.config.batch_size, self.order, epoch=self.epochs, drop_single=normalizes_batches(self.model)
        )
        epoch = train_epoch(
            self.model,
            self.optimizer,
            batches,
            self.normalize,
            self.config,
            generator=self.order,
            done=self.epochs / self.horizon,
            share=1 / self.horizon,
            task=self.task,
            scale=self.scale,
        )
        self.epochs += 1
        self.steps += epoch.steps
        return epoch

    def rate_at(self, step: int, number: int) -> float:
        """Returns the learning rate of a step of the next epoch, of so many."""
        done, one = (self.epochs + step / number) / self.horizon, 1 / (self.horizon * number)
        return self.config.learning_rate * factor(self.config.schedule, done, warmup=self.config.warmup, step=one)

    def remember(self) -> None:
        """Enters the mutable hyperparameters into the history, where they are others than before."""
        now = {name: getattr(self.config, name) for name in MUTABLE}
        if not self.history or any(self.history[-1][name] != now[name] for name in MUTABLE):
            self.history.append({"epoch": self.epochs} | now)

    def lengthen(self, epochs: int) -> None:
        """Makes the whole training so many epochs longer."""
        self.horizon += epochs

    def close(self) -> None:
        """Does nothing: all of it is in this process."""

    def change(self, values: Config) -> None:
        """Sets other mutable hyperparameters from the next epoch on; the optimizer keeps its state.

        A shift stays too: workers have given it as many steps as they are late, which no hyperparameter says.
        """
        self.config = replace(self.config, **values)
        fresh = make_optimizer(self.model.parameters(), self.config)
        for group, settings in zip(self.optimizer.param_groups, fresh.param_groups, strict=True):
            group.update({name: value for name, value in settings.items() if name not in ("params", "shift")})

    def validate(self) -> Evaluation:
        """Returns how good the model is on the validation examples."""
        return evaluate(self.model, self.source.validation(), self.normalize, self.task, self.scale)

    @property
    def worst(self) -> float:
        """Returns the task's metric of a training that diverged, in the targets' unit."""
        unit = float(self.scale.deviation.mean()) if self.scale.deviation.numel() else 1.0
        return self.task.worst * unit

    def state_dict(self) -> dict[str, Any]:
        """Returns all that a training needs to continue bit for bit, the state of torch's generators included."""
        target = {"target_mean": self.scale.mean, "target_deviation": self.scale.deviation}
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "order": self.order.get_state(),
            "dropout": _generators(self.device),
            "epochs": self.epochs,
            "steps": self.steps,
            "history": self.history,
            "mean": self.normalize.mean,
            "deviation": self.normalize.deviation,
            **(target if self.task.standardize else {}),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from a state; the learning rate and the momentum stay this training's own.

        So population-based training can continue one trial from the state of another.
        """
        self.model.load_state_dict(state["model"])
        own = [{k: v for k, v in group.items() if k != "params"} for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(state["optimizer"])
        for group, settings in zip(self.optimizer.param_groups, own, strict=True):
            group.update(settings)
        self.order.set_state(state["order"].cpu())
        torch.set_rng_state(state["dropout"][0].cpu())
        if self.device.type == "cuda" and len(state["dropout"]) > 1:
            torch.cuda.set_rng_state(state["dropout"][1].cpu(), self.device)
        self.epochs, self.steps = state["epochs"], state["steps"]
        self.history = [dict(entry) for entry in state["history"]]
        self.normalize = replace(self.normalize, mean=state["mean"], deviation=state["deviation"]).to(self.device)
        if "target_mean" in state:
            scale = replace(self.scale, mean=state["target_mean"], deviation=state["target_deviation"])
            self.scale = scale.to(self.device)


def _generators(device: torch.device) -> list[Tensor]:
    states = [torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state(device)] if device.type == "cuda" else states
