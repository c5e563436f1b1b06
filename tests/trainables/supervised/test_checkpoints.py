"""A trial goes on from its last whole checkpoint, and reports nothing twice."""

from pathlib import Path
from typing import Any

import pytest

from tautune.runners.checkpoints import checkpoints_of
from tautune.trainables.asynchronous.replay import DELAYS, MADE_AGAIN
from tautune.trainables.asynchronous.settings import Stages
from tautune.trainables.continuing import CONTINUES
from tautune.trainables.supervised import trial as supervised
from tautune.trainables.supervised.elsewhere import TrainingElsewhere
from tautune.trainables.supervised.in_stages import Row
from tautune.trainables.supervised.training import Epoch
from tests.trainables.supervised.test_trial import make_trial, measured


@pytest.mark.parametrize(("saved", "reported"), [(2, 2), (1, 3), (None, 2)])
def test_a_trial_of_a_killed_process_goes_on_and_reports_nothing_twice(
    saved: int | None, reported: int, tmp_path: Path
) -> None:
    config = {"learning_rate": 0.01, "units": 16, "dropout": 0.5, "optimizer": "adam", "delay": 4, "patience": 2}
    whole = make_trial(config, max_epochs=6)
    expected = []
    for epoch in range(1, 7):
        expected.append(measured(whole.step()))
        if epoch == saved:
            whole.save_checkpoint(str(tmp_path))
    start = {"checkpoint": str(tmp_path) if saved else None, "epochs": reported}
    resumed = make_trial(config, max_epochs=6, read=lambda file: Path(file).read_bytes())
    resumed.reset_config(config | {CONTINUES: start})
    rest = [measured(resumed.step()) for _ in range(6 - reported)]
    for result in (*expected, *rest):
        del result["should_checkpoint"]  # which depends on time
    assert rest == expected[reported:]


def test_a_checkpoint_is_whole_or_known_not_to_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trial = make_trial({"learning_rate": 0.01})
    for number in range(2):
        trial.step()
        folder = tmp_path / f"checkpoint_{number:06d}"
        folder.mkdir()
        trial.save_checkpoint(str(folder))
    assert [found.epochs for found in checkpoints_of(tmp_path)] == [2, 1]
    content = bytearray((folder / "trial.pt").read_bytes())
    for place in range(0, len(content), len(content) // 20):
        damaged = content.copy()
        damaged[place] ^= 1
        (folder / "trial.pt").write_bytes(damaged)
        assert [found.epochs for found in checkpoints_of(tmp_path)] == [1]
    (folder / "trial.pt").write_bytes(content[:-1])
    assert [found.epochs for found in checkpoints_of(tmp_path)] == [1]
    (folder / "trial.json").write_text("[]")
    assert [found.epochs for found in checkpoints_of(tmp_path)] == [1]
    assert "checkpoint_000001 is damaged; the checkpoint before it is used" in caplog.text


def test_epochs_that_are_made_again_are_told_of_with_the_next_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real workers' gradients have other ages then; here the workers are this process, with stages of one."""
    monkeypatch.setattr(supervised, "TrainingInStages", lambda make, stages: OneStage(make, "cpu"))
    config = {"learning_rate": 0.1, "units": 8}
    trial = make_trial(config, stages=Stages(count=1))
    read: dict[str, Any] = {"read": lambda file: Path(file).read_bytes()}
    steps = [[row[0] for row in trial.step()[DELAYS]] for _ in range(2)]
    assert steps == [[0], [1]]
    trial.save_checkpoint(str(tmp_path))
    trial.step()
    resumed = make_trial(config, stages=Stages(count=1), **read)
    resumed.reset_config(config | {CONTINUES: {"checkpoint": None, "epochs": 2}})
    report = resumed.step()
    assert [[row[0] for row in report[name]] for name in (MADE_AGAIN, DELAYS)] == [[0, 1], [2]]
    resumed.reset_config(config | {CONTINUES: {"checkpoint": str(tmp_path), "epochs": 2}})
    report = resumed.step()
    assert [row[0] for row in report[DELAYS]] == [2]
    assert MADE_AGAIN not in report


class OneStage(TrainingElsewhere):
    """A training that notes one gradient of each epoch."""

    def train_epoch(self) -> Epoch:
        self.rows.append(Row(self.inner.epochs, 0, 0, self.inner.epochs, self.inner.epochs))
        return self.inner.train_epoch()

    def state_dict(self) -> dict[str, Any]:
        return self.inner.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.inner.load_state_dict(state)

    def close(self) -> None:
        pass
