"""A training loop of your own, as Ray Tune's documentation teaches it: `tautune tune examples/own_loop.py`.

It forecasts the progression of diabetes from ten measurements, with gradients that arrive late.
"""

import tempfile
from pathlib import Path
from typing import Any

import torch
from ray import tune
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from torch import nn

from tautune import GradientQueue, LoopStudy


def train(config: dict[str, Any]) -> None:
    torch.manual_seed(0)
    inputs, targets = load_diabetes(return_X_y=True, scaled=True)
    inputs, targets = 20 * torch.tensor(inputs).float(), torch.tensor(targets / 100).float()
    x, x_held_out, y, y_held_out = train_test_split(inputs, targets, test_size=0.25, random_state=0)

    model = nn.Sequential(nn.Linear(10, config["width"]), nn.Tanh(), nn.Linear(config["width"], 1), nn.Flatten(0))
    adam = torch.optim.Adam(model.parameters(), lr=config["learning_rate"])
    optimizer = GradientQueue(adam, delay=config["delay"])
    if last := tune.get_checkpoint():
        with last.as_directory() as folder:
            state = torch.load(Path(folder) / "state.pt")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])  # the gradients that are under way are in it
        torch.set_rng_state(state["random"])

    while True:
        for batch in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x[batch]), y[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            error = nn.functional.mse_loss(model(x_held_out), y_held_out).sqrt().item()
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "random": torch.get_rng_state()}
        with tempfile.TemporaryDirectory() as folder:
            torch.save(state, Path(folder) / "state.pt")
            tune.report({"error": error}, checkpoint=tune.Checkpoint.from_directory(folder))


STUDY = LoopStudy(
    name="own_loop",
    description="an MLP of one's own training loop on scikit-learn's diabetes data, four steps late",
    train=train,
    metric="error",
    mode="min",
    space={"delay": 4, "learning_rate": tune.loguniform(1e-4, 1.0), "width": tune.choice([8, 16, 32])},
    trials=12,
    max_reports=27,
)
