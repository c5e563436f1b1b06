"""The GPU's benchmark runs on the CPU in its short form, says when a device disagrees, and loses nothing to a fault."""

import time
from typing import Any, NoReturn

import pytest
import torch

from benchmarks.gpu import agreement
from benchmarks.gpu.__main__ import disagreeing, sections
from benchmarks.gpu.networks import transformer
from benchmarks.gpu.sections import Skipped, carried_out

pytestmark = pytest.mark.usefixtures("one_thread")  # with more, what MKL adds up in which order depends on its load
CPU = torch.device("cpu")


@pytest.mark.process
def test_the_short_form_runs_on_the_cpu() -> None:
    noted: list[dict[str, Any]] = []
    figures = carried_out(sections(CPU, short=True), lambda so_far: noted.append(dict(so_far)))
    assert not figures["failed"]
    assert list(figures["skipped"]) == ["graphs"]
    assert len(noted) == len(figures["seconds"]) == 6
    for rows in figures["agreement"].values():
        assert all(row["agrees"] for row in rows.values()), rows
        assert all(rows[name]["bit_for_bit"] for name in agreement.OPTIMIZERS), rows
    assert figures["stacks"]["ratio"] > 0
    assert 0 < figures["bfloat16"]["largest_relative_difference_of_a_loss"] < 0.1
    assert figures["bfloat16"]["queue_bytes"]["float32"] == 2 * figures["bfloat16"]["queue_bytes"]["bfloat16"]
    assert figures["vgg11"]["ratios"]["bare"] == 1
    assert figures["probe"]["residual"] <= 1e-2


def test_a_device_that_computes_otherwise_does_not_agree() -> None:
    updates = [agreement._updated(agreement.OPTIMIZERS["queue"], CPU, torch.float64)[0] for _ in range(2)]
    assert agreement._differences((updates[0], updates[1])) == {"bit_for_bit": True, "relative": 0.0}
    assert agreement._differences((updates[0], 1.001 * updates[0]))["relative"] > agreement.TOLERANCE[torch.float32]
    rows = {"queue": {"agrees": True}, "discard": {"agrees": False}}
    assert disagreeing({"agreement": {"float32": rows}}) == ["discard in float32"]
    assert not disagreeing({"failed": {"agreement": "RuntimeError: no kernel"}})


def test_a_section_that_fails_or_takes_too_long_does_not_cost_the_others_theirs() -> None:
    def fails() -> NoReturn:
        raise RuntimeError("CUDA out of memory.\nTried to allocate 2 GiB")

    def cannot() -> NoReturn:
        raise Skipped("no memory")

    def hangs() -> dict[str, Any]:
        time.sleep(5)
        return {}

    wanted = {"one": fails, "two": cannot, "three": lambda: {"four": 4}, "five": hangs, "six": dict}
    figures = carried_out(wanted, limit=0.3)
    assert figures["failed"] == {"one": "RuntimeError: CUDA out of memory."}
    assert figures["skipped"]["two"] == "no memory"
    assert figures["three"] == {"four": 4}
    assert figures["skipped"]["five"] == figures["skipped"]["six"] == "the 0.3 s of all sections were over"
    assert figures["seconds"]["five"] < 2


def test_a_transformer_that_memory_does_not_hold_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.gpu.networks.free_memory", lambda device: 1e6)
    with pytest.raises(Skipped, match=r"25,224 parameters take 0.00404 GB, and 0.001 GB are free"):
        transformer(CPU, examples=2, width=40, layers=1, heads=5, tokens=64, window=8)
