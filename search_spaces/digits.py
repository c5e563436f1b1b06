"""A small tanh network on scikit-learn's digits: 1,797 real 8×8 images that come with the package."""

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tautune.search_spaces.stability_study import StabilityStudy
from tautune.trainables.supervised.datasets import scikit_learns_digits


def data() -> tuple[Tensor, Tensor]:
    pixels, digits = scikit_learns_digits()
    return pixels / 16, digits


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))


STUDY = StabilityStudy(
    name="digits",
    description="MLP 64-32-10 (tanh) on scikit-learn's digits, cross-entropy + L2 1e-3",
    data=data,
    model=model,
    loss=cross_entropy,
    l2=1e-3,
)
