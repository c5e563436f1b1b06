"""The Ray Tune trainable of a user's own loop, which runs unchanged: its reports are counted and made finite.

This file knows what Ray Tune keeps to itself about the trainables of functions.
"""

import math
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ray import tune
from ray.tune.trainable.function_trainable import FunctionTrainable, wrap_function

from tautune.trainables.continuing import CHECKPOINT_SECONDS, CONTINUES
from tautune.trainables.loop.checkpoint import describe, reports_of
from tautune.trainables.loop.scores import scores_of
from tautune.trainables.raised import is_rays_own, own_traceback

Config = dict[str, Any]
DUPLICATE = "__duplicate__"
"""Key of the result by which Ray Tune says that a function has returned."""
REPEATED = "tautune.repeated"
"""Key of a result that reports nothing new: the loop has returned."""
UNNAMED = "tautune.unnamed"
"""Key of what a loop reported instead of the metric, which ends the run."""
LEFT = "SystemExit: the loop called sys.exit(0), or raised StopIteration"
"""What is said of a loop that ended like this: Ray Tune takes it for one that returned, and then misses its report."""


class _Loop(tune.Trainable):
    """Goes before the trainable of a loop. A step is one report.

    Its result holds the metric, all numbers that were reported as `scores`, and what every trial of tautune reports:
    `epochs` (the reports so far), `diverged`, `failed`, `failure`, `finished`.
    """

    config: Config

    def setup(self, config: Config, **shared: Any) -> None:
        """Takes the study and the largest number of reports, and begins."""
        self.shared, self.study = shared, shared["study"]
        self._begin()
        self._told_later(super().setup)

    def _begin(self) -> None:
        self.suggested = self.config
        self.start: Config | None = self.suggested.get(CONTINUES)
        self.most = self.shared["max_reports"] + (self.start or {}).get("longer", 0)
        self.config = self.study.arguments(self.study.hyperparameters(self.suggested))
        self.reports, self.last, self.broken = 0, {self.study.metric: self.study.worst}, False
        self.raised = ""
        """What it raised between two steps."""
        self.saved = time.monotonic()

    def reset_config(self, new_config: Config) -> bool:
        """Begins anew with other hyperparameters; returns whether the user's trainable can."""
        self._begin()
        return bool(self._told_later(super().reset_config))

    def _told_later(self, begin: Callable[[Config], Any]) -> Any:
        """Lets the loop begin; what it raises is the result of the first step, since Ray Tune would try it again."""
        try:
            return begin(self.config)
        except (Exception, SystemExit) as error:
            if is_rays_own(error):
                raise
            self.raised = own_traceback(error)
            return True

    def train(self) -> Config:
        """Returns a step's result, with the configuration as the search suggested it."""
        result: Config = super().train()
        result["config"] = self.suggested
        return result

    def step(self) -> Config:
        """Returns what the loop reports next that no earlier process has reported."""
        reported = self.start["epochs"] if self.start else 0
        if self.raised:
            return self._failed(self.raised)
        try:
            if self.start:
                self._continue(self.start["checkpoint"])
            result = self._next()
            while self.reports <= reported and DUPLICATE not in result:
                result = self._next()
        except (Exception, SystemExit) as error:
            if is_rays_own(error):
                raise
            return self._failed(LEFT if "Should not have reached here" in str(error) else own_traceback(error))
        if DUPLICATE in result:
            if not self.reports:
                return self._failed("RuntimeError: the loop returned without a report")
            return self._result(self.last, finished=True) | {REPEATED: True}
        return self._judged(result)

    def _continue(self, checkpoint: str | None) -> None:
        self.start = None
        if checkpoint:
            path = checkpoint.rpartition("://")[2]
            self.restore(tune.Checkpoint(path, filesystem=self._storage.storage_filesystem))

    def _next(self) -> Config:
        result: Config = super().step()
        self.reports += DUPLICATE not in result
        return result

    def _judged(self, result: Config) -> Config:
        """Returns the result of a report: finite, and with the penalty if the metric is not."""
        metric, worst, scores = self.study.metric, self.study.worst, scores_of(result)
        needed: dict[str, float] = self.shared["needed"]
        if metric not in scores or not needed.keys() <= scores.keys():
            missing = next(name for name in (metric, *needed) if name not in scores)
            names = sorted(scores)
            return self._failed(f"KeyError: a report has {', '.join(names) or 'no numbers'}, and not {missing}") | {
                UNNAMED: names
            }
        value = scores[metric]
        worse = value < worst if self.study.mode == "max" else value > worst
        diverged = worse or not all(math.isfinite(scores[name]) for name in (metric, *needed))
        if diverged:
            scores |= {name: most for name, most in needed.items() if not math.isfinite(scores[name])}
            scores[metric] = worst
        self.last = {name: number for name, number in scores.items() if math.isfinite(number)}
        finished = diverged or self.reports >= self.most or bool(result.get("done"))
        saving = bool(result.get("should_checkpoint")) or self._is_due()
        return self._result(self.last, finished=finished, diverged=diverged) | {"should_checkpoint": saving}

    def _is_due(self) -> bool:
        """Returns whether a class is to save a checkpoint now; a function does so when it will."""
        saves = type(self).save_checkpoint not in (tune.Trainable.save_checkpoint, FunctionTrainable.save_checkpoint)
        return saves and time.monotonic() - self.saved >= CHECKPOINT_SECONDS

    def _failed(self, failure: str) -> Config:
        self.broken = True
        scores = self.shared["needed"] | self.last | {self.study.metric: self.study.worst}
        return self._result(scores, finished=True, failure=failure)

    def _result(self, scores: Config, *, finished: bool, diverged: bool = False, failure: str = "") -> Config:
        return {
            self.study.metric: scores[self.study.metric],
            "scores": scores,
            "epochs": self.reports,
            "diverged": int(diverged),
            "diverged_step": self.reports if diverged else -1,
            "failed": int(bool(failure)),
            "failure": failure,
            "history": [],
            "finished": int(finished),
            "done": finished,
        }

    def save(self, checkpoint_dir: str | None = None) -> Any:
        """Saves the user's checkpoint, and beside it how many reports it holds."""
        self.saved = time.monotonic()
        try:
            saved = super().save(checkpoint_dir)
        except (Exception, SystemExit) as error:
            if is_rays_own(error):
                raise
            self.raised = own_traceback(error)
            return SimpleNamespace(checkpoint=None, metrics={})  # no checkpoint, as far as Ray Tune looks
        if saved.checkpoint is not None:
            describe(saved.checkpoint, self.reports)
        return saved

    def restore(self, checkpoint_path: Any) -> None:
        """Goes on from a checkpoint, this trial's or another one's."""
        super().restore(checkpoint_path)
        checkpoint = getattr(checkpoint_path, "checkpoint", checkpoint_path)
        self.start, self.reports = None, reports_of(checkpoint)

    def cleanup(self) -> None:
        """Ends the loop; what it raised has been reported."""
        try:
            super().cleanup()
        except Exception:
            if not self.broken:
                raise


def can_be_reset(loop: Any) -> bool:
    """Returns whether one process can run one trial of a loop after another."""
    return getattr(loop, "reset_config", None) is not tune.Trainable.reset_config


def loop_trainable(study: Any) -> type[tune.Trainable]:
    """Returns the trainable of a `LoopStudy`.

    Through `tune.with_parameters` it takes `study`, `max_reports`, and `needed`: what every report must have beside the
    metric, with what stands for it in a trial that diverges or raises.
    """
    loop = study.train if isinstance(study.train, type) else wrap_function(study.train)
    return type("LoopTrial", (_Loop, loop), {})
