"""Sunspot numbers by quarter, 1749 to 2008, from the monthly ones of the National Geophysical Data Center (USA).

They are in the public domain. The table `sunspots.csv` is the one in the sources of statsmodels 0.15
(statsmodels/datasets/sunspots/src/sunspots_monthly.dat) without 2009, which was preliminary: 17 kB here instead of four
more packages. The sun's cycle lasts eleven years. What one month differs from the next is mostly noise, and half of
its square is gone in the mean of a quarter.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tautune.search_spaces.sequences import Series

FILE = Path(__file__).with_name("sunspots.csv")
"""A line for each year: the year, then its twelve months."""
A_YEAR = 4
"""Steps in a year: quarters."""
CYCLE = 11 * A_YEAR
"""Length of the sun's cycle in quarters."""
HORIZON = 3 * A_YEAR
"""Length of a forecast in quarters."""
TEST_BEGINS = 1965
"""First year of the test: four cycles, which nothing but the final evaluation sees."""


def monthly() -> NDArray[np.float64]:
    """Returns the years [260] and behind each the sunspot numbers of its months: [260, 13]."""
    return np.loadtxt(FILE, delimiter=",")


def quarterly() -> tuple[NDArray[np.float64], int]:
    """Returns the means of the quarters [1040], and the number of the first one that belongs to the test."""
    table = monthly()
    return table[:, 1:].reshape(-1, 12 // A_YEAR).mean(axis=1), A_YEAR * int((table[:, 0] < TEST_BEGINS).sum())


def sunspots() -> Series:
    """Returns the quarters until 1964 for training and validation, and those from 1965 on for the test."""
    series, ends = quarterly()
    steps = torch.from_numpy(series).float()
    return Series(training=steps[:ends], test=steps[ends:], horizon=HORIZON, window=CYCLE, columns=("sunspots",))
