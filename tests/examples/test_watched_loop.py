"""The watched loops see the same edge, their own and Lightning's, and what they see is in TensorBoard."""

import sys
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import tautune
from tautune.search_spaces.study_modules import StudyModules, install

EXAMPLE = Path(__file__).parents[2] / "examples/watched_loop.py"


def example() -> Any:
    modules = StudyModules.beside(EXAMPLE)
    install(modules)
    __import__(modules.name)
    return sys.modules[modules.name]


@pytest.mark.usefixtures("one_thread")
def test_an_own_loop_warns_before_its_loss_explodes(tmp_path: Path) -> None:
    with pytest.warns(tautune.StabilityWarning, match="times the largest stable one at delay 4"):
        monitor = example().train(0.8, tmp_path)
    assert [seen.step for seen in monitor.history] == [1, *range(5, 33, 5)]
    events = EventAccumulator(str(tmp_path)).Reload()
    ratios = [event.value for event in events.Scalars("stability/edge_ratio")]
    assert ratios == pytest.approx([seen.edge_ratio for seen in monitor.history])


@pytest.mark.usefixtures("one_thread")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("options", "steps"),
    [({}, [1, 5, 10, 15]), ({"accumulate_grad_batches": 2}, [1, 5]), ({"precision": "bf16-true"}, [1, 5, 10, 15])],
)
def test_lightnings_loop_is_watched_by_a_callback(tmp_path: Path, options: dict[str, Any], steps: list[int]) -> None:
    pytest.importorskip("pytorch_lightning")
    monitor = example().train_with_lightning(0.1, tmp_path, epochs=2, **options)
    assert [seen.step for seen in monitor.history] == steps  # the optimizer's, and not the batches
    written = next(tmp_path.rglob("events.out.tfevents*"))
    assert len(EventAccumulator(str(written)).Reload().Scalars("stability/edge_ratio")) == len(steps)
