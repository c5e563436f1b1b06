"""Recorded delays on disk: what is read, what is repeated by a queue, and what is refused."""

from pathlib import Path

import pytest
import torch

import tautune
from tautune.records.delay_trace import read_delays, write_delays
from tautune.records.errors import InputError
from tests.trainables.asynchronous.in_process import Together
from tests.trainables.delay.small_training import OPTIMIZERS, make_model, run

HEADER = "step,worker,age,gradient,batch\n"


@pytest.mark.parametrize(
    "arrivals",
    [
        [0, 1, 1, 2, 0, 0, 1, 2, 2, 0, 1, 0, 2, 1, 0],
        pytest.param([0, 1, 1, 0, 0, 1, 0], id="a worker so slow that it is not in the trace"),
    ],
)
def test_a_run_that_was_written_is_repeated_by_a_queue_bit_for_bit(arrivals: list[int], tmp_path: Path) -> None:
    together = Together(OPTIMIZERS["momentum"], 3, "as-they-come")
    path = together.finish(arrivals)
    write_delays(tmp_path / "delays.csv", together.rows)
    assert read_delays(tmp_path / "delays.csv") == [row.age for row in together.rows]
    trace = tautune.read_trace(tmp_path / "delays.csv")
    model = make_model()
    queue = tautune.GradientQueue(OPTIMIZERS["momentum"](model.parameters()), delay=trace)
    assert trace.batches == list(range(len(path) + 2))
    repeated = run(model, queue, range(len(trace.delays)))[2:]
    assert torch.equal(torch.stack(repeated), torch.stack(path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("worker,age\n0,1\n", "has no column 'step' in its first line"),
        (HEADER, "has no delays below its first line"),
        (HEADER + "0,0,0,0,0\n2,0,1,1,1\n", "line 3: step 1 is missing; a trace has a line for every step, from 0"),
        (HEADER + "1,0,0,0,0\n", "line 2: step 0 is missing"),
        (HEADER + "0,0,,0,0\n", "line 2: a delay must be an integer ≥ 0 (optimizer steps), not ''"),
        (HEADER + "0,0,0,0,0\n0,1,0,1,1\n", "update 0 applies several gradients, which a queue cannot repeat"),
        (HEADER + "0,0,0,0,0\n1,1,1,5,5\n", "give only after one was lost or a gradient was dropped"),
    ],
)
def test_a_trace_that_cannot_be_repeated_is_told_where_it_is_wrong(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "delays.csv").write_text(text)
    with pytest.raises(InputError, match=words.replace("(", r"\(").replace(")", r"\)")):
        tautune.read_trace(tmp_path / "delays.csv")


def test_a_hole_in_the_steps_is_told_also_where_only_the_delays_are_read(tmp_path: Path) -> None:
    (tmp_path / "delays.csv").write_text("step,worker,age\n0,0,0\n1,0,0\n3,0,1\n")
    with pytest.raises(InputError, match="line 4: step 2 is missing"):
        read_delays(tmp_path / "delays.csv")
