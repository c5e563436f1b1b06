"""The Ray Tune trainable of a tuning: it trains one configuration, an epoch a step, on one or several splits."""

import math
import time
import traceback
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import torch
from ray import tune

from tautune.trainables.asynchronous.replay import DELAYS, MADE_AGAIN, WRITTEN, applied_in
from tautune.trainables.asynchronous.stage_group import StageLost
from tautune.trainables.continuing import CHECKPOINT_SECONDS, CONTINUES
from tautune.trainables.raised import is_rays_own
from tautune.trainables.supervised.elsewhere import TrainingElsewhere
from tautune.trainables.supervised.hyperparameters import MUTABLE
from tautune.trainables.supervised.in_stages import TrainingInStages
from tautune.trainables.supervised.made import MakeTraining, examples_in
from tautune.trainables.supervised.scores import scores_of
from tautune.trainables.supervised.supervised_training import Config, SupervisedTraining
from tautune.trainables.supervised.tasks import CLASSIFICATION
from tautune.trainables.supervised.training import Epoch, Evaluation
from tautune.trainables.supervised.trial_files import STATE, read_state, write_state
from tautune.trainables.supervised.with_workers import TrainingWithWorkers

AnyTraining = SupervisedTraining | TrainingElsewhere
DIVERGED_VALIDATION_LOSS = 1e3
"""Loss that a diverged trial reports: finite, so that schedulers and searches learn from it, and worse than others."""


class SupervisedTrial(tune.Trainable):
    """Trains an epoch on every split (on every fold, say) in a step, and reports the means over the splits.

    If a training diverges, or the model or the optimizer raises, the trial ends at once with a finite penalty:
    `diverged` or `failed` is 1, `failure` holds the traceback, and searches and schedulers learn that it was bad.

    The config holds the hyperparameters, as the search gives them. All else is the same for every trial and comes
    through `tune.with_parameters`: study (whose `hyperparameters`, `model`, `task` and `normalize` are used), the
    training examples alone (numpy arrays, which all trials of a node share: pixels and targets, or the steps of a
    sequence with its window and horizon; without either, the study's own function loads them here), splits, classes
    (the number of outputs), vocabulary, max_epochs, device, seed, threads, read (a function that returns a file's
    bytes), workers or stages, if gradients are computed by some, and, for a refit, replay: the `history` of a training,
    which is followed.
    """

    def setup(self, config: Config, **shared: Any) -> None:
        """Takes the data, which stay for all configurations of this process."""
        self.shared = shared
        torch.set_num_threads(shared["threads"])
        self.examples: Any = None
        self.trainings: list[AnyTraining] = []
        self.reset_config(config)

    def reset_config(self, new_config: Config) -> bool:
        """Begins anew with other hyperparameters and the same data."""
        self.cleanup()
        self.start: Config | None = new_config.get(CONTINUES)
        self.longer = int(self.start.get("longer", 0)) if self.start else 0
        self.given_up: str = self.start.get("failure", "") if self.start else ""
        self.hyperparameters = self.shared["study"].hyperparameters(new_config)
        self.broken = False  # whether its model or optimizer has raised: Tune wants a checkpoint all the same
        self.trainings = []
        self.lowest_loss, self.lowest_epoch, self.last_loss = math.inf, 0, DIVERGED_VALIDATION_LOSS
        self.since_checkpoint = 0.0
        self.made_again: list[Any] = []
        """The gradients of epochs that an earlier process had reported, which are others now."""
        return True

    def _build(self) -> None:
        if not self.trainings:
            s = self.shared
            made = [MakeTraining(s, self.hyperparameters, number) for number in range(len(s["splits"]))]
            if workers := s.get("workers"):
                self.trainings = [TrainingWithWorkers(make, workers, s["device"]) for make in made]
            elif stages := s.get("stages"):
                self.trainings = [TrainingInStages(make, stages) for make in made]
            else:
                if self.examples is None:
                    self.examples = examples_in(s).to(s["device"])
                self.trainings = [make(s["device"], self.examples) for make in made]
            for training in self.trainings:
                training.lengthen(self.longer)
            if self.start:
                self._continue(self.start["checkpoint"], self.start["epochs"])

    def cleanup(self) -> None:
        """Ends the workers, if there are any."""
        for training in self.trainings:
            training.close()

    def _continue(self, checkpoint: str | None, epochs: int) -> None:
        """Goes on where an earlier process was, which had reported so many epochs, and reports none of them again."""
        self.start = None
        if checkpoint:
            self._load(self.shared["read"](f"{checkpoint}/{STATE}"))
        while self.trainings[0].epochs < epochs:
            self.made_again = applied_in(self._step())

    def step(self) -> dict[str, Any]:
        """Trains for an epoch; returns what Tune is to know of it."""
        if self.given_up:
            return self._failed(self.given_up)
        try:
            self._build()
            return self._step()
        except (Exception, SystemExit) as error:  # whatever a user's model raises is the result of this configuration
            if is_rays_own(error) or isinstance(error, StageLost):  # which another try begins anew
                raise
            return self._failed(traceback.format_exc())

    def _failed(self, failure: str) -> dict[str, Any]:
        self.broken = True
        return self._report([], [], 0.0, failure=failure)

    def _step(self) -> dict[str, Any]:
        for training in self.trainings:
            if past := [e for e in self.shared.get("replay", []) if e["epoch"] <= training.epochs]:
                training.change({name: past[-1][name] for name in MUTABLE})
        begun = time.perf_counter()
        epochs = [training.train_epoch() for training in self.trainings]
        seconds = time.perf_counter() - begun
        validated = [t.validate() if t.source.validates else _unvalidated(t, e) for t, e in self._zip(epochs)]
        return self._report(epochs, validated, seconds)

    def _zip(self, epochs: list[Epoch]) -> list[tuple[AnyTraining, Epoch]]:
        return list(zip(self.trainings, epochs, strict=True))

    def _report(
        self, epochs: list[Epoch], validated: list[Evaluation], seconds: float, *, failure: str = ""
    ) -> dict[str, Any]:
        scores, diverged = self._scores(epochs, validated, failed=bool(failure))
        bad, loss = diverged or bool(failure), scores["validation_loss"]
        done = self.trainings[0].epochs if self.trainings else self.start["epochs"] if self.start else 0
        if loss < self.lowest_loss:
            self.lowest_loss, self.lowest_epoch = loss, done
        config = self.trainings[0].config if self.trainings else None
        patience = config.patience if config else None
        self.since_checkpoint += seconds
        finished = (
            bad or done >= self.trainings[0].horizon or (patience is not None and done - self.lowest_epoch >= patience)
        )
        return {
            **scores,
            "learning_rate": epochs[0].learning_rate if epochs else 0.0,
            "epochs": done,
            "parameters": sum(p.numel() for p in self.trainings[0].model.parameters()) if self.trainings else 0,
            "epoch_seconds": seconds,
            "examples_per_second": sum(epoch.examples for epoch in epochs) / seconds if seconds else 0.0,
            "diverged": int(diverged),
            "diverged_step": self._diverged_step(epochs) if diverged else -1,
            "failed": int(bool(failure)),
            "failure": failure,
            "history": [dict(entry) for entry in self.trainings[0].history] if self.trainings else [],
            "should_checkpoint": not bad and self.since_checkpoint >= CHECKPOINT_SECONDS,
            "finished": int(finished),  # Tune's `done` is true as well when a scheduler has ended the trial
            "done": finished,
            **self._delays(),
        }

    def _delays(self) -> dict[str, Any]:
        """Returns which gradients workers have computed since the last report, and how late each was."""
        again, self.made_again = self.made_again, []
        rows: list[Any] = []
        for training in self.trainings:
            if isinstance(training, TrainingElsewhere):
                rows += [tuple(getattr(row, name) for name in WRITTEN) for row in training.rows]
                training.rows = []
        return {name: some for name, some in ((MADE_AGAIN, again), (DELAYS, rows)) if some}

    def _scores(self, epochs: list[Epoch], validated: list[Evaluation], *, failed: bool) -> tuple[dict[str, Any], bool]:
        """Returns what the epoch is judged by, and whether training has diverged.

        The scores of a classification stand for themselves; those of other tasks are under `scores` as well.
        """
        task = self.shared["study"].of_task
        diverged = any(e.diverged for e in epochs) or not all(math.isfinite(v.loss) for v in validated)
        if epochs and all(e.steps for e in epochs):
            self.last_loss = fmean(e.loss for e in epochs)
        losses = [DIVERGED_VALIDATION_LOSS if diverged or failed else v.loss for v in validated] or [math.inf]
        loss = fmean(min(value, DIVERGED_VALIDATION_LOSS) for value in losses)
        if task.name == CLASSIFICATION.name:
            accuracies = [0.0] if diverged or failed else [v.metrics["accuracy"] for v in validated]
            return {
                "training_loss": self.last_loss,
                "training_accuracy": fmean(e.accuracy for e in epochs) if epochs else 0.0,
                "validation_loss": loss,
                "validation_accuracy": fmean(accuracies),
                "validation_accuracy_deviation": pstdev(accuracies),
            }, diverged
        worst = fmean(t.worst for t in self.trainings) if self.trainings else task.worst
        scores, unusable = scores_of(task, validated, loss, worst=worst, bad=diverged or failed)
        scores["training_loss"] = self.last_loss
        return scores | {"scores": scores}, diverged or unusable

    def _diverged_step(self, epochs: list[Epoch]) -> int:
        """Returns the steps with a finite loss, over the whole training; all steps if only validation's was not."""
        trained = [t.steps for t, e in self._zip(epochs) if e.diverged]
        return min(trained) if trained else self.trainings[0].steps

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Writes trial.pt and trial.json, from which `load_checkpoint` continues bit for bit."""
        if not self.broken:
            self._build()
        state = {
            "trainings": [training.state_dict() for training in self.trainings],
            "progress": [self.lowest_loss, self.lowest_epoch, self.last_loss],
        }
        done = self.trainings[0].epochs if self.trainings else 0
        write_state(Path(checkpoint_dir), state, epochs=done)
        self.since_checkpoint = 0.0

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        """Continues from trial.pt."""
        if self.given_up:
            return
        self.start = None
        self._build()
        self._load((Path(checkpoint_dir) / STATE).read_bytes())

    def _load(self, content: bytes) -> None:
        state = read_state(content, self.shared["device"])
        for training, own in zip(self.trainings, state["trainings"], strict=True):
            training.load_state_dict(own)
        self.lowest_loss, self.lowest_epoch, self.last_loss = state["progress"]


def _unvalidated(training: AnyTraining, epoch: Epoch) -> Evaluation:
    """Returns what stands for an evaluation where there is nothing to evaluate on: in a refit."""
    return Evaluation(epoch.loss, {"accuracy": epoch.accuracy, training.task.metric: 0.0})
