"""A series and a network of your own: `tautune tune examples/forecasting.py`, then `tautune refit` and `predict`.

A GRU forecasts the chaotic equation of Mackey and Glass (1977), x' = 0.2 x(t-17) / (1 + x(t-17)¹⁰) - 0.1 x, with
gradients that arrive late.
"""

import torch
from ray import tune
from torch import Tensor, nn

from tautune import Series, TuningStudy

LAG = 17
"""The delay in the equation, in seconds: the series is chaotic from 17 on."""


def data() -> Series:
    """Any steps [T] or [T, channels], in the order of time; the last ones are kept for the one test at the end."""
    fine = [1.2] * (10 * LAG + 1)
    for _ in range(10 * 3000):  # Euler's method, ten steps a second
        late = fine[-10 * LAG - 1]
        fine.append(fine[-1] + 0.1 * (0.2 * late / (1 + late**10) - 0.1 * fine[-1]))
    steps = torch.tensor(fine[10 * (LAG + 500) :: 10])  # the first 500 seconds depend on the start
    return Series(training=steps[:2000], test=steps[2000:], horizon=10, window=30, columns=("x",))


class Gru(nn.Module):
    def __init__(self, channels: int, outputs: int, units: int) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, units, batch_first=True)
        self.head = nn.Linear(units, outputs)

    def forward(self, series: Tensor) -> Tensor:
        """Maps [n, window, channels] to [n, horizon · channels], how far each step is from the last one known."""
        states, _ = self.gru(series)
        forecast: Tensor = series[:, -1, :1] + self.head(states[:, -1])
        return forecast


def model(shape: tuple[int, ...], outputs: int, *, units: int) -> nn.Module:
    return Gru(shape[1], outputs, units)


STUDY = TuningStudy(
    name="forecasting",
    description="a GRU of one's own on a chaotic series, four steps late",
    data=data,
    model=model,
    task="forecasting",
    space={
        "delay": 4,
        "learning_rate": tune.loguniform(1e-4, 3e-2),
        "window": tune.choice([20, 30, 40]),  # no argument of the model: it sees it in `shape`
        "units": tune.choice([8, 16, 32]),
    },
    trials=8,
    max_epochs=9,
)
