"""A loop that is given up reports that at once, without the user's code, and its process trains the next one."""

from typing import Any

from ray import tune

from tautune import LoopStudy
from tautune.trainables.continuing import CONTINUES
from tautune.trainables.loop.trial import loop_trainable

GIVEN_UP = {"checkpoint": None, "epochs": 2, "longer": 0, "failure": "OutOfMemory: too large"}


class Counting(tune.Trainable):
    """A class that names its attributes and methods as it likes, also as we might."""

    def setup(self, config: dict[str, Any]) -> None:
        if config["rate"] < 0:
            raise ValueError("negative")
        self.study, self.start, self.reports, self.last, self.shared, self.raised = 1, 2, 3, "", 4, 5
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        assert (self.study, self.start, self.reports) == (1, 2, 3)
        return True

    def _next(self) -> float:
        return float(self.config["rate"])

    def step(self) -> dict[str, Any]:
        return {"loss": self._next()}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        assert self.study


def begun(config: dict[str, Any], loop: type[tune.Trainable] = Counting) -> Any:
    """Returns the trainable in this process, as Ray Tune makes it in another."""
    study = LoopStudy(
        name="loop", description="", train=loop, space={"rate": tune.uniform(-1, 1)}, metric="loss", mode="min"
    )
    kind = loop_trainable(study)

    def setup(self: Any, config: dict[str, Any]) -> None:
        kind.setup(self, config, study=study, max_reports=9, needed={})

    return type("InThisProcess", (kind,), {"setup": setup})(config)


def test_one_that_is_given_up_is_no_hindrance_to_the_next() -> None:
    trial = begun({"rate": 0.5, CONTINUES: GIVEN_UP})
    result = trial.train()
    assert (result["failed"], result["failure"], result["epochs"]) == (1, "OutOfMemory: too large", 2)
    assert (result["loss"], result["done"]) == (1e6, True)
    assert trial.reset({"rate": 0.25})
    assert trial.train()["loss"] == 0.25
    assert trial.reset({"rate": 0.5, CONTINUES: GIVEN_UP})
    assert trial.train()["failed"]
    assert trial.reset({"rate": 0.75})
    assert trial.train()["loss"] == 0.75
    trial.stop()


class Again(Counting):
    """A class that is set up once more for the next configuration, as is often done."""

    def setup(self, config: dict[str, Any]) -> None:
        self.sum = 0.0

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        self.sum += self._next()
        return {"loss": self.sum}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Saves nothing."""


def test_a_reset_may_be_a_setup() -> None:
    trial = begun({"rate": 0.5}, Again)
    assert [trial.train()["loss"] for _ in range(2)] == [0.5, 1.0]
    assert trial.reset({"rate": 0.25})
    assert [trial.train()["loss"] for _ in range(2)] == [0.25, 0.5]
    trial.stop()


def test_a_class_whose_setup_raised_is_set_up_for_the_next() -> None:
    trial = begun({"rate": -1})
    assert "ValueError: negative" in trial.train()["failure"]
    assert trial.reset({"rate": 0.25})
    assert trial.train()["loss"] == 0.25
    trial.stop()
