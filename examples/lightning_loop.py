"""PyTorch Lightning, as it is: `tautune tune examples/lightning_loop.py` (needs pytorch-lightning).

A classifier of scikit-learn's digits, whose gradients arrive late; Lightning takes the queue for an optimizer.
"""

from typing import Any

import pytorch_lightning as pl
import torch
from ray import tune
from ray.tune.integration.pytorch_lightning import TuneReportCheckpointCallback
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, random_split

from tautune import GradientQueue, LoopStudy


class Digits(pl.LightningModule):
    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.config = config
        self.network = nn.Sequential(nn.Linear(64, config["width"]), nn.ReLU(), nn.Linear(config["width"], 10))

    def training_step(self, batch: list[Tensor]) -> Tensor:
        return nn.functional.cross_entropy(self.network(batch[0]), batch[1])

    def validation_step(self, batch: list[Tensor]) -> None:
        self.log("accuracy", (self.network(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        adam = torch.optim.Adam(self.parameters(), lr=self.config["learning_rate"])
        return GradientQueue(adam, delay=self.config["delay"])


def train(config: dict[str, Any]) -> None:
    pl.seed_everything(0, verbose=False)
    images, digits = load_digits(return_X_y=True)
    whole = TensorDataset(torch.tensor(images).float() / 16, torch.tensor(digits))
    training, validation = random_split(whole, [0.8, 0.2])
    report = TuneReportCheckpointCallback({"accuracy": "accuracy"}, on="validation_end")
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(max_epochs=9, callbacks=[report], **quiet)
    last = tune.get_checkpoint()
    checkpoint = f"{last.path}/checkpoint" if last else None
    loaders = DataLoader(training, 64, shuffle=True), DataLoader(validation, 400)
    trainer.fit(Digits(config), *loaders, ckpt_path=checkpoint)


STUDY = LoopStudy(
    name="lightning_loop",
    description="a Lightning module on scikit-learn's digits, four steps late",
    train=train,
    metric="accuracy",
    mode="max",
    space={"delay": 4, "learning_rate": tune.loguniform(1e-4, 1e-1), "width": tune.choice([16, 32, 64])},
    trials=8,
    max_reports=9,
)
