"""A classifier in training, which tuning and refitting share; it works without Ray."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tautune.trainables.supervised.datasets import Images
from tautune.trainables.supervised.hyperparameters import MUTABLE, TRAINING_NAMES, TrainingConfig, model_part
from tautune.trainables.supervised.models import Model, build
from tautune.trainables.supervised.normalization import Normalization
from tautune.trainables.supervised.splits import Split
from tautune.trainables.supervised.training import (
    Epoch,
    evaluate,
    make_optimizer,
    train_epoch,
)

Config = dict[str, Any]


class SupervisedTraining:
    """A model, its optimizer behind a gradient queue, and the normalization by the training images.

    Args:
        model: a name of `tautune.trainables.supervised.models.MODELS`, or a function like those.
        config: the hyperparameters of training and of the model together.
        images: all images, on the device to train on.
        split: numbers the images to train on, and those that validate.
        classes: how many classes there are.
        horizon: epochs of the whole training, over which the learning-rate schedule goes.
        seed: of the initial weights, of dropout and of the order of the images.
        normalize: whether inputs are normalized; tokens never are.
    """

    def __init__(
        self,
        model: str | Model,
        config: Config,
        images: Images,
        split: Split,
        *,
        classes: int,
        horizon: int,
        seed: int,
        normalize: bool = True,
    ) -> None:
        torch.manual_seed(seed)
        device = images.targets.device
        self.config = TrainingConfig(**{name: value for name, value in config.items() if name in TRAINING_NAMES})
        self.images, (self.indices, validation) = images, split
        self.validation = images[validation.to(device)]
        self.normalize = Normalization.of(images.pixels[self.indices.to(device)], wanted=normalize).to(device)
        self.model = build(model, images.shape, classes, model_part(config)).to(device)
        self.order = torch.Generator().manual_seed(seed)
        self.optimizer = make_optimizer(self.model.parameters(), self.config)
        self.horizon = min(horizon, self.config.epochs or horizon)
        self.epochs = self.steps = 0
        self.history: list[Config] = []
        """The mutable hyperparameters, each with the epoch from which it held, also those of an inherited training."""

    def train_epoch(self) -> Epoch:
        """Trains for one more epoch."""
        now = {name: getattr(self.config, name) for name in MUTABLE}
        if not self.history or any(self.history[-1][name] != now[name] for name in MUTABLE):
            self.history.append({"epoch": self.epochs} | now)
        epoch = train_epoch(
            self.model,
            self.optimizer,
            self.images,
            self.indices,
            self.normalize,
            self.config,
            generator=self.order,
            done=self.epochs / self.horizon,
            share=1 / self.horizon,
        )
        self.epochs += 1
        self.steps += epoch.steps
        return epoch

    def change(self, values: Config) -> None:
        """Sets other mutable hyperparameters from the next epoch on; the optimizer keeps its state."""
        self.config = replace(self.config, **values)
        fresh = make_optimizer(self.model.parameters(), self.config)
        for group, settings in zip(self.optimizer.param_groups, fresh.param_groups, strict=True):
            group.update({name: value for name, value in settings.items() if name != "params"})

    def validate(self) -> tuple[float, float]:
        """Returns (mean loss, accuracy) of the validation images."""
        return evaluate(self.model, self.validation, self.normalize)

    def state_dict(self) -> dict[str, Any]:
        """Returns all that a training needs to continue bit for bit, the state of torch's generators included."""
        device = self.normalize.mean.device
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "order": self.order.get_state(),
            "dropout": _generators(device),
            "epochs": self.epochs,
            "steps": self.steps,
            "history": self.history,
            "mean": self.normalize.mean,
            "deviation": self.normalize.deviation,
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
        device = self.normalize.mean.device
        if device.type == "cuda" and len(state["dropout"]) > 1:
            torch.cuda.set_rng_state(state["dropout"][1].cpu(), device)
        self.epochs, self.steps = state["epochs"], state["steps"]
        self.history = [dict(entry) for entry in state["history"]]
        self.normalize = Normalization(state["mean"], state["deviation"]).to(device)


def _generators(device: torch.device) -> list[Tensor]:
    states = [torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state(device)] if device.type == "cuda" else states
