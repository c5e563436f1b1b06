"""The GPU's benchmark runs on the CPU in its short form, and says when a device disagrees."""

import pytest
import torch

from benchmarks.gpu import agreement
from benchmarks.gpu.__main__ import measured


@pytest.mark.process
def test_the_short_form_runs_on_the_cpu() -> None:
    figures = measured(torch.device("cpu"), short=True)
    for rows in figures["agreement"].values():
        assert all(row["bit_for_bit"] and row["agrees"] for row in rows.values()), rows
    assert figures["stacks"]["ratio"] > 0
    assert 0 < figures["bfloat16"]["largest_relative_difference_of_a_loss"] < 0.1
    assert figures["vgg11"]["ratios"]["bare"] == 1


def test_a_device_that_computes_otherwise_does_not_agree() -> None:
    cpu = torch.device("cpu")
    updates = [agreement._updated(agreement.OPTIMIZERS["queue"], cpu, torch.float64)[0] for _ in range(2)]
    assert agreement._differences((updates[0], updates[1])) == {"bit_for_bit": True, "relative": 0.0}
    assert agreement._differences((updates[0], 1.001 * updates[0]))["relative"] > agreement.TOLERANCE[torch.float32]
