"""A network of one's own at its minimum: `tautune sweep examples/own_minimum.py --delays 0,2,8`.

Smooth activations and average pooling let the gradient vanish somewhere, and L2 lets that be soon.
"""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from tautune import StabilityStudy


def data() -> tuple[Tensor, Tensor]:
    images, digits = load_digits(return_X_y=True)
    return torch.tensor(images[:300]).view(-1, 1, 8, 8) / 16, torch.tensor(digits[:300])


def model() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, kernel_size=3),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.2),  # off while thresholds are measured
        nn.Linear(36, 10),
    )


STUDY = StabilityStudy(name="own_minimum", data=data, model=model, loss=nn.CrossEntropyLoss(), l2=0.01)
