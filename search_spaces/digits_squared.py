"""A small tanh network on 600 of scikit-learn's digits with a squared loss: training arrives at its edge of stability.

With cross-entropy it may never do so: outputs that are right ever more surely flatten that loss again.
"""

from torch import Tensor, nn
from torch.nn.functional import mse_loss, one_hot

from tautune.search_spaces.stability_study import StabilityStudy
from tautune.trainables.supervised.datasets import scikit_learns_digits

EXAMPLES = 600
"""So few that a full batch takes a millisecond, and training many thousand of them a minute."""


def data() -> tuple[Tensor, Tensor]:
    pixels, digits = scikit_learns_digits()
    return pixels[:EXAMPLES] / 16, one_hot(digits[:EXAMPLES], 10).to(pixels.dtype)


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 10))


STUDY = StabilityStudy(
    name="digits_squared",
    description="MLP 64-32-32-10 (tanh) on 600 of scikit-learn's digits, squared loss",
    data=data,
    model=model,
    loss=mse_loss,
)
