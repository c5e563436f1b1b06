import torch
from torch import nn

from tautune.trainables.delay.slices import SLICE, slices


def test_what_is_written_to_slices_is_written_to_the_tensor() -> None:
    x, y = nn.Parameter(torch.zeros(3, SLICE)), torch.arange(3.0 * SLICE).view(3, SLICE)
    parts = list(slices(x, y))
    assert len(parts) == 3
    with torch.no_grad():
        for a, b in parts:
            a.add_(b)
    assert torch.equal(x, y)


def test_short_tensors_and_those_with_gaps_stay_whole() -> None:
    short, wide = torch.zeros(4), torch.zeros(SLICE, 4).t()
    assert [[part is short for part in parts] for parts in slices(short, short)] == [[True, True]]
    assert next(slices(wide, wide))[0] is wide
