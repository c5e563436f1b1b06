"""Watches two loops, a plain one and Lightning's; `tautune board results/watched` shows them.

    python examples/watched_loop.py

A classifier of scikit-learn's digits, whose gradients arrive four steps late, at a learning rate that is too large.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.tensorboard import SummaryWriter

from tautune import GradientQueue, StabilityMonitor


def data() -> TensorDataset:
    images, digits = load_digits(return_X_y=True)
    return TensorDataset(torch.tensor(images).float() / 16, torch.tensor(digits))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))


def late_sgd(model: nn.Module, learning_rate: float) -> GradientQueue:
    return GradientQueue(torch.optim.SGD(model.parameters(), learning_rate), delay=4)


def train(learning_rate: float, folder: Path, *, epochs: int = 4) -> StabilityMonitor:
    """Trains in a plain loop."""
    model, loader = network(), DataLoader(data(), 256, shuffle=True)
    optimizer = late_sgd(model, learning_rate)
    with SummaryWriter(str(folder)) as writer:
        monitor = StabilityMonitor(model, cross_entropy, next(iter(loader)), optimizer, every=5, writer=writer)
        for _ in range(epochs):
            for inputs, targets in loader:
                optimizer.zero_grad()
                cross_entropy(model(inputs), targets).backward()
                optimizer.step()
                monitor.step()
    return monitor


def lightning_callback(every: int) -> Any:
    """Returns a callback of Lightning that watches a module's `network`, and logs where its trainer does."""
    import pytorch_lightning as pl

    class Watch(pl.Callback):
        def on_train_start(self, trainer: Any, module: Any) -> None:
            batch = trainer.precision_plugin.convert_input(next(iter(trainer.train_dataloader)))
            places = {"every": every, "writer": trainer.logger.experiment if trainer.logger else None}
            monitor = StabilityMonitor(module.network, cross_entropy, batch, trainer.optimizers[0], **places)
            self.monitor = monitor.attach()

    return Watch()


def train_with_lightning(learning_rate: float, folder: Path, *, epochs: int = 4, **options: Any) -> StabilityMonitor:
    import pytorch_lightning as pl
    from pytorch_lightning.loggers import TensorBoardLogger

    class Digits(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = network()

        def training_step(self, batch: list[Tensor]) -> Tensor:
            return cross_entropy(self.network(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return late_sgd(self, learning_rate)

    watch = lightning_callback(every=5)
    trainer = pl.Trainer(
        max_epochs=epochs,
        callbacks=[watch],
        logger=TensorBoardLogger(str(folder)),
        accelerator="cpu",
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    trainer.fit(Digits(), DataLoader(data(), 256, shuffle=True))
    monitor: StabilityMonitor = watch.monitor
    return monitor


if __name__ == "__main__":
    results = Path(sys.argv[1] if len(sys.argv) > 1 else "results/watched")
    train(0.5, results / "own")
    train_with_lightning(0.5, results / "lightning")
