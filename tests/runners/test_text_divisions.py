"""A text that comes with validation of its own is divided there, and run.json says which text it was."""

from pathlib import Path

import pytest
import torch

from tautune.records.errors import InputError
from tautune.runners.tuning import plan_tuning
from tautune.runners.tuning_checks import Options
from tautune.runners.tuning_data import load_data, make_splits
from tautune.runners.tuning_job import make_tuning
from tautune.search_spaces import find_tuning
from tautune.search_spaces.sequences import Text
from tautune.search_spaces.tuning_study import TuningStudy

LETTERS = torch.arange(26).repeat(10)


def text() -> Text:
    return Text(training=LETTERS, validation=LETTERS[:52], test=LETTERS[:30], vocabulary=26, window=8)


STUDY = TuningStudy(
    name="letters",
    description="the alphabet again and again",
    data=text,
    model="causal_transformer",
    task="language",
    space={"width": 8, "heads": 2, "layers": 1},
)


def test_the_given_text_validates_and_the_last_examples_train() -> None:
    (training, validation), *more = make_splits(make_tuning(STUDY, Options(examples=100)), text())
    assert not more
    assert training.tolist() == list(range(160, 260))
    assert validation.tolist() == list(range(260, 312))
    steps, (before, test) = text().whole
    assert torch.equal(steps.values[before], torch.cat([LETTERS, LETTERS[:52]]))
    assert torch.equal(steps.values[test], LETTERS[:30])


def test_another_division_is_refused() -> None:
    with pytest.raises(
        InputError, match="steps of letters cannot be divided so: folds must be left out: the data come"
    ):
        make_splits(make_tuning(STUDY, Options(folds=3)), text())
    with pytest.raises(ValueError, match="validation must have token ids from 0 to 25"):
        Text(training=LETTERS, validation=LETTERS + 1, test=LETTERS, vocabulary=26)


def test_a_window_beyond_the_text_is_refused_before_a_model_is_tried() -> None:
    with pytest.raises(
        InputError, match="letters cannot be divided so: window must be at most 259, not 9999: there are"
    ):
        plan_tuning(make_tuning(STUDY, Options(fixed={"window": 9999})))


def test_run_json_is_told_which_text_it_was() -> None:
    plan = plan_tuning(make_tuning(STUDY, Options()))
    assert plan.digest == {"data_sha256": text().digest}
    other = Text(training=LETTERS, validation=LETTERS[:51], test=LETTERS[:30], vocabulary=26)
    assert other.digest != text().digest


def test_absent_data_of_a_built_in_study_are_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TAUTUNE_DATA", "XDG_DATA_DIRS", "TAUTUNE_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    study = find_tuning("wordnet")
    assert isinstance(study, TuningStudy)
    with pytest.raises(InputError, match=r"wordnet is not in .*; get it with `apt-get install wordnet-base`") as raised:
        load_data(study, None)
    assert len(str(raised.value).splitlines()) == 1
