"""The Ray Tune trainable of a user's own loop, which runs unchanged: its reports are counted and made finite.

This file knows what Ray Tune keeps to itself about the trainables of functions.
"""

import math
import os
import time
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

SECONDS_TO_END = "TUNE_FUNCTION_THREAD_TIMEOUT_S"
"""Ray Tune's variable: how long a function may take to end that a scheduler has stopped, such as for what it uploads.
With Tune's own two seconds, the next trial of the process is an error that ends the run."""


class _TunedLoop(tune.Trainable):
    """Goes before the trainable of a loop. A step is one report.

    Its result holds the metric, all numbers that were reported as `scores`, and what every trial of tautune reports:
    `epochs` (the reports so far), `diverged`, `failed`, `failure`, `finished`. Its own names begin with two
    underscores, by which Python makes them unique: the user's class has attributes of its own in the same object.
    """

    config: Config
    __is_starting = False
    """Whether the user's code begins now, whose setup may call its reset_config, or the other way around."""

    def setup(self, config: Config, **shared: Any) -> None:
        """Takes the study and the largest number of reports."""
        if self.__is_starting:
            super().setup(config)
            return
        os.environ.setdefault(SECONDS_TO_END, "60")
        self.__shared, self.__study = shared, shared["study"]
        self.__is_set_up = False
        self.__take()

    def reset_config(self, new_config: Config) -> bool:
        """Takes other hyperparameters."""
        if self.__is_starting:
            return bool(super().reset_config(new_config))
        self.__take()
        return True

    def __take(self) -> None:
        self.__suggested = self.config
        self.__start: Config | None = self.__suggested.get(CONTINUES)
        self.__most = self.__shared["max_reports"] + (self.__start or {}).get("longer", 0)
        self.config = self.__study.arguments(self.__study.hyperparameters(self.__suggested))
        self.__reports, self.__last, self.__broken = 0, {self.__study.metric: self.__study.worst}, False
        self.__has_started = False
        self.__raised: str = (self.__start or {}).get("failure", "")
        """What it raised between two steps, or why it was given up."""
        self.__saved = time.monotonic()

    def __start_loop(self) -> None:
        """Lets the user's code begin, in the first step: Ray Tune gives a trial up whose process dies before that.

        What it raises is the result of that step, since Ray Tune would try it again.
        """
        if self.__has_started or self.__raised:
            return
        self.__has_started = self.__is_starting = can_start = True
        try:
            if self.__is_set_up:
                can_start = bool(super().reset_config(self.config))
            else:  # or its setup has raised before
                super().setup(self.config)
                self.__is_set_up = True
        except (Exception, SystemExit) as error:
            if is_rays_own(error):
                raise
            self.__raised = own_traceback(error)
        finally:
            self.__is_starting = False
        if not can_start:
            raise RuntimeError("the loop before has not ended yet")  # Ray Tune then takes another process

    def train(self) -> Config:
        """Returns a step's result, with the configuration as the search suggested it."""
        result: Config = super().train()
        result["config"] = self.__suggested
        return result

    def step(self) -> Config:
        """Returns what the loop reports next that no earlier process has reported."""
        self.__start_loop()
        reported = self.__start["epochs"] if self.__start else 0
        if self.__raised:
            self.__reports = max(self.__reports, reported)
            return self.__failed(self.__raised)
        try:
            if self.__start:
                self.__continue(self.__start["checkpoint"])
            result = self.__next()
            while self.__reports <= reported and DUPLICATE not in result:
                result = self.__next()
        except (Exception, SystemExit) as error:
            if is_rays_own(error):
                raise
            return self.__failed(LEFT if "Should not have reached here" in str(error) else own_traceback(error))
        if DUPLICATE in result:
            if not self.__reports:
                return self.__failed("RuntimeError: the loop returned without a report")
            return self.__result(self.__last, finished=True) | {REPEATED: True}
        return self.__judged(result)

    def __continue(self, checkpoint: str | None) -> None:
        self.__start = None
        if checkpoint:
            path = checkpoint.rpartition("://")[2]
            self.restore(tune.Checkpoint(path, filesystem=self._storage.storage_filesystem))

    def __next(self) -> Config:
        result: Config = super().step()
        self.__reports += DUPLICATE not in result
        return result

    def __judged(self, result: Config) -> Config:
        """Returns the result of a report: finite, and with the penalty if the metric is not."""
        metric, worst, scores = self.__study.metric, self.__study.worst, scores_of(result)
        needed: dict[str, float] = self.__shared["needed"]
        if metric not in scores or not needed.keys() <= scores.keys():
            missing = next(name for name in (metric, *needed) if name not in scores)
            names = sorted(scores)
            return self.__failed(f"KeyError: a report has {', '.join(names) or 'no numbers'}, and not {missing}") | {
                UNNAMED: names
            }
        value = scores[metric]
        worse = value < worst if self.__study.mode == "max" else value > worst
        diverged = worse or not all(math.isfinite(scores[name]) for name in (metric, *needed))
        if diverged:
            scores |= {name: most for name, most in needed.items() if not math.isfinite(scores[name])}
            scores[metric] = worst
        self.__last = {name: number for name, number in scores.items() if math.isfinite(number)}
        finished = diverged or self.__reports >= self.__most or bool(result.get("done"))
        saving = bool(result.get("should_checkpoint")) or self.__is_due()
        return self.__result(self.__last, finished=finished, diverged=diverged) | {"should_checkpoint": saving}

    def __is_due(self) -> bool:
        """Returns whether a class is to save a checkpoint now; a function does so when it will."""
        saves = type(self).save_checkpoint not in (tune.Trainable.save_checkpoint, FunctionTrainable.save_checkpoint)
        return saves and time.monotonic() - self.__saved >= CHECKPOINT_SECONDS

    def __failed(self, failure: str) -> Config:
        self.__broken = True
        scores = self.__shared["needed"] | self.__last | {self.__study.metric: self.__study.worst}
        return self.__result(scores, finished=True, failure=failure)

    def __result(self, scores: Config, *, finished: bool, diverged: bool = False, failure: str = "") -> Config:
        return {
            self.__study.metric: scores[self.__study.metric],
            "scores": scores,
            "epochs": self.__reports,
            "diverged": int(diverged),
            "diverged_step": self.__reports if diverged else -1,
            "failed": int(bool(failure)),
            "failure": failure,
            "history": [],
            "finished": int(finished),
            "done": finished,
        }

    def save(self, checkpoint_dir: str | None = None) -> Any:
        """Saves the user's checkpoint, and beside it how many reports it holds."""
        self.__saved = time.monotonic()
        try:
            saved = super().save(checkpoint_dir)
        except (Exception, SystemExit) as error:
            if is_rays_own(error):
                raise
            self.__raised = own_traceback(error)
            return SimpleNamespace(checkpoint=None, metrics={})  # no checkpoint, as far as Ray Tune looks
        if saved.checkpoint is not None:
            describe(saved.checkpoint, self.__reports)
        return saved

    def restore(self, checkpoint_path: Any) -> None:
        """Goes on from a checkpoint, this trial's or another one's."""
        self.__start_loop()
        if self.__raised:
            return
        super().restore(checkpoint_path)
        checkpoint = getattr(checkpoint_path, "checkpoint", checkpoint_path)
        self.__start, self.__reports = None, reports_of(checkpoint)

    def cleanup(self) -> None:
        """Ends the loop; what it raised has been reported."""
        if not self.__is_set_up:
            return
        try:
            super().cleanup()
        except Exception:
            if not self.__broken:
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
    return type("LoopTrial", (_TunedLoop, loop), {})
