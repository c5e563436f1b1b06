"""A study of your own: model, data and space in one file. Run it with `tautune tune examples/breast_cancer.py`."""

import torch
from ray import tune
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch import nn

from tautune import ImageData, Images, TuningStudy, When


def data() -> ImageData:
    """Any tensors: inputs [N, …] and classes [N]. A fifth, always the same, is kept for the one test at the end."""
    inputs, targets = load_breast_cancer(return_X_y=True)
    parts = train_test_split(inputs, targets, test_size=0.2, stratify=targets, random_state=0)
    training, test, training_targets, test_targets = (torch.from_numpy(part) for part in parts)
    train = Images(training, training_targets)
    return ImageData(train, Images(test, test_targets), class_names=("malignant", "benign"))


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = inputs + self.layers(inputs)
        return outputs


def model(shape: tuple[int, ...], classes: int, *, width: int, blocks: int) -> nn.Module:
    """Hyperparameters of the space that training does not know arrive here, by name."""
    return nn.Sequential(
        nn.Linear(shape[0], width), *(Residual(width) for _ in range(blocks)), nn.Linear(width, classes)
    )


STUDY = TuningStudy(
    name="breast_cancer",
    description="residual network on scikit-learn's breast cancer data, with gradients that arrive late",
    data=data,
    model=model,
    space={
        "delay": 4,  # four steps, as from five workers in turn
        "optimizer": tune.choice(["adam", "nesterov", "shifted-momentum"]),
        "learning_rate": tune.loguniform(1e-4, 1e-1),
        "momentum": When("optimizer", ("nesterov", "shifted-momentum"), tune.uniform(0.0, 0.95)),
        "batch_size": tune.choice([16, 32]),
        "width": tune.choice([16, 32, 64]),
        "blocks": tune.randint(1, 4),
        "l2": tune.loguniform(1e-5, 1e-1),
    },
    trials=12,
    max_epochs=9,
)
