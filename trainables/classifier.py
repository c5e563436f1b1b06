"""The tuner's Ray Tune trainable: one classifier, one configuration, an epoch a step."""

import math
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ray import tune

from trainables.datasets import Images, Normalization
from trainables.models import MODELS
from trainables.training import TRAINING_NAMES, Epoch, TrainingConfig, evaluate, make_optimizer, train_epoch

Config = dict[str, Any]
DIVERGED_VALIDATION_LOSS = 1e3
"""What a diverged trial reports: finite, so that schedulers and searchers learn from it, and worse than any loss."""


class Classifier:
    """A model in training: without Ray, so that refitting and tests use the very code that trials run."""

    def __init__(
        self,
        model: str,
        config: Config,
        training: Images,
        normalize: Normalization,
        *,
        classes: int,
        device: str,
        seed: int = 0,
    ) -> None:
        torch.manual_seed(seed)
        own = {name: value for name, value in config.items() if name not in TRAINING_NAMES}
        self.training = training.to(device)
        self.normalize = normalize.to(device)
        self.model = MODELS[model](training.shape, classes, **own).to(device)
        self.order = torch.Generator().manual_seed(seed)
        self.config = TrainingConfig(**{name: value for name, value in config.items() if name in TRAINING_NAMES})
        c = self.config
        self.optimizer = make_optimizer(
            c.optimizer,
            self.model.parameters(),
            learning_rate=c.learning_rate,
            momentum=c.momentum,
            delay=c.delay,
        )
        self.epochs = 0

    def train_epoch(self) -> Epoch:
        c = self.config
        epoch = train_epoch(
            self.model,
            self.optimizer,
            self.training,
            self.normalize,
            batch_size=c.batch_size,
            generator=self.order,
            l1=c.l1,
            l2=c.l2,
        )
        self.epochs += 1
        return epoch

    def evaluate(self, images: Images) -> tuple[float, float]:
        """(mean loss, accuracy)"""
        return evaluate(self.model, images, self.normalize)

    def state_dict(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "order": self.order.get_state(),
            "epochs": self.epochs,
            "mean": self.normalize.mean,
            "deviation": self.normalize.deviation,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from another trial's state too, with this one's learning rate and momentum (as PBT does)."""
        self.model.load_state_dict(state["model"])
        own = [{k: v for k, v in group.items() if k != "params"} for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(state["optimizer"])
        for group, settings in zip(self.optimizer.param_groups, own, strict=True):
            group.update(settings)
        self.order.set_state(state["order"].cpu())
        self.epochs = state["epochs"]
        self.normalize = Normalization(state["mean"], state["deviation"]).to(self.normalize.mean.device)


class ClassifierTrial(tune.Trainable):
    """Config: the hyperparameters. The rest, the same for every trial, comes through `tune.with_parameters`.

    Args of `setup`: data (numpy arrays of the training images alone, shared through the object store), split (indices
    of training and validation images), model, max_epochs, device, seed, threads.
    """

    def setup(self, config: Config, **shared: Any) -> None:
        self.shared = shared
        torch.set_num_threads(shared["threads"])
        pixels, targets = (_as_tensor(array) for array in shared["data"])
        images = Images(pixels, targets).to(shared["device"])
        training, validation = (torch.from_numpy(indices.copy()) for indices in shared["split"])
        self.training, self.validation = images[training], images[validation]
        self.normalize = Normalization.of(self.training)
        self.classes = int(images.targets.max()) + 1
        self.reset_config(config)

    def reset_config(self, new_config: Config) -> bool:
        """Begins anew with other hyperparameters; the data stay."""
        s = self.shared
        self.classifier = Classifier(
            s["model"],
            new_config,
            self.training,
            self.normalize,
            classes=self.classes,
            device=s["device"],
            seed=s["seed"],
        )
        self.best = 0.0
        self.last_loss = 0.0
        return True

    def step(self) -> dict[str, Any]:
        begun = time.perf_counter()
        epoch = self.classifier.train_epoch()
        seconds = time.perf_counter() - begun
        loss, accuracy = self.classifier.evaluate(self.validation)
        diverged = epoch.diverged or not math.isfinite(loss)
        if epoch.steps:
            self.last_loss = epoch.loss
        if diverged:
            loss, accuracy = DIVERGED_VALIDATION_LOSS, 0.0
        self.best = max(self.best, accuracy)
        return {
            "training_loss": self.last_loss,
            "training_accuracy": epoch.accuracy,
            "validation_loss": min(loss, DIVERGED_VALIDATION_LOSS),
            "validation_accuracy": accuracy,
            "best_validation_accuracy": self.best,
            "epochs": self.classifier.epochs,
            "epoch_seconds": seconds,
            "examples_per_second": len(self.training) / seconds,
            "diverged": int(diverged),
            "diverged_step": epoch.steps if diverged else -1,
            "done": diverged or self.classifier.epochs >= self.shared["max_epochs"],
        }

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        torch.save({"classifier": self.classifier.state_dict(), "best": self.best}, Path(checkpoint_dir) / "trial.pt")

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        state = torch.load(Path(checkpoint_dir) / "trial.pt", weights_only=True)
        self.classifier.load_state_dict(state["classifier"])
        self.best = state["best"]


def _as_tensor(array: np.ndarray[Any, Any]) -> torch.Tensor:
    """Without a copy; the object store's arrays are read-only, and nothing here writes to them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)
