"""The best configuration of a user's own loop, trained once more by the function that its study has for that."""

import math
from numbers import Real
from typing import Any

import ray

from tautune.records.errors import AGAIN, InputError, Interrupted, RunFailed
from tautune.records.files import write_json
from tautune.records.tuning_folder import TuningFolder, read_best
from tautune.runners.giving_up import TRIES, reason_of
from tautune.runners.tuning_job import Tuning, tuning_of
from tautune.search_spaces.loop_study import LoopStudy
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.raised import own_traceback

Json = dict[str, Any]


def plan_loop_refit(folder: TuningFolder, study: TuningStudy | LoopStudy | None) -> Tuning:
    """Returns the tuning. Raises InputError if its study has no function for it."""
    tuning = tuning_of(folder.run, folder.path, study)
    if not isinstance(tuning.study, LoopStudy) or tuning.study.refit is None:
        raise InputError(f"the study {tuning.study.name} does not say how: give its LoopStudy refit=…, a function")
    return tuning


def refit_loop(tuning: Tuning, folder: TuningFolder) -> Json:
    """Calls the function on some host of the Ray session, with a trial's resources, and writes test.json.

    Raises:
        RunFailed: it raised, its process was killed again and again, or it returned something else than finite numbers.
        Interrupted: by Ctrl-C or SIGTERM.
    """
    assert isinstance(tuning.study, LoopStudy)
    refit, place = tuning.study.refit, str(folder.path)
    config = tuning.study.arguments(read_best(folder.path)["config"])
    assert refit
    wanted = tuning.resources
    options = {"num_cpus": wanted["CPU"], "num_gpus": wanted["GPU"], "max_retries": 0}
    task = ray.remote(**options)(lambda: refit(config, place))
    try:
        numbers = answer_of(task)
    except KeyboardInterrupt:
        raise Interrupted("stopped; the refit was not kept", AGAIN) from None
    except ray.exceptions.RayTaskError as error:
        raised = own_traceback(error.cause or error).rstrip()
        raise RunFailed(f"{raised}\ntautune: the refit failed; above is its traceback") from None
    if not isinstance(numbers, dict) or not all(isinstance(n, Real) and math.isfinite(n) for n in numbers.values()):
        raise RunFailed(f"the refit of {tuning.study.name} must return a dict of finite numbers, not {numbers!r}")
    test = {str(name): float(number) for name, number in numbers.items()}
    write_json(folder.path / "test.json", test)
    return test


def answer_of(task: Any) -> Any:
    """Returns what the task returns, which is begun again where its process dies.

    Ray's own retries will not do: they have no end where its memory monitor ends the process.
    """
    tries = 0
    while True:
        tries += 1
        try:
            return ray.get(task.remote())
        except ray.exceptions.RayTaskError:
            raise
        except ray.exceptions.RayError as error:
            if tries == TRIES:
                raise RunFailed(f"the refit failed: {reason_of(str(error), TRIES)}") from None
