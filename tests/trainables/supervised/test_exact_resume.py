"""Whatever its optimizer, delay and schedule, a trial that was killed ends as one that was not, to the last bit."""

import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tautune.trainables.continuing import CONTINUES
from tautune.trainables.supervised.hyperparameters import ACTIVATION_NAMES, OPTIMIZER_NAMES, PRECISIONS
from tautune.trainables.supervised.schedules import SCHEDULES
from tautune.trainables.supervised.trial import SupervisedTrial
from tests.trainables.supervised.test_trial import make_trial, measured

EPOCHS = 5
CONFIGS = st.fixed_dictionaries(
    {
        "optimizer": st.sampled_from(OPTIMIZER_NAMES),
        "learning_rate": st.sampled_from([1e-3, 0.05, 1e4]),
        "momentum": st.sampled_from([0.0, 0.9]),
        "delay": st.integers(0, 5),
        "batch_size": st.sampled_from([7, 40, 500]),
        "schedule": st.sampled_from(sorted(SCHEDULES)),
        "warmup": st.sampled_from([0.0, 0.3]),
        "l1": st.sampled_from([0.0, 1e-4]),
        "l2": st.sampled_from([0.0, 1e-3]),
        "flip": st.booleans(),
        "shift": st.integers(0, 1),
        "patience": st.sampled_from([None, 1]),
        "precision": st.sampled_from(PRECISIONS),
        "units": st.just(6),
        "activation": st.sampled_from(ACTIVATION_NAMES),
        "dropout": st.sampled_from([0.0, 0.5]),
        "batch_norm": st.booleans(),
    }
)


def small_trial(config: dict[str, Any], folds: int, **changes: Any) -> SupervisedTrial:
    """A trial on 90 images, so that hundreds of trainings take seconds."""
    trial = make_trial(config, folds=folds, max_epochs=EPOCHS, **changes)
    trial.shared["splits"] = [(training[:60], validation[:30]) for training, validation in trial.shared["splits"]]
    return trial


def alike(one: Any, other: Any) -> bool:
    """Whether two states are the same, bit for bit; NaN is NaN."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one.nan_to_num(7), other.nan_to_num(7)) and one.dtype == other.dtype
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other) or (isinstance(one, float) and math.isnan(one) and math.isnan(other))


def states(trial: SupervisedTrial) -> list[dict[str, Any]]:
    return [training.state_dict() for training in trial.trainings]


@settings(max_examples=60, deadline=None)
@given(config=CONFIGS, folds=st.sampled_from([1, 3]), data=st.data())
def test_a_killed_trial_ends_as_one_that_was_not(config: dict[str, Any], folds: int, data: st.DataObject) -> None:
    saved = data.draw(st.integers(1, EPOCHS - 1), label="epoch of the last checkpoint")
    reported = data.draw(st.integers(saved, EPOCHS - 1), label="epochs reported before the kill")
    with TemporaryDirectory() as folder:
        whole = small_trial(config, folds)
        expected: list[dict[str, Any]] = []
        while len(expected) < EPOCHS and not (expected and expected[-1]["done"]):
            expected.append(measured(whole.step()))
            if len(expected) == saved:
                whole.save_checkpoint(folder)
        if len(expected) <= reported:
            return  # it ended before
        ends = states(whole)
        torch.manual_seed(data.draw(st.integers(0, 99)))  # another process's generator
        resumed = small_trial(config, folds, read=lambda file: Path(file).read_bytes())
        resumed.reset_config(config | {CONTINUES: {"checkpoint": folder, "epochs": reported}})
        rest = [measured(resumed.step()) for _ in expected[reported:]]
    for result in (*expected, *rest):
        del result["should_checkpoint"]  # which depends on time
    assert rest == expected[reported:]
    assert alike(states(resumed), ends)


@settings(max_examples=20, deadline=None)
@given(config=CONFIGS)
def test_a_population_copies_the_gradients_under_way_too(config: dict[str, Any]) -> None:
    """A trial that takes over another one's training goes on exactly as that one does, if it moves nothing."""
    config = config | {"patience": None, "learning_rate": 0.01}
    with TemporaryDirectory() as folder:
        donor, heir = small_trial(config, 1), small_trial(config, 1, seed=5)
        donor.step()
        heir.step()
        donor.save_checkpoint(folder)
        heir.load_checkpoint(folder)
        inherited = [measured(heir.step()) for _ in range(2)]
        after = states(heir)
        donor.load_checkpoint(folder)  # torch's generator, which draws dropout, belongs to the process
        assert inherited == [measured(donor.step()) for _ in range(2)]
        assert alike(after, states(donor))
